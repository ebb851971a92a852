"""Counsel's words, which stand on each page, in each download and on each report. Pure."""

from affiliates.manifests.group import Group
from dashboards.web.queries import PageRows


def legend(rows: PageRows | None) -> str:
    """Counsel's words, which stand on each page and in each download."""
    return legend_of(rows.group if rows is not None else None)


def legend_of(group: Group | None) -> str:
    """The same of a group, where no rows are at hand."""
    own = group.alerting.legend if group is not None else None
    return own or "Figures and results under the group's own readings of licence texts. No legal advice."
