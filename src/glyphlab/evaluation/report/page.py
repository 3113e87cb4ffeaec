"""From the report's parts to one HTML file that needs nothing else and asks for nothing.

Names of classes and files come from strangers: JSON is written so that it cannot end its element, and the script uses
text only, never markup.
"""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from glyphlab.evaluation.page import render_page, static_text
from glyphlab.evaluation.report.words import share
from glyphlab.evaluation.wording import counted

GENERATOR = "Glyphlab report"
_HERE = "glyphlab.evaluation.report"
_SCRIPTS = ("pictures.js", "viewer.js", "matrix.js", "gallery.js", "tables.js", "map.js")


def render(content: dict[str, Any], data: dict[str, Any], atlas_css: str) -> bytes:
    """The whole page as UTF-8. content: what the templates show; data: what the script needs; both JSON-like."""
    return render_page(
        _HERE,
        "report.html.j2",
        content | {"data": Markup(json_for_page(data))},
        generator=GENERATOR,
        style=f"{static_text(_HERE, 'report.css')}\n{atlas_css}",
        script="\n".join(static_text(_HERE, name) for name in _SCRIPTS),
        filters={"share": share, "counted": counted},
    )


def json_for_page(value: Any) -> str:
    """JSON that cannot end the <script> element it stands in, whatever strings it holds."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def is_report(start: bytes) -> bool:
    """Whether a file that starts like this was written by `render`."""
    return f'<meta name="generator" content="{GENERATOR} '.encode() in start
