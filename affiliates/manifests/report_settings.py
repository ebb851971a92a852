"""The monthly report in group.yaml. Pure."""

from datetime import date

from affiliates.manifests.base import Model, Text

FOLDER = "reports"
"""Where reports lie, relative to the group, unless group.yaml names another folder."""


class ReportSettings(Model):
    """`report` in group.yaml: with the key, even an empty one, runs write the report of each month that is over."""

    folder: Text = FOLDER
    """The folder of the reports, relative to the group; each month has one HTML file and one PDF."""


def file_name(month: date, kind: str) -> str:
    """The name of a month's report: mauwatch-2026-10.pdf."""
    return f"mauwatch-{month:%Y-%m}.{kind}"
