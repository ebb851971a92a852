"""The samples of a picture's legend, as small drawings. Pure."""

from dashboards.report.document import Key

WIDTH = 24
HEIGHT = 10


def swatch(key: Key) -> str:
    """The sample as SVG."""
    shapes = {
        "area": f'<rect x="0" y="0" width="{WIDTH}" height="{HEIGHT}" fill="{key.colour}"/>',
        "line": f'<path d="M 0 5 L {WIDTH} 5" stroke="{key.colour}" stroke-width="2" fill="none"/>',
        "dashes": f'<path d="M 0 5 L 7 5 M 9 5 L 15 5 M 17 5 L {WIDTH} 5" stroke="{key.colour}" stroke-width="2" fill="none"/>',
        "dots": f'<path d="M 12 0 L 12 2 M 12 4 L 12 6 M 12 8 L 12 10" stroke="{key.colour}" stroke-width="1.5" fill="none"/>',
        "mark": f'<path d="M 12 0 L 17 5 L 12 10 L 7 5 Z" fill="{key.colour}"/>',
        "circle": f'<circle cx="12" cy="5" r="4" stroke="{key.colour}" stroke-width="1.6" fill="#ffffff"/>',
    }
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{shapes[key.shape]}</svg>'
