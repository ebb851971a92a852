"""Who looks at a page: name, roles, and the affiliates whose figures a viewer of one affiliate may see."""

from dataclasses import dataclass
from enum import StrEnum

from flask import g


class Role(StrEnum):
    """What a viewer may do. A viewer can have several roles; pages and callbacks name the roles that may use them."""

    viewer = "viewer"
    """Sees the group's published figures, and changes nothing."""
    affiliate = "affiliate"
    """Sees the figures of its own affiliates alone."""
    legal = "legal"
    """Sees licences and evidence, signs a month, acknowledges alerts."""
    deals = "deals"
    """Makes scenarios, and sees those that are shared with the viewer's name."""
    admin = "admin"
    """Sees what an operator needs: runs, refusals, deliveries. No scenario of others."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """One person, as the request that is being answered proves it."""

    name: str
    """As the login gives it; stands in the audit log, and in access lists of scenarios."""
    roles: frozenset[Role]
    affiliates: frozenset[str]
    """Ids of the affiliates of a viewer with the role `affiliate`; empty for others."""


def current_viewer() -> Viewer:
    """The viewer of the request under way.

    `access.protect` puts the viewer into `flask.g` before any page or callback runs. Raises `AttributeError` or `TypeError` where
    nobody has: a page that the access check doesn't cover has to fail, not to show figures to everybody.
    """
    viewer = g.viewer
    if not isinstance(viewer, Viewer):
        raise TypeError("the access check has put no viewer into this request")
    return viewer
