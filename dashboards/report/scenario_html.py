"""A scenario's answer as one page: headline, charts and tables, with all script inside, so that it opens without a network."""

from collections.abc import Sequence

from dashboards.charts import scenario, scenario_page
from dashboards.formats import SCENARIO_STANDING, about, chance, short
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import Bounds

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{ answer.scenario }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.3; }
h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 0.9rem; display: block; overflow-x: auto; }
th, td { text-align: left; padding: 0.25rem 0.8rem 0.25rem 0; border-bottom: 1px solid #e4e8ec; vertical-align: top; }
.chart { overflow-x: auto; }
.chart > div { min-width: 46rem; }
@media (max-width: 46rem) { th, td { white-space: nowrap; } }
.number { text-align: right; white-space: nowrap; }
.soft { color: #52606d; }
.gap { color: #c0392b; font-weight: bold; }
</style>
</head>
<body>
<h1>{{ answer.headline|plain }}</h1>
<p class="soft">{{ rests_on }} {{ certain }}. {{ standing }}</p>
{% for chart in charts %}<div class="chart">{{ chart }}</div>
{% endfor %}
{% for title, columns, rows in tables %}
<h2>{{ title|plain }}</h2>
<table>
<tr>{% for column in columns %}<th scope="col">{{ column|plain }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}
<td{% if cell == no_source %} class="gap"{% endif %}>{{ cell|plain }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% endfor %}
{% if answer.notes %}<h2>Notes</h2>
<ul>{% for note in answer.notes %}<li>{{ note|plain }}</li>
{% endfor %}</ul>{% endif %}
</body>
</html>
"""


def page(answer: ScenarioAnswer) -> str:
    """The page as HTML."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters["plain"] = lambda text: scenario.one_line(str(text))
    return environment.from_string(_PAGE).render(
        answer=answer,
        rests_on=scenario.what_it_rests_on(answer),
        certain=scenario.certain(answer),
        standing=SCENARIO_STANDING,
        # plotly escapes what it puts into its script, and `scenario_page` the texts that plotly would obey.
        charts=[Markup(chart) for chart in scenario_page.charts(answer)],  # noqa: S704
        tables=_tables(answer),
        no_source=scenario.NO_SOURCE,
    )


Table = tuple[str, Sequence[str], list[list[str]]]


def _tables(answer: ScenarioAnswer) -> list[Table]:
    line = answer.threshold_after
    months = [
        [
            month.month,
            short(month.before.p50, answer.threshold),
            short(month.after.p50, line),
            f"{short(month.after.p2_5, line)} to {short(month.after.p97_5, line)}",
            _certain(month.bounds.after, line),
            chance(month.before.probability_over),
            chance(month.after.probability_over),
            scenario.by_range(month.after.probability_over_by_range),
            scenario.rests_on(answer, number, is_after=True).value,
        ]
        for number, month in enumerate(answer.months)
    ]
    clauses = [
        [
            clause.name,
            f"{scenario.over(clause.comparator)} {scenario.exact(clause.threshold)}",
            f"{clause.release} ({'assumed' if clause.assumed else 'stated'})",
            clause.month,
            chance(clause.before),
            chance(clause.after),
            scenario.by_range(clause.after_by_range),
        ]
        for clause in answer.licences
    ]
    assumptions = [
        [
            assumption.change,
            assumption.key,
            assumption.value,
            assumption.basis.value,
            assumption.source or ("the group's own figures" if assumption.change == "group" else scenario.NO_SOURCE),
            assumption.as_of or "–",
        ]
        for assumption in answer.assumptions
    ]
    unique = [
        [
            part.name,
            part.kind,
            "not measured" if part.estimate is None else about(part.estimate),
            "–" if part.lower is None else _about((part.lower, part.upper)),
            part.basis.value,
            part.why_not or ("yes" if part.measurable else "not measurable"),
        ]
        for part in answer.unique
    ]
    targets = [
        [side.name, model.licence, model.own_test.replace("_", " "), model.why, model.after_closing]
        for side in answer.target
        for model in side.models
    ]
    inputs = answer.inputs
    digests = [
        ["figure", inputs.figure],
        *([["products that join", inputs.joining]] if inputs.joining else []),
        ["manifests", inputs.manifests],
        ["series", inputs.series],
        ["registry", inputs.registry],
        ["definition", inputs.definition],
        *([f"contribution {name}", digest] for name, digest in sorted(inputs.contributions.items())),
        ["program and method", f"{answer.program}, {inputs.method}"],
    ]
    columns = (
        "month",
        "before",
        "after",
        "95 % of the paths",
        "for certain",
        "P(over) before",
        "after",
        "after, by the range",
        "rests on",
    )
    tables: list[Table] = [
        ("Months", columns, months),
        ("Clauses still to come", ("clause", "threshold", "release", "month", "P(over) before", "after", "range"), clauses),
        ("Assumptions", ("change", "what", "value", "rests on", "source", "as of"), assumptions),
        (f"Whom only this part brings, in {answer.base_month}", ("", "kind", "people", "range", "rests on", "measured"), unique),
        ("The target's side", ("target", "licence", "its own test", "why", "after closing"), targets),
        ("Inputs, by SHA-256", ("input", "digest"), digests),
    ]
    return [table for table in tables if table[2]]


def _about(bounds: Bounds) -> str:
    low, high = bounds
    return f"at least {about(low)}" if high is None else f"{about(low)} to {about(high)}"


def _certain(bounds: Bounds, line: int) -> str:
    low, high = bounds
    return f"at least {short(low, line)}" if high is None else f"{short(low, line)} to {short(high, line)}"
