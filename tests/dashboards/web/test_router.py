"""An address leads to its page with checked parameters, or to a status and words; never to another page."""

import pytest

from dashboards.web.app import CALLBACKS, PLOTLY, PLOTLY_CELLS, ROUTER
from dashboards.web.router import ProblemError
from dashboards.web.viewer import Role


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/nope", 404), ("/index.html", 404), ("//", 404), ("/?month=2026-13", 400), ("/?month=October", 400),
        ("/?month=2026-10&month=2026-09", 400), ("/?mont=2026-10", 400), ("/?reading=" + "x" * 300, 400),
        ("/?month=２０２６-10", 400),
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused(address: str, status: int) -> None:
    """Ignored without a word, a parameter would leave another month's figures under the asked month's address."""
    path, _, query = address.partition("?")
    with pytest.raises(ProblemError) as error:
        ROUTER.resolve(path, query)
    problem = error.value.problem
    assert (problem.status, bool(problem.headline and problem.next_step)) == (status, True)


def test_paths_that_nobody_listed_have_no_roles() -> None:
    """The access check gives 404 for them."""
    assert [ROUTER.roles_of(path) for path in ("/nope", "/chart/nope.csv", "/chart/", "/alerts/x", "/alerts/0")] == [None] * 5
    assert all(roles <= frozenset(Role) for roles in CALLBACKS.values())


def test_the_chart_script_is_of_the_version_that_plotly_names() -> None:
    """Another version would draw a figure otherwise than plotly.py describes it."""
    from plotly.offline import get_plotlyjs_version

    version = get_plotlyjs_version()
    assert (f"plotly-basic-{version}.min.js", f"plotly-cartesian-{version}.min.js") == (PLOTLY, PLOTLY_CELLS)
