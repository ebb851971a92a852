"""The monthly report in group.yaml. Pure."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, SecretStr, model_validator

from affiliates.manifests.base import Environment, Model, Text

if TYPE_CHECKING:
    from affiliates.manifests.alert_settings import Channel

FOLDER = "reports"
"""Where reports lie, relative to the group, unless group.yaml names another folder."""


class ReportMail(Model):
    """Who is sent the reports, and from which day on."""

    urls: tuple[SecretStr, ...] = ()
    """apprise URLs, such as mailto://; each is a secret, and gets a mail of its own."""
    url_env: Environment | None = None
    """In the place of `urls`: a variable of the environment that holds the URL."""
    url_file: Text | None = None
    """In the place of `urls`: a file that holds the URL."""
    from_day: Annotated[int, Field(ge=1, le=28)] = 1
    """The day of the following month from which on a month's report is sent, once the month has an upper bound."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        # The channel's own rule: one place for the addresses.
        _ = self.channel
        return self

    @property
    def channel(self) -> "Channel":
        """The addresses as a channel of alerts has them."""
        # Inside: alerts know products, which know group.yaml, which this is a part of.
        from affiliates.manifests.alert_settings import Channel

        return Channel(name="report", audience="finance", urls=self.urls, url_env=self.url_env, url_file=self.url_file)


class ReportSettings(Model):
    """`report` in group.yaml: with the key, even an empty one, runs write the report of each month that is over."""

    folder: Text = FOLDER
    """The folder of the reports, relative to the group; each month has one HTML file and one PDF."""
    mail: ReportMail | None = None
    """Who is sent the reports; nobody without the key."""


def file_name(month: date, kind: str) -> str:
    """The name of a month's report: mauwatch-2026-10.pdf."""
    return f"mauwatch-{month:%Y-%m}.{kind}"
