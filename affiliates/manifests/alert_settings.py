"""alerts.yaml: levels, channels, and whom they are for. What it says of a channel's address is a secret and never shown."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from affiliates.errors import Code, refused
from affiliates.manifests.base import Model, Name, Text

Kind = Literal["threshold", "missing_data", "failed_run", "definition_change", "jump"]
"""A clause's threshold coming near, or what keeps a figure from being read; never one for the other."""
Audience = Literal["legal", "finance", "ops"]
LevelName = Literal["watch", "prepare", "act", "over"]
LEVELS: tuple[LevelName, ...] = ("watch", "prepare", "act", "over")

KINDS: dict[Audience, tuple[Kind, ...]] = {
    "legal": ("threshold", "definition_change", "jump"),
    "finance": ("definition_change", "jump"),
    "ops": ("missing_data", "failed_run", "definition_change", "jump"),
}
"""What a channel gets that names no kinds."""

Domain = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$", max_length=253)]
Days = Annotated[int, Field(ge=0, le=3660)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=500)]
Environment = Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$", max_length=100)]


def _percent(value: object) -> object:
    return float(value.strip()[:-1]) / 100 if isinstance(value, str) and value.strip().endswith("%") else value


Part = Annotated[float, BeforeValidator(_percent), Field(gt=0, lt=1)]
"""A part of one, such as 2.5 % or 0.025."""


class LeadTimes(Model):
    """Days that what has to be done before a crossing takes."""

    licence_request: Days = 90
    """Days until a licence that was requested is there."""
    migration: Days = 180
    """Days until all products use another model."""


class Looks(Model):
    """How many of the last looks must agree before a level is raised or lowered."""

    agree: Annotated[int, Field(ge=1, le=31)]
    """How many have to agree."""
    of: Annotated[int, Field(ge=1, le=31)]
    """Of how many."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.agree > self.of:
            raise ValueError(f"`agree` {self.agree} can't be more than `of` {self.of}")
        return self


class RaiseAfter(Model):
    """A month is the clauses' own unit, and waiting for another one would be sleeping; a day's figure may be noise."""

    day: Looks = Looks(agree=3, of=5)
    """Of figures by day."""
    month: Looks = Looks(agree=1, of=1)
    """Of figures by month."""


class Shares(Model):
    """Of the threshold, by the estimate."""

    watch: Part = 0.7
    """Share of the threshold."""
    prepare: Part = 0.85
    """Share of the threshold."""
    act: Part = 0.95
    """Share of the threshold."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.watch < self.prepare < self.act:
            raise ValueError("`watch`, `prepare` and `act` must rise")
        return self


class Probabilities(Model):
    """That the threshold is passed: within twelve months for `watch` and `prepare`, within three for `act`."""

    watch: Part = 0.1
    """Within twelve months."""
    prepare: Part = 0.5
    """Within twelve months."""
    act: Part = 0.5
    """Within three months."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.watch < self.prepare:
            raise ValueError("`prepare` must be over `watch`")
        return self


class Jump(Model):
    """What a step from one month to the next is too large to be believed."""

    least: Part = 0.02
    """Smaller ones are never doubted."""
    without_past: Part = 0.15
    """What is doubted as long as fewer than six steps are known."""


class Channel(Model):
    """One way to somebody: its address is an apprise URL, or several."""

    name: Name
    """Its short name."""
    audience: Audience
    """Whom it reaches; alerts on thresholds go to `legal` alone."""
    urls: tuple[SecretStr, ...] = ()
    """Its apprise URLs."""
    url_env: Environment | None = None
    """In the place of `urls`: a variable of the environment that holds the URL."""
    url_file: Text | None = None
    """In the place of `urls`: a file that holds the URL."""
    kinds: tuple[Kind, ...] = ()
    """Which alerts it gets; without it, those of its audience."""
    levels: tuple[LevelName, ...] = LEVELS
    """Of `threshold` alerts."""
    escalation: bool = False
    """Whether it only gets what nobody has acknowledged in time."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if [bool(self.urls), self.url_env is not None, self.url_file is not None].count(True) != 1:
            raise ValueError("needs one of `urls`, `url_env` and `url_file`: where its apprise URL is")
        return self

    @model_validator(mode="after")
    def _legal_alone(self) -> Self:
        if "threshold" in self.kinds and self.audience != "legal":
            raise ValueError(
                f"is for {self.audience}: alerts of the kind `threshold` go to channels of the audience `legal` alone"
            )
        return self

    @property
    def gets(self) -> tuple[Kind, ...]:
        return self.kinds or KINDS[self.audience]

    @property
    def addresses(self) -> int:
        """How many it has; each gets a message of its own."""
        return len(self.urls) or 1

    def url(self, number: int, directory: Path) -> str:
        """The apprise URL of one of its addresses; a secret. Raises `RefusedError` where it can't be had."""
        if self.urls:
            if number >= len(self.urls):
                raise refused(
                    Code.CHANNEL_UNUSABLE,
                    f"channel {self.name}",
                    "has no such address any more",
                    f"number {number + 1}",
                    "see to alerts.yaml",
                )
            return self.urls[number].get_secret_value()
        return secret(f"channel {self.name}", self.url_env, self.url_file, directory)


class Heartbeat(Model):
    """An address that an outside service waits to be called at: where it isn't, that service rings."""

    url_env: Environment | None = None
    """A variable of the environment that holds the URL."""
    url_file: Text | None = None
    """A file that holds the URL."""
    kind: Literal["get", "post"] = "get"
    """The HTTP method."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.url_env is None) == (self.url_file is None):
            raise ValueError("needs one of `url_env` and `url_file`: where its URL is")
        return self

    def url(self, directory: Path) -> str:
        """Its URL; a secret. Raises `RefusedError` where it can't be had."""
        return secret("the heartbeat", self.url_env, self.url_file, directory)


def secret(subject: str, env: str | None, file: str | None, directory: Path) -> str:
    """What the environment variable or the file holds. Raises `RefusedError`, which never shows it."""
    if env is not None:
        found = os.environ.get(env, "")
        place = f"environment variable {env}"
    else:
        place = f"file {file}"
        try:
            found = (directory / str(file)).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise refused(Code.CHANNEL_UNUSABLE, subject, "its URL can't be read", place, "see to the file") from None
    if not found.strip():
        raise refused(Code.CHANNEL_UNUSABLE, subject, "has no URL", place, "put the URL there")
    return found.strip()


class NextSteps(Model):
    """What is to be done at each level, in the group's own words."""

    watch: Text = "name who prepares, and look at the figure each month"
    """On messages of the level `watch`."""
    prepare: Text = "have the request for a licence and the plan of a migration ready"
    """On messages of the level `prepare`."""
    act: Text = "hand in the request, or begin the migration"
    """On messages of the level `act`."""
    over: Text = "ask counsel which rights are left"
    """On messages of the level `over`."""


class Alerting(Model):
    """alerts.yaml: who is told what, and when."""

    lead_times: LeadTimes = LeadTimes()
    """How long it takes to act."""
    licences: tuple[Name, ...] = ()
    """Whose clauses are watched, by their ids in the registry; where none is named, Llama's and those of the models in use."""
    shares: Shares = Shares()
    """The levels by the share of the threshold."""
    probabilities: Probabilities = Probabilities()
    """The levels by what is expected."""
    raise_after: RaiseAfter = RaiseAfter()
    """How many looks must agree."""
    band: Part = 0.04
    """A level is lowered only below its line by this part of it. Of 410 lines through real series that wobble, 100 are crossed
    more than twice in six quarters; with 2.5 % 58 flip so often, with 3 % 7, with 4 % none. It only makes an alert end later."""
    probability_band: Part = 0.2
    """A level by what is expected is lowered only below its line by this part of it."""
    jump: Jump = Jump()
    """Which steps of the figure are doubted."""
    escalate_after: Annotated[int, Field(ge=1, le=90)] = 3
    """Days without an acknowledgement."""
    channels: tuple[Channel, ...] = ()
    """Who is told."""
    allowed_domains: tuple[Domain, ...] = ()
    """Only there figures and names of products are sent; elsewhere a link."""
    link: Url | None = None
    """Base of the link to an alert: a message names LINK/alerts/ID, where the group shows its alerts."""
    heartbeat: Heartbeat | None = None
    """Who is called after each run that succeeded."""
    legend: str = ""
    """Counsel's own text, on every message."""
    owners: dict[str, str] = Field(default_factory=dict)
    """By affiliate, or by affiliate/product: who is named beside it."""
    next_steps: NextSteps = NextSteps()
    """What is to be done, by level."""

    def owner(self, product: str, affiliate: str) -> str:
        """Of a product, written affiliate/product, or else of its affiliate; empty where nobody is named."""
        return self.owners.get(product) or self.owners.get(affiliate) or ""
