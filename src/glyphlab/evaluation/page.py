"""What our HTML pages share: one file that needs nothing else and asks for nothing.

A page carries a content security policy that forbids every request: pictures come as data URIs, and the only script
that may run is the one whose hash the policy names. Names of classes and files come from strangers: Jinja escapes them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from glyphlab import __version__
from glyphlab.errors import quoted


def render_page(
    package: str,
    template: str,
    content: dict[str, Any],
    *,
    generator: str,
    style: str,
    script: str,
    filters: dict[str, Callable[..., str]],
) -> bytes:
    """A template of a package's `templates` folder as a whole page, UTF-8.

    generator: what kind of page it is; our version is added. style, script: what stands in its two elements.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"thousands": "{:,}".format, "quoted": quoted, **filters}
    page = environment.get_template(template).render(
        **content,
        generator=f"{generator} {__version__}",
        policy=policy,
        style=Markup(style),
        script=Markup(script),
    )
    # Paths that are not valid UTF-8 reach Python with surrogates in them; they are written escaped, not refused.
    return page.encode("utf-8", errors="backslashreplace")


@cache
def static_text(package: str, name: str) -> str:
    """A file of a package's `static` folder."""
    return resources.files(package).joinpath("static", name).read_text(encoding="utf-8")
