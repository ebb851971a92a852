"""The monthly report in group.yaml. Pure."""

from affiliates.manifests.base import Model, Text

FOLDER = "reports"
"""Where reports lie, relative to the group, unless group.yaml names another folder."""


class ReportSettings(Model):
    """`report` in group.yaml: what is said of monthly reports."""

    folder: Text = FOLDER
    """The folder of the reports, relative to the group; each month has one HTML file and one PDF."""
