"""Logging in at a real OpenID provider: everything over HTTP, with real signatures."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from control_room.access.oidc_settings import OidcSettings, read_oidc
from control_room.access.roles import AccessError
from control_room.access.sessions import OIDC_LOOK_S
from control_room.access.users_file import change_users
from tests.control_room.access.house import House, house, wait_for
from tests.control_room.access.openid_provider import CLIENT, SECRET, Provider

pytest.importorskip("joserfc", reason="the extra `oidc` is not installed")


@dataclass(kw_only=True)
class Place:
    home: House
    provider: Provider
    settings: OidcSettings

    def go(self, browser: httpx.Client, next_path: str = "/") -> str:
        """Go to the provider; gives the address that it sends the browser back to."""
        there = browser.get("/login/oidc", params={"next": next_path})
        assert there.status_code == 303, there.text
        answer = httpx.get(there.headers["location"])
        assert answer.status_code == 302, answer.text
        back: str = answer.headers["location"]
        return back

    def log_in(self, browser: httpx.Client, next_path: str = "/") -> httpx.Response:
        return browser.get(self.go(browser, next_path))

    def is_in(self, browser: httpx.Client) -> bool:
        return browser.get("/api/me").json()["role"] is not None


def settings_file(folder: Path, provider: str, url: str, **more: Any) -> Path:
    (folder / "secret").write_text(SECRET + "\n")
    said = {
        "issuer": provider,
        "client_id": CLIENT,
        "client_secret_file": "secret",
        "redirect_url": f"{url}login/oidc/back",
        "roles": {"dispatch": "operator", "everybody": "viewer", "it": "admin"},
    }
    file = folder / "oidc.yaml"
    file.write_text(yaml.safe_dump(said | more))
    return file


@pytest.fixture
def place(users_file: Path) -> Iterator[Place]:
    folder = users_file.parent
    with Provider() as provider:
        settings = read_oidc(settings_file(folder, provider.issuer, "http://127.0.0.1:1/"))
        with house(folder, oidc=settings) as home:
            # The port is known only now; the provider sends browsers back where it is told.
            object.__setattr__(settings, "redirect_url", f"{home.url}login/oidc/back")
            yield Place(home=home, provider=provider, settings=settings)


def test_a_group_at_the_provider_is_a_role_here(place: Place) -> None:
    with place.home.client() as browser:
        answer = place.log_in(browser, "/?site=a&b")
        assert answer.status_code == 200
        assert '0; url=/?site=a&amp;b"' in answer.text
        cookie = next(one for one in answer.headers.get_list("set-cookie") if "oman" not in one)
        assert "SameSite=strict" in cookie
        me = browser.get("/api/me").json()
        assert (me["name"], me["role"]) == ("Zhang San", "operator")
        assert "Zhang San (operator, OpenID) logged in from 127.0.0.1" in place.home.said


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["everybody", "it", "dispatch"], "admin"),
        ("everybody", "viewer"),
        (["Dispatch", "others"], None),
        ([], None),
        (None, None),
        ({"it": True}, None),
        ([["it"]], None),
    ],
)
def test_the_highest_role_counts_and_without_one_nobody_comes_in(
    place: Place, groups: object, role: str | None
) -> None:
    place.provider.person["groups"] = groups
    with place.home.client() as browser:
        answer = place.log_in(browser)
        if role is None:
            assert answer.status_code == 403
            assert "no role" in answer.text
            assert not place.is_in(browser)
        else:
            assert browser.get("/api/me").json()["role"] == role


def test_signatures_by_elliptic_curves_count_too(place: Place) -> None:
    place.provider.sign = place.provider.es256
    with place.home.client() as browser:
        place.log_in(browser)
        assert place.is_in(browser)


def by_a_stranger(provider: Provider) -> None:
    stranger = Provider()
    stranger.kid = provider.kid
    stranger._server.server_close()
    provider.sign = stranger.rs256


def by_the_public_key(provider: Provider) -> None:
    """The old trick: an HMAC whose secret is the public key."""
    pem = provider.rsa.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    provider.sign = provider.hs256(pem)


def by_the_secret(provider: Provider) -> None:
    provider.sign = provider.hs256(SECRET.encode())


def unsigned(provider: Provider) -> None:
    provider.sign = provider.unsigned


def tampered(provider: Provider) -> None:
    def sign(claims: dict[str, Any]) -> str:
        head, _, signature = provider.rs256(claims).split(".")
        _, other, _ = provider.rs256(claims | {"groups": ["it"]}).split(".")
        return f"{head}.{other}.{signature}"

    provider.sign = sign


def claims(**wrong: Any) -> Callable[[Provider], None]:
    def change(provider: Provider) -> None:
        provider.change = lambda right: {
            key: value for key, value in (right | wrong).items() if value is not None
        }

    return change


NOW_S = int(time.time())
WRONG: dict[str, Callable[[Provider], None]] = {
    "a stranger's key": by_a_stranger,
    "alg none": unsigned,
    "an HMAC with the public key": by_the_public_key,
    "an HMAC with the client's secret": by_the_secret,
    "changed after signing": tampered,
    "wrong issuer": claims(iss="https://login.evil.example"),
    "no issuer": claims(iss=None),
    "wrong audience": claims(aud="another"),
    "several audiences, not made for us": claims(aud=[CLIENT, "another"]),
    "made for another": claims(aud=[CLIENT, "another"], azp="another"),
    "no audience": claims(aud=None),
    "expired": claims(exp=NOW_S - 3600),
    "never expires": claims(exp=None),
    "expires as text": claims(exp="2099-01-01"),
    "from the future": claims(iat=NOW_S + 3600),
    "does not count yet": claims(nbf=NOW_S + 3600),
    "wrong nonce": claims(nonce="another"),
    "no nonce": claims(nonce=None),
    "names nobody": claims(sub=None),
    "no name": claims(name=None),
    "somebody else's name here": claims(name="li  WEI"),
    "a name for acts without a login": claims(name="Operator"),
    "a name of a mile": claims(name="x" * 100),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_token_that_is_wrong_lets_nobody_in(place: Place, wrong: str) -> None:
    WRONG[wrong](place.provider)
    with place.home.client() as browser:
        answer = place.log_in(browser)
        assert answer.status_code == 401, answer.text
        assert not place.is_in(browser)
        assert place.home.doorkeeper.sessions.all() == []
        assert any("OpenID login from 127.0.0.1 refused" in line for line in place.home.said)


def test_a_state_counts_once_and_in_one_browser(place: Place) -> None:
    with place.home.client() as browser, place.home.client() as other:
        back = place.go(browser)
        assert other.get(back).status_code == 401, "another browser: it never began"
        place.go(other)
        assert other.get(place.go(browser)).status_code == 401, "nor with a login of its own"
        there = browser.get("/login/oidc").headers["location"]
        back, again = (httpx.get(there).headers["location"] for _ in range(2))
        cookie = browser.cookies["lamproom-openid"]
        assert browser.get(back).status_code == 200
        browser.post("/logout")
        browser.cookies.set("lamproom-openid", cookie, domain="127.0.0.1", path="/")
        assert browser.get(again).status_code == 401, "replayed, with a code that is still good"
        assert not place.is_in(browser)
        assert not place.is_in(other)


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x", "?code=x&state=x", "?state=&code="])
def test_an_answer_to_nothing_is_refused(place: Place, query: str) -> None:
    with place.home.client() as browser:
        place.go(browser)
        assert browser.get(f"/login/oidc/back{query}").status_code == 401


def test_an_odd_cookie_is_no_mistake_of_ours(place: Place) -> None:
    with place.home.client() as browser:
        back = place.go(browser)
        browser.cookies.clear()
        answer = browser.get(back, headers={b"Cookie": b"lamproom-openid=\xe9; lamproom=\xff"})
        assert answer.status_code == 401


def test_an_answer_of_another_issuer_or_a_refusal_is_refused(place: Place) -> None:
    with place.home.client() as browser:
        place.provider.answer = lambda answer: answer | {"iss": "https://evil.example"}
        assert place.log_in(browser).status_code == 401
        place.provider.answer = lambda answer: {
            "state": answer["state"], "error": "access_denied"
        }  # fmt: skip
        assert place.log_in(browser).status_code == 401
        place.provider.answer = lambda answer: answer | {"code": "another"}
        assert place.log_in(browser).status_code == 502


def test_a_login_that_took_too_long_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.home.client() as browser:
        back = place.go(browser)
        monkeypatch.setattr("control_room.access.openid.PENDING_S", -1.0)
        assert browser.get(back).status_code == 401


def test_new_keys_of_the_provider_are_fetched_and_not_for_ever(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_room.access.openid.KEYS_AGAIN_S", 0.0)
    with place.home.client() as browser:
        place.log_in(browser)
        browser.post("/logout")
        place.provider.rsa = rsa.generate_private_key(65537, 2048)
        place.provider.kid = "second"
        assert place.log_in(browser).status_code == 200
        assert place.is_in(browser)
        monkeypatch.setattr("control_room.access.openid.KEYS_AGAIN_S", 3600.0)
        fetched = place.provider.asked.count("/mine/keys")
        by_a_stranger(place.provider)
        for _ in range(3):
            assert place.log_in(browser).status_code == 401
        assert place.provider.asked.count("/mine/keys") == fetched, "a flood asks nobody"


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://login.evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
    ],
)
def test_a_provider_that_says_odd_things_is_not_used(place: Place, about: dict[str, Any]) -> None:
    place.provider.about = about
    with place.home.client() as browser:
        answer = browser.get("/login/oidc")
        assert answer.status_code == 502
        assert "does not answer" in answer.text
        with place.home.log_in("Li Wei") as local:
            assert place.is_in(local), "passwords here still count"


def test_who_left_is_thrown_out_or_goes_in_a_day(place: Place) -> None:
    with place.home.client() as browser:
        place.log_in(browser)
        assert place.is_in(browser)
        change_users(place.home.users, lambda users: users.log_out("Zhang San"))
        assert wait_for(lambda: not place.is_in(browser))
        place.log_in(browser)
        for _ in range(25):
            assert place.is_in(browser)
            place.home.clock.ahead_s += OIDC_LOOK_S / 25
        assert not place.is_in(browser)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"issuer": "http://login.example"}, "issuer: .*https"),
        ({"redirect_url": "https://mine/"}, "redirect_url: must end in /login/oidc/back"),
        ({"roles": {"it": "root"}}, "roles.it"),
        ({"scopes": ["profile"]}, "scopes: openid must be among"),
        ({"client_secret_file": "none"}, "client_secret_file"),
        ({"clientid": "x"}, "clientid"),
    ],
)
def test_settings_with_mistakes_name_the_field(
    tmp_path: Path, more: dict[str, Any], told: str
) -> None:
    file = settings_file(tmp_path, "https://login.example", "https://mine/", **more)
    with pytest.raises(AccessError, match=f"oidc.yaml: {told}"):
        read_oidc(file)


def test_a_name_may_come_from_another_claim(tmp_path: Path) -> None:
    file = settings_file(tmp_path, "https://login.example", "https://mine/", name_claim="email")
    assert replace(read_oidc(file)).name_claim == "email"
