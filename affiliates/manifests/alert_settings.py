"""alerts.yaml: alert levels, channels and their audiences. A channel's address is a secret, and no message shows it."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from affiliates.concurrency import read_small
from affiliates.errors import Code, refused
from affiliates.manifests.base import Environment, Model, Name, Text, part_of_one
from affiliates.manifests.product import ProductRef

_MOST_SECRET_BYTES = 1 << 16
"""Bytes of the file that holds a channel's URL or secret at most."""
Kind = Literal["threshold", "missing_data", "unusual_data", "failed_run", "definition_change", "jump"]
"""What an alert is about: a clause's threshold that comes near (`threshold`), or something that keeps the figure from being
read (all others). The two never stand in for each other."""
Recipients = Literal["legal", "finance", "ops"]
"""Whom a channel reaches. Not a product's audience, whose users count."""
LevelName = Literal["watch", "prepare", "act", "over"]
"""How near a threshold is, in four steps; `over` is for a threshold that was passed."""
LEVELS: tuple[LevelName, ...] = ("watch", "prepare", "act", "over")
"""The levels of a `threshold` alert, the lowest first."""

KINDS: dict[Recipients, tuple[Kind, ...]] = {
    "legal": ("threshold", "definition_change", "jump"),
    "finance": ("definition_change", "jump"),
    "ops": ("missing_data", "unusual_data", "failed_run", "definition_change", "jump"),
}
"""The kinds of alerts that a channel gets where it names none, by its audience."""

Domain = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$", max_length=253)]
"""A domain in lower case, such as example.com."""
Days = Annotated[int, Field(ge=0, le=3660)]
"""A number of days, up to ten years."""
Url = Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=500)]
"""An address without a user or a password: it stands in messages."""


def _part(value: object) -> object:
    """A text such as 2.5 % or 0.025 as the number that it is; anything else as it is, for pydantic to judge."""
    return float(str(part_of_one(value))) if isinstance(value, str) else value


Part = Annotated[float, BeforeValidator(_part), Field(gt=0, lt=1)]
"""A part of one, such as 2.5 % or 0.025."""


class LeadTimes(Model):
    """How many days the work takes that has to be done before a threshold is crossed."""

    licence_request: Days = 90
    """Days until a licence that was requested is there."""
    migration: Days = 180
    """Days until all products use another model."""


class Looks(Model):
    """How many of the last looks must agree before a level is raised or lowered."""

    agree: Annotated[int, Field(ge=1, le=31)]
    """How many looks must agree."""
    of: Annotated[int, Field(ge=1, le=31)]
    """How many of the last looks are compared."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.agree > self.of:
            raise ValueError(f"`agree` {self.agree} can't be more than `of` {self.of}")
        return self


class RaiseAfter(Model):
    """How many looks must agree, for figures by day and by month.

    A clause counts by month, so one month's figure is enough: waiting for another would lose a month. A day's may be noise.
    """

    day: Looks = Looks(agree=3, of=5)
    """For figures by day."""
    month: Looks = Looks(agree=1, of=1)
    """For figures by month."""


class Shares(Model):
    """The share of the threshold at which each level begins, by the figure's estimate."""

    watch: Part = 0.7
    """Where `watch` begins."""
    prepare: Part = 0.85
    """Where `prepare` begins."""
    act: Part = 0.95
    """Where `act` begins."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.watch < self.prepare < self.act:
            raise ValueError("`watch`, `prepare` and `act` must rise")
        return self


class Probabilities(Model):
    """The forecast probability at which each level begins, that the threshold is passed in the months to come."""

    watch: Part = 0.1
    """Where `watch` begins: the probability within twelve months."""
    prepare: Part = 0.5
    """Where `prepare` begins: the probability within twelve months."""
    act: Part = 0.5
    """Where `act` begins: the probability within three months."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        # `act` is a probability over fewer months: it may be lower than the others.
        if not self.watch < self.prepare:
            raise ValueError("`prepare` must be over `watch`")
        return self


class Jump(Model):
    """Which step of the figure, from one month to the next, is too large to be believed."""

    least: Part = 0.02
    """A smaller step is never doubted."""
    without_past: Part = 0.15
    """A larger step is doubted as long as fewer than six steps are known."""


class Channel(Model):
    """A way to reach somebody, by one apprise URL or several."""

    name: Name
    """Its short name."""
    audience: Recipients
    """Whom it reaches. Alerts on thresholds go to `legal` alone."""
    urls: tuple[SecretStr, ...] = ()
    """Its apprise URLs."""
    url_env: Environment | None = None
    """In the place of `urls`: a variable of the environment that holds the URL."""
    url_file: Text | None = None
    """In the place of `urls`: a file that holds the URL."""
    kinds: tuple[Kind, ...] = ()
    """Which alerts it gets. Without it: `threshold`, `definition_change` and `jump` for `legal`; `definition_change` and
    `jump` for `finance`; all but `threshold` for `ops`."""
    levels: tuple[LevelName, ...] = LEVELS
    """At which levels it gets `threshold` alerts."""
    escalation: bool = False
    """Whether it gets only those alerts that nobody has acknowledged within `escalate_after`."""

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
        """The kinds of alerts that the channel gets: its own, or else those of its audience."""
        return self.kinds or KINDS[self.audience]

    @property
    def addresses(self) -> int:
        """How many addresses the channel has. Each gets a message of its own, so one that fails is tried again alone."""
        return len(self.urls) or 1

    def url(self, number: int, directory: Path) -> str:
        """The apprise URL, a secret, of one address: `number` from 0 to `addresses` - 1; `directory` is the group's.

        Raises `RefusedError` (channel-unusable) where there is no such address, or its place can't be read or is empty.
        """
        if self.urls:
            # A message may wait from before alerts.yaml was changed.
            if number >= len(self.urls):
                raise refused(
                    Code.CHANNEL_UNUSABLE,
                    f"channel {self.name}",
                    "has no such address any more",
                    f"number {number + 1}",
                    "see to alerts.yaml",
                )
            return self.urls[number].get_secret_value()
        return _secret(f"channel {self.name}", self.url_env, self.url_file, directory)


class Heartbeat(Model):
    """An address of an outside service, called after each run that succeeded.

    The service raises an alarm when no call comes.
    """

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
        """The URL, a secret. Raises `RefusedError` (channel-unusable) where its place can't be read or is empty."""
        return _secret("the heartbeat", self.url_env, self.url_file, directory)


def _secret(subject: str, env: str | None, file: str | None, directory: Path) -> str:
    """The secret that an environment variable holds, or a file, relative to `directory`; without white space around it.

    Raises `RefusedError` (channel-unusable), which never shows the secret, where the place can't be read or is empty.
    """
    if env is not None:
        text = os.environ.get(env, "")
        place = f"environment variable {env}"
    else:
        place = f"file {file}"
        try:
            text = read_small(directory / str(file), _MOST_SECRET_BYTES).decode("utf-8-sig")
        # `from None`: an error of decoding holds the bytes that it couldn't read.
        except (OSError, UnicodeDecodeError):
            raise refused(Code.CHANNEL_UNUSABLE, subject, "its URL can't be read", place, "see to the file") from None
    if not text.strip():
        raise refused(Code.CHANNEL_UNUSABLE, subject, "has no URL", place, "put the URL there")
    return text.strip()


class NextSteps(Model):
    """What is to be done at each level, in the group's own words."""

    watch: Text = "name who prepares, and look at the figure each month"
    """The next step on messages of the level `watch`."""
    prepare: Text = "have the request for a licence and the plan of a migration ready"
    """The next step on messages of the level `prepare`."""
    act: Text = "hand in the request, or begin the migration"
    """The next step on messages of the level `act`."""
    over: Text = "ask counsel which rights are left"
    """The next step on messages of the level `over`."""


class Alerting(Model):
    """alerts.yaml: who is told what, and when."""

    lead_times: LeadTimes = LeadTimes()
    """How long it takes to act."""
    licences: tuple[Name, ...] = ()
    """The licences whose clauses are watched, by their ids in the registry. Where none is named: Llama's, and those of the
    models in use."""
    shares: Shares = Shares()
    """The levels by the share of the threshold."""
    probabilities: Probabilities = Probabilities()
    """The levels by the forecast."""
    raise_after: RaiseAfter = RaiseAfter()
    """How many looks must agree."""
    band: Part = 0.04
    """A level is lowered only when the figure is this part below the level's line: an alert ends later, and begins as early. Of
    410 lines through real series that wobble, 100 are crossed more than twice in six quarters; with 2.5 % 58 are, with 3 % 7,
    with 4 % none."""
    probability_band: Part = 0.2
    """A level by the forecast is lowered only when the probability is this part below the level's line."""
    jump: Jump = Jump()
    """Which steps of the figure are doubted."""
    escalate_after: Annotated[int, Field(ge=1, le=90)] = 3
    """Days without an acknowledgement, after which channels with `escalation` get the alert."""
    channels: tuple[Channel, ...] = ()
    """Who is told."""
    allowed_domains: tuple[Domain, ...] = ()
    """Domains to which figures and names of products may be sent; all other addresses get a link."""
    link: Url | None = None
    """Base of the link to an alert: a message names LINK/alerts/ID, where the group shows its alerts."""
    heartbeat: Heartbeat | None = None
    """The address that is called after each run that succeeded."""
    legend: str = ""
    """Counsel's own text, where group.yaml has none: `legend` belongs there."""
    owners: dict[str, str] = Field(default_factory=dict)
    """Who answers for a product, named beside it in messages: by affiliate, or by affiliate/product."""
    next_steps: NextSteps = NextSteps()
    """What is to be done, by level."""

    def owner(self, ref: ProductRef) -> str:
        """Who answers for a product: the product's owner, or else its affiliate's; empty where nobody is named."""
        return self.owners.get(str(ref)) or self.owners.get(ref.affiliate) or ""
