"""Who may ask: names under which the service answers, pages that may call it, and the token.

A service on 127.0.0.1 is within reach of every web page that its user opens. Three checks keep those out:

  Host     only names that are ours; a stranger's name that was pointed at 127.0.0.1 (DNS rebinding) is refused
  Origin   a request that another site's page makes (CSRF) is refused, whatever its method
  token    beyond loopback everybody needs it: as "Authorization: Bearer TOKEN", or as a cookie, which a link that can
           be opened once sets

Sources: OWASP, "Cross-Site Request Forgery Prevention Cheat Sheet"; W3C, "Fetch Metadata Request Headers".
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable, Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from glyphlab.errors import GlyphlabError
from glyphlab.web.refusals import Refusal, refused

SHORTEST_TOKEN = 16
ENTER = "/enter"
OPEN_TO_ALL = frozenset({"/api/v1/health"})  # a container's health check has no token

_COOKIE = "glyphlab"
_COOKIE_SECONDS = 30 * 24 * 3600
_LINK_SECONDS = 3600
_CLOSED = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Glyphlab</title>"
    "<h1>This Glyphlab is locked</h1><p>Open the link that <code>glyphlab serve</code> printed when it started. "
    "It opens once; each use prints the next one."
)


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Keys:
    """The token, the cookie that stands for it, and links that hand out the cookie once.

    announce: told each new link's path and query. Raises `GlyphlabError` for a token that is too short.
    """

    def __init__(self, token: str, announce: Callable[[str], None] = lambda link: None) -> None:
        if len(token) < SHORTEST_TOKEN:
            raise GlyphlabError(
                f"the token has {len(token)} characters; expected at least {SHORTEST_TOKEN}, as "
                'python -c "import secrets; print(secrets.token_hex())" makes them'
            )
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise GlyphlabError(
                "the token has characters that no header carries unchanged; expected letters, digits and signs of "
                "ASCII, without spaces"
            )
        self._token = token.encode()
        self._announce = announce
        # Derived, so that cookies outlive a restart, and one that leaks does not tell the token.
        self.cookie = hmac.new(self._token, b"glyphlab cookie", hashlib.sha256).hexdigest()
        self._ticket, self._expires = "", 0.0

    def new_link(self) -> str:
        """Path and query of a link that opens once, within an hour; the former one no longer does."""
        self._ticket, self._expires = secrets.token_urlsafe(24), time.monotonic() + _LINK_SECONDS
        return f"{ENTER}?once={self._ticket}"

    def redeem(self, ticket: str) -> bool:
        """Whether a link's ticket is good; it is so once, and then the next link is announced."""
        good = bool(self._ticket) and time.monotonic() < self._expires
        good = hmac.compare_digest(ticket.encode(), self._ticket.encode()) and good
        if good:
            self._announce(self.new_link())
        return good

    def admit(self, headers: Headers) -> bool:
        """Whether a request carries the token or the cookie; compared in constant time."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token):
            return True
        return hmac.compare_digest(_cookie_in(headers).encode(), self.cookie.encode())


class Access:
    """The checks, before anything else is done with a request.

    host_names: under which the service answers, beside this machine's loopback names. any_address: also under any
    address in digits, which cannot be rebound; for services beyond loopback. keys: None: no token is asked for.
    """

    def __init__(
        self, app: ASGIApp, *, host_names: Collection[str] = (), any_address: bool = False, keys: Keys | None = None
    ) -> None:
        self._app, self._keys, self._any_address = app, keys, any_address
        self._names = frozenset(name.lower() for name in host_names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._wrong_host(headers) or _wrong_origin(scope["method"], headers)
        if refusal is not None:
            await refused(refusal)(scope, receive, send)
        elif self._keys is None or scope["path"] in OPEN_TO_ALL:
            await self._app(scope, receive, send)
        elif scope["path"] == ENTER:
            await _enter(self._keys, scope)(scope, receive, send)
        elif self._keys.admit(headers):
            await self._app(scope, receive, send)
        else:
            await _locked(scope)(scope, receive, send)

    def _wrong_host(self, headers: Headers) -> Refusal | None:
        hosts = headers.getlist("host")
        name = _name_in(hosts[0]) if len(hosts) == 1 else None
        if name is not None and (is_loopback(name) or name in self._names or (self._any_address and _is_address(name))):
            return None
        return Refusal(
            403,
            "host",
            "the request names a host under which this service does not answer",
            "use the address that 'glyphlab serve' printed, or start it with --allow-host NAME",
        )


def _wrong_origin(method: str, headers: Headers) -> Refusal | None:
    """Another site's page asks. Programs that are no browsers send none of these headers."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None:
        try:
            foreign = urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
        except ValueError:
            foreign = True
    else:
        visits = method == "GET" and headers.get("sec-fetch-mode") == "navigate"  # a link that somebody followed
        foreign = site in ("cross-site", "same-site") and not visits
    if not foreign:
        return None
    return Refusal(403, "origin", "another site's page asked", "open the page of this service itself")


def _name_in(host: str) -> str | None:
    """The name in a Host header, without port and brackets; None where it is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _cookie_in(headers: Headers) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


def _enter(keys: Keys, scope: Scope) -> Response:
    """The answer to a link: the cookie and the way to the page, or the closed door."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    if scope["method"] != "GET" or not keys.redeem(query.get("once", [""])[0]):
        return HTMLResponse(_CLOSED, 401)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        _COOKIE,
        keys.cookie,
        max_age=_COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=scope.get("scheme") == "https",
    )
    return answer


def _locked(scope: Scope) -> Response:
    if not scope["path"].startswith("/api/"):
        return HTMLResponse(_CLOSED, 401, {"WWW-Authenticate": "Bearer"})
    return refused(
        Refusal(
            401,
            "token",
            "this service asks for its token",
            "send 'Authorization: Bearer TOKEN', or open the link that 'glyphlab serve' printed",
            {"WWW-Authenticate": "Bearer"},
        )
    )
