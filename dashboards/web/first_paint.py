"""What is read of a page as HTML text: the page is painted before any script has run, and is the same without scripts.

The text stands inside `#react-entry-point` until React replaces it with the same page.
"""

from collections.abc import Iterable
from html import escape
from typing import Any

from dash.development.base_component import Component

_HTML = "dash_html_components"
_VOID = frozenset(["Br", "Col", "Hr", "Img", "Input", "Wbr"])
"""Elements without an end."""
_NAMES = {"className": "class", "htmlFor": "for", "acceptCharset": "accept-charset", "httpEquiv": "http-equiv"}
"""Properties whose attribute isn't their name in lower case."""
_NO_ATTRIBUTE = frozenset(["children", "key", "n_clicks", "n_clicks_timestamp", "disable_n_clicks"])


def to_html(tree: Any) -> str:
    """A tree of components as HTML. Of a component that needs a script, such as an input, only what stands inside is written."""
    if tree is None or isinstance(tree, bool):
        return ""
    if isinstance(tree, (list, tuple)):
        return "".join(map(to_html, tree))
    if not isinstance(tree, Component):
        return escape(str(tree), quote=False)
    # Not escaped again: what stands inside is HTML already.
    inside = to_html(getattr(tree, "children", None))
    if tree._namespace != _HTML:
        return inside
    name = tree._type.lower()
    attributes = "".join(_attributes(tree))
    return f"<{name}{attributes}>" if tree._type in _VOID else f"<{name}{attributes}>{inside}</{name}>"


def _attributes(component: Component) -> Iterable[str]:
    properties = component.to_plotly_json()["props"]  # type: ignore[no-untyped-call]
    for name, value in properties.items():
        # An id that is a mapping is Dash's own, and no attribute.
        if name in _NO_ATTRIBUTE or value is None or value is False or (name == "id" and isinstance(value, dict)):
            continue
        attribute = _NAMES.get(name) or (name if "-" in name else name.lower())
        if value is True and "-" not in name:
            yield f" {attribute}"
            continue
        text = _style(value) if name == "style" else str(value).lower() if isinstance(value, bool) else str(value)
        yield f' {attribute}="{escape(text)}"'


def _style(properties: dict[str, Any]) -> str:
    """A style as CSS writes it: marginTop is margin-top, and a name that begins with two dashes is a variable as it is."""
    return ";".join(f"{name if name.startswith('--') else _dashed(name)}:{value}" for name, value in properties.items())


def _dashed(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
