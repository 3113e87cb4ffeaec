"""From the report's parts to one HTML file that needs nothing else and asks for nothing.

The page carries a content security policy that forbids every request: pictures come as data URIs, and the only
script that may run is the one whose hash the policy names. Names of classes and files come from strangers; Jinja
escapes them, JSON is written so that it cannot end its element, and the script uses text only, never markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from glyphlab import __version__
from glyphlab.evaluation.report.words import counted, share

GENERATOR = "Glyphlab report"
_SCRIPTS = ("pictures.js", "viewer.js", "matrix.js", "gallery.js", "tables.js", "map.js")


def render(content: dict[str, Any], data: dict[str, Any], atlas_css: str) -> bytes:
    """The whole page as UTF-8. content: what the templates show; data: what the script needs; both JSON-like."""
    script = "\n".join(_static(name) for name in _SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            **content,
            generator=f"{GENERATOR} {__version__}",
            policy=policy,
            style=Markup(f"{_static('report.css')}\n{atlas_css}"),
            script=Markup(script),
            data=Markup(json_for_page(data)),
        )
    )
    # Paths that are not valid UTF-8 reach Python with surrogates in them; they are written escaped, not refused.
    return page.encode("utf-8", errors="backslashreplace")


def json_for_page(value: Any) -> str:
    """JSON that cannot end the <script> element it stands in, whatever strings it holds."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def is_report(start: bytes) -> bool:
    """Whether a file that starts like this was written by `render`."""
    return f'<meta name="generator" content="{GENERATOR} '.encode() in start


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("glyphlab.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["share"] = share
    environment.filters["counted"] = counted
    environment.filters["thousands"] = "{:,}".format
    return environment


def _static(name: str) -> str:
    """A file of the `static` folder."""
    return resources.files("glyphlab.evaluation.report").joinpath("static", name).read_text(encoding="utf-8")
