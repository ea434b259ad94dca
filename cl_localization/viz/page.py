"""One self-contained HTML page: text, tables, figures and images inside, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure

DOTS_PER_INCH = 110
JPEG_QUALITY = 80
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #20262e; max-width: 1100px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; border-bottom: 1px solid #d5dae1; margin-top: 2em }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
td, th { padding: .15em .8em; border-bottom: 1px solid #eef1f4; text-align: left } td.number { text-align: right }
img { max-width: 100% } figure { display: inline-block; margin: .4em; max-width: 340px; vertical-align: top }
figcaption { font-size: .85em }
"""


def page(title: str, sections: Iterable[tuple[str, str]]) -> str:
    """Return a page of (heading, HTML) sections; empty ones are left out."""
    parts = [f"<h2>{html.escape(heading)}</h2>\n{body}" for heading, body in sections if body]
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
            f"<style>{STYLE}</style></head>\n<body><h1>{html.escape(title)}</h1>\n" + "\n".join(parts)
            + "\n</body></html>\n")


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table; all columns but the first and the last are aligned to the right."""
    head = "".join(f"<th>{html.escape(header)}</th>" for header in headers)
    body = []
    for row in rows:
        cells = (f'<td{_number(place, len(row))}>{html.escape(str(cell))}</td>' for place, cell in enumerate(row))
        body.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><tr>{head}</tr>\n" + "\n".join(body) + "</table>"


def _number(place: int, count: int) -> str:
    return ' class="number"' if 0 < place < count - 1 else ""


def paragraphs(lines: Iterable[str]) -> str:
    """Return lines of text as a list; empty without lines."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def figure_tag(figure: Figure) -> str:
    """Return a figure as an image in the page."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DOTS_PER_INCH)
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}">'


def image_tag(image: np.ndarray, caption: str) -> str:
    """Return an image (H, W, 3) uint8 RGB with a caption, in the page."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)[1].tobytes()
    return (f'<figure><img alt="" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>")
