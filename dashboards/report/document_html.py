"""A document as one HTML file, to be read and printed: nothing is loaded, no script runs, and the pictures are inside."""

import re

from affiliates.errors import lines_in_plain_sight
from dashboards.report.document import Bullets, FactList, Grid, Heading, PaperDocument, Paragraph, Picture
from dashboards.report.swatch import swatch

# No script and no address: whoever opens the file offline sees all of it, and nobody learns that it was opened.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{{ document.title|plain }}</title>
<style>
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; color: #181c24; background: #fff; max-width: 62rem;
  margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.6em; line-height: 1.25; margin: 0.4rem 0; }
h2 { font-size: 1.1em; margin: 1.8rem 0 0.5rem; border-bottom: 1px solid #c8ccd2; padding-bottom: 0.2rem; }
h3 { font-size: 1em; margin: 1rem 0 0.3rem; }
p { margin: 0.4rem 0; }
.legend { font-weight: bold; }
.about, .soft, caption { color: #4a5260; }
.answer { font-size: 1.35em; font-weight: bold; margin: 1rem 0 0.2rem; }
.lead { font-size: 1.05em; }
.notice { border: 1px solid #181c24; padding: 0.4rem 0.6rem; }
.code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.8em; overflow-wrap: anywhere; }
.facts { display: flex; flex-wrap: wrap; gap: 0.6rem 2rem; margin: 0.8rem 0; }
.facts > div { flex: 1 1 13rem; }
dt { color: #4a5260; }
dd { margin: 0; }
.facts .value { font-size: 1.15em; font-weight: bold; }
.lines > div { display: grid; grid-template-columns: 14rem 1fr; gap: 0 1rem; padding: 0.15rem 0;
  border-bottom: 1px solid #e4e8ec; }
.lines .value { overflow-wrap: anywhere; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.88em; width: 100%; margin: 0.5rem 0; }
caption { text-align: left; padding-bottom: 0.2rem; }
th, td { text-align: left; padding: 0.2rem 0.6rem 0.2rem 0; border-bottom: 1px solid #e4e8ec; vertical-align: top; }
thead th { color: #4a5260; border-bottom: 1px solid #c8ccd2; }
tbody th { font-weight: normal; }
.number { text-align: right; }
figure { margin: 0.8rem 0; }
figcaption { font-weight: bold; }
figure svg { max-width: 100%; height: auto; }
.drawing svg * { stroke-linejoin: round; stroke-linecap: butt; }
.keys { display: flex; flex-wrap: wrap; gap: 0.1rem 1.4rem; list-style: none; padding: 0; margin: 0.2rem 0; font-size: 0.88em; }
.keys svg { vertical-align: middle; margin-right: 0.4rem; }
footer { border-top: 1px solid #c8ccd2; margin-top: 2rem; padding-top: 0.5rem; font-size: 0.85em; color: #4a5260; }
@page { size: A4; margin: 16mm 15mm 20mm;
  @bottom-right { content: "page " counter(page) " of " counter(pages); font: 7pt system-ui, sans-serif; } }
@media print {
  body { font-size: 9pt; max-width: none; margin: 0; padding: 0; }
  h2, h3, caption, figcaption { break-after: avoid; }
  figure, .facts, .notice, tr, li { break-inside: avoid; }
  thead { display: table-header-group; break-inside: avoid; break-after: avoid; }
  tbody tr:first-child { break-before: avoid; }
  .table { overflow: visible; }
}
</style>
</head>
<body>
<header>
<p class="legend">{{ document.legend|plain }}</p>
<h1>{{ document.title|plain }}</h1>
<p class="about">{{ document.about|plain }}</p>
</header>
<main>
{% for part in document.parts %}{{ part|written }}
{% endfor %}</main>
<footer>
<p>{{ document.foot|plain }}</p>
<p>{{ document.legend|plain }}</p>
</footer>
</body>
</html>
"""
_PARTS = {
    Heading: "<h2>{{ part.text|plain }}</h2>",
    Paragraph: '<p class="{{ part.kind }}">{{ part.text|plain }}</p>',
    Bullets: "<ul>{% for item in part['items'] %}<li>{{ item|plain }}</li>\n{% endfor %}</ul>",
    FactList: """<dl class="{{ 'lines' if part.are_lines else 'facts' }}">{% for fact in part['items'] %}
<div><dt>{{ fact.label|plain }}</dt><dd class="value">{{ fact.value|plain }}</dd>
{%- if fact.detail %}<dd class="soft">{{ fact.detail|plain }}</dd>{% endif %}</div>{% endfor %}
</dl>""",
    Grid: """<div class="table" tabindex="0" role="region" aria-label="{{ part.caption|plain }}"><table>
<caption>{{ part.caption|plain }}</caption>
<colgroup>{% for width in part.widths %}<col style="width: {{ share(part, width) }}%">{% endfor %}</colgroup>
<thead><tr>{% for name in part.head %}
<th scope="col"{{ number(part, loop.index0) }}>{{ name|plain }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in part.rows %}
<tr>{% for cell in row %}{% if loop.first %}<th scope="row"{{ number(part, 0) }}>{{ cell|plain }}</th>
{%- else %}<td{{ number(part, loop.index0) }}>{{ cell|plain }}</td>{% endif %}{% endfor %}</tr>{% endfor %}
</tbody></table></div>""",
    Picture: """<figure>
<figcaption>{{ part.title|plain }}</figcaption>
<div class="drawing" role="img" aria-label="{{ part.title|plain }}. {{ part.summary|plain }}">{{ drawing(part) }}</div>
<ul class="keys">{% for key in part['keys'] %}<li>{{ sample(key) }}{{ key.words|plain }}</li>{% endfor %}</ul>
<p class="soft">{{ part.summary|plain }}</p>
</figure>""",
}
_INSIDE = re.compile(r'(\bid="|href="#|url\(#)')
"""Names inside a drawing, and where they are used: of two drawings on one page each needs its own."""


def html(document: PaperDocument) -> str:
    """The file's text: the same for the same document."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    numbers: dict[int, int] = {}

    def number(part: Grid, place: int) -> Markup:
        return Markup(' class="number"') if place in part.numbers else Markup("")

    def drawing(part: Picture) -> Markup:
        # Ours: matplotlib has drawn it, and has made outlines of all its texts.
        order = numbers.setdefault(id(part), len(numbers))
        return Markup(_INSIDE.sub(rf"\g<1>drawing{order}-", _without_frame(part.svg)))  # noqa: S704

    environment.filters["plain"] = lines_in_plain_sight
    environment.globals |= {
        "number": number,
        "share": lambda part, width: round(100 * width / sum(part.widths), 2),
        "drawing": drawing,
        "sample": lambda key: Markup(swatch(key).replace("<svg", '<svg aria-hidden="true"')),  # noqa: S704
    }
    written = {kind: environment.from_string(text) for kind, text in _PARTS.items()}
    environment.filters["written"] = lambda part: Markup(written[type(part)].render(part=part))  # noqa: S704
    return environment.from_string(_PAGE).render(document=document)


def _without_frame(svg: str) -> str:
    """An SVG without what only a file of its own needs: the XML head, metadata, and rules of style for a whole page."""
    body = svg[svg.index("<svg") :]
    return re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL).strip()
