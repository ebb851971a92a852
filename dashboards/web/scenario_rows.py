"""Saved scenarios that a viewer may see. The viewer's name stands in every query; what isn't the viewer's isn't there."""

from collections.abc import Iterable

from affiliates.errors import Code, RefusedError
from dashboards.web.queries import PageRows
from dashboards.web.router import Parameters, ProblemError, bad_request, not_found
from pipelines.scenarios import access
from pipelines.scenarios.access import ReadScenario

MOST_COMPARED = 3


def no_scenario() -> ProblemError:
    """The same words for a scenario that isn't there, and for one that the viewer may not see."""
    return not_found(
        "There is no scenario of this number that you may see.", "", "look at the list of saved scenarios, or ask its owner"
    )


def scenario_of(rows: PageRows, number: int) -> ReadScenario:
    """A saved scenario by its number. Raises `ProblemError` of status 404."""
    if rows.snapshot is None:
        raise no_scenario()
    try:
        return access.read_number(rows.snapshot, rows.viewer.name, number)
    except RefusedError as error:
        if error.refusals[0].code is Code.SCENARIO_UNKNOWN:
            raise no_scenario() from None
        raise


def scenarios_of(rows: PageRows) -> list[ReadScenario]:
    """All saved scenarios that the viewer may see, the newest first."""
    return [] if rows.snapshot is None else access.listed(rows.snapshot, rows.viewer.name)


def shared_with(rows: PageRows, one: ReadScenario) -> list[str]:
    """Who may see a scenario beside its owner; nobody is told but the owner."""
    return [] if rows.snapshot is None else access.shared_with(rows.snapshot, rows.viewer.name, one)


def numbers_of(parameters: Parameters, names: Iterable[str]) -> list[int]:
    """The scenarios that parameters name. Raises `ProblemError` of status 400 for what is no number."""
    texts = [parameters.more[name] for name in names if parameters.more.get(name)]
    if any(not text.isascii() or not text.isdecimal() or len(text) > 18 for text in texts):
        raise bad_request("The address names no scenario.", "", "choose one from the list of saved scenarios")
    return list(dict.fromkeys(int(text) for text in texts))
