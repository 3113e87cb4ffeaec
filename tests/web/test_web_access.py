"""Who may ask: hosts, origins, token, and the link that opens once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from glyphlab.errors import GlyphlabError
from glyphlab.web.access import Keys, is_loopback

TOKEN = "0123456789abcdef0123"
HEALTH, MODELS = "/api/v1/health", "/api/v1/models"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "127.8.8.8"])
def test_loopback_names_are_ours(client: TestClient, host: str) -> None:
    assert client.get(HEALTH, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.7", "localhost.evil", "a@localhost", "[::1", ""]
)
def test_other_names_are_refused_since_they_may_be_rebound(client: TestClient, host: str) -> None:
    answer = client.get(HEALTH, headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "host"
    assert "--allow-host" in answer.json()["error"]["cure"]


def test_beyond_loopback_addresses_and_named_hosts_are_ours_but_no_other_names(
    serve: Callable[..., TestClient],
) -> None:
    client = serve(host_names=["glyphs.example"], any_address=True)
    found = {
        host: client.get(HEALTH, headers={"Host": host}).status_code
        for host in ("192.168.0.7:8000", "GLYPHS.example", "evil.example")
    }
    assert found == {"192.168.0.7:8000": 200, "GLYPHS.example": 200, "evil.example": 403}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "http://[broken"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
def test_another_sites_page_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    for answer in (client.get(MODELS, headers=headers), client.post("/api/v1/teach", headers=headers, json={})):
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "origin"


def test_the_own_page_and_links_from_elsewhere_are_served(client: TestClient) -> None:
    own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert client.get(MODELS, headers=own).status_code == 200
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get(HEALTH, headers=followed).status_code == 200
    # A form that another site sends is a navigation, too.
    assert client.post("/api/v1/teach", headers=followed, json={}).status_code == 403


def test_with_a_token_only_health_is_open(serve: Callable[..., TestClient]) -> None:
    client = serve(keys=Keys(TOKEN))
    assert client.get(HEALTH).status_code == 200
    refused = client.get(MODELS)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "Open the link" in client.get("/").text
    for wrong in ("Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}"):
        assert client.get(MODELS, headers={"Authorization": wrong}).status_code == 401
    assert client.get(MODELS, headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200


def test_a_link_sets_the_cookie_once_and_the_next_link_is_announced(serve: Callable[..., TestClient]) -> None:
    announced: list[str] = []
    keys = Keys(TOKEN, announced.append)
    client, link = serve(keys=keys), keys.new_link()
    entered = client.get(link, follow_redirects=False)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    cookie = entered.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert TOKEN not in cookie
    assert client.get(MODELS).status_code == 200
    client.cookies.clear()
    assert client.get(link, follow_redirects=False).status_code == 401
    assert len(announced) == 1
    assert client.get(announced[0], follow_redirects=False).status_code == 303


def test_no_link_opens_before_one_was_made(serve: Callable[..., TestClient]) -> None:
    client = serve(keys=Keys(TOKEN))
    for path in ("/enter", "/enter?once=", "/enter?once=x"):
        assert client.get(path, follow_redirects=False).status_code == 401


def test_the_cookie_outlives_a_restart_but_not_another_token() -> None:
    assert Keys(TOKEN).cookie == Keys(TOKEN).cookie != Keys(f"{TOKEN}x").cookie


@pytest.mark.parametrize("token", ["pässwörter-sind-lang", f" {TOKEN} ", f"{TOKEN} {TOKEN}", "\udcff" * 20])
def test_a_token_that_no_header_carries_is_refused(token: str) -> None:
    with pytest.raises(GlyphlabError, match="no header carries unchanged"):
        Keys(token)


def test_a_short_token_is_refused() -> None:
    with pytest.raises(GlyphlabError, match="the token has 5 characters; expected at least 16"):
        Keys("12345")


def test_what_is_loopback() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost")] == [True] * 3
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "example.org")] == [False] * 4


def test_every_answer_carries_the_policy_that_forbids_other_hosts(client: TestClient) -> None:
    for path in ("/", HEALTH, "/nothing", "/api/v1/predict"):
        headers = client.get(path).headers
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
