import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.connection import Connection

from control_room.access import gate
from control_room.access.gate import LOGGED_OUT
from control_room.access.sessions import ACT_S, ACT_UNUSED_S, LOOK_UNUSED_S
from control_room.access.users_file import change_users
from control_room.lifecycle import Key
from tests.control_room.access.house import NAMES, PASSWORD, House, house, wait_for
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm

ALARM = {"site": SITE, "gateway": GATEWAY, "id": "man_down-3"}


def hear(connection: Connection, wanted: str) -> dict[str, Any]:
    for _ in range(500):
        said: dict[str, Any] = json.loads(connection.recv(timeout=20))
        if said["is"] == wanted:
            return said
    raise AssertionError(wanted)


def close_code(connection: Connection) -> int | None:
    with pytest.raises(ConnectionClosed) as closed:
        for _ in range(40):  # it speaks twice a second
            connection.recv(timeout=20)
    return closed.value.rcvd.code if closed.value.rcvd else None


def test_the_cookie_is_for_this_page_alone(home: House) -> None:
    with home.client() as browser:
        answer = browser.post(
            "/login", data={"name": "li wei", "password": PASSWORD, "next": "/?a=1"}
        )
        assert (answer.status_code, answer.headers["location"]) == (303, "/?a=1")
        cookies = answer.headers.get_list("set-cookie")
        assert len(cookies) == 2
        for cookie in cookies:
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            assert "Path=/" in cookie
        assert browser.get("/api/me").json()["name"] == "Li Wei"
        token = browser.cookies["lamproom"]
    stored = (home.users.parent / "sessions.sqlite").read_bytes()
    stored += (home.users.parent / "sessions.sqlite-wal").read_bytes()
    assert token.encode() not in stored, "who reads the file can't use it"


@pytest.mark.parametrize(
    "to",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "/login"],
)
def test_a_login_leads_nowhere_else(home: House, to: str) -> None:
    with home.client() as browser:
        answer = browser.post("/login", data={"name": "Ada", "password": PASSWORD, "next": to})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_page_asks_for_the_login_and_comes_back(home: House) -> None:
    with home.client() as browser:
        answer = browser.get("/?site=a&b=c", headers={"accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/login?next=/%3Fsite%3Da%26b%3Dc",
        )
        page = browser.get(answer.headers["location"])
        assert re.search(r'name="next" value="/\?site=a&amp;b=c"', page.text)
        evil = browser.get("/login", params={"next": '/"><script>alert(1)</script>'})
        assert "<script>alert" not in evil.text
        assert "form-action 'self'" in page.headers["content-security-policy"]
        assert "登录" in browser.get("/login?lang=zh").text
        assert 'lang="zh-CN"' in browser.get("/login", headers={"accept-language": "zh-CN"}).text


@pytest.mark.parametrize(
    "name", ["Li Wei", "Nobody", "", "x" * 5000, "\x00", "'; DROP TABLE sessions"]
)
def test_a_wrong_password_and_an_unknown_name_look_alike(home: House, name: str) -> None:
    with home.client() as browser:
        answer = browser.post("/login", data={"name": name, "password": "wrong wrong wrong"})
        assert answer.status_code == (401 if name else 400)
        assert "set-cookie" not in answer.headers
        if name:
            assert "Name or password is wrong." in answer.text


def test_for_an_unknown_name_a_password_is_hashed_too(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from control_room.access import passwords

    hashed, before = list[str](), passwords.fits

    def noted(one: str, password: str) -> bool:
        hashed.append(one)
        return before(one, password)

    monkeypatch.setattr(passwords, "fits", noted)
    with home.client() as browser:
        for name in ("Li Wei", "Nobody"):
            browser.post("/login", data={"name": name, "password": "wrong wrong wrong"})
    known, unknown = hashed
    assert (
        known.split("$")[1:4] == unknown.split("$")[1:4] == ["argon2id", "v=19", "m=19456,t=2,p=1"]
    )


@pytest.mark.parametrize("body", [b"", b"\xff=\xff", b"name", b"&" * 100, b"name=a&" * 50])
def test_a_form_that_is_none_is_refused(home: House, body: bytes) -> None:
    with home.client() as browser:
        assert browser.post("/login", content=body).status_code in (400, 401)


@pytest.mark.parametrize("path", ["/login", "/logout", "/api/alarms/acknowledge", "/api/users/add"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_foreign_pages_do_nothing_in_ones_name(
    home: House, path: str, headers: dict[str, str]
) -> None:
    with home.as_role("admin") as admin:
        form = {"name": "Li Wei", "password": PASSWORD}
        assert admin.post(path, data=form, headers=headers).status_code == 403
        assert admin.get("/api/me").json()["name"] == "Ada", "nor is anybody logged in or out"
        with pytest.raises(Exception, match="403"), home.line(admin, origin="http://evil.example"):
            pass


def test_acts_carry_the_name_of_who_has_logged_in(home: House) -> None:
    home.gateway.say(alarm(at_ns=1))
    with home.as_role("operator") as operator:
        told = operator.post("/api/alarms/acknowledge", json=ALARM | {"by": "Somebody else"})
        assert told.json()["acknowledged_by"] == "Li Wei"
    [act] = home.journal.acts(Key(site=SITE, gateway=GATEWAY, alarm="man_down-3"))
    assert act.by == "Li Wei"


def test_logging_out_closes_open_pages_and_only_ones_own(home: House) -> None:
    with home.as_role("viewer") as wall, home.as_role("operator") as dispatcher:
        with home.line(wall) as walls, home.line(dispatcher) as dispatchers:
            hear(dispatchers, "snapshot")
            assert dispatcher.post("/logout").status_code == 303
            assert close_code(dispatchers) == LOGGED_OUT
            hear(walls, "snapshot")
            hear(walls, "clock")
        assert dispatcher.get("/api/me").json()["role"] is None


@pytest.mark.parametrize("what", ["remove", "role", "password", "logout"])
def test_who_is_removed_or_changed_is_out_at_once(home: House, what: str) -> None:
    changes = {
        "remove": lambda users: users.remove("Li Wei"),
        "role": lambda users: users.change("Li Wei", role="viewer"),
        "password": lambda users: users.change("Li Wei"),
        "logout": lambda users: users.log_out("Li Wei"),
    }
    with (
        home.as_role("operator") as dispatcher,
        home.as_role("viewer") as wall,
        home.line(dispatcher) as line,
        home.line(wall) as other,
    ):
        hear(line, "snapshot")
        change_users(home.users, changes[what])
        assert close_code(line) == LOGGED_OUT
        assert dispatcher.get("/api/me").json()["role"] is None
        hear(other, "snapshot")
        hear(other, "clock")


def test_an_admin_manages_users_from_the_page(home: House) -> None:
    with home.as_role("admin") as admin, home.as_role("operator") as operator:
        listed = {one["name"]: one for one in admin.get("/api/users").json()}
        assert (listed["Li Wei"]["role"], listed["Li Wei"]["sessions"]) == ("operator", 1)
        assert "argon2" not in admin.get("/api/users").text
        new = {"name": "Wang Fang", "role": "viewer", "password": "another long password"}
        assert admin.post("/api/users/add", json=new).status_code == 200
        with home.log_in("Wang Fang", "another long password"):
            pass
        assert admin.post("/api/users/role", json={"name": "Li Wei", "role": "viewer"}).is_success
        assert wait_for(lambda: operator.get("/api/me").json()["role"] is None)
        statuses = {"another admin": 409, "already": 409, "no such user": 404}
        statuses |= {"nobody of that name": 404, "no such thing": 404}
        for action, body, told in (
            ("remove", {"name": "Ada"}, "another admin"),
            ("role", {"name": "Ada", "role": "viewer"}, "another admin"),
            ("add", {"name": "Wang Fang", "role": "viewer", "password": PASSWORD}, "already"),
            ("add", {"name": "Short", "role": "viewer", "password": "short"}, "12 to"),
            ("add", {"name": "Root", "role": "root", "password": PASSWORD}, "role: give"),
            (
                "add",
                {"name": "control  Room", "role": "viewer", "password": PASSWORD},
                "stands for",
            ),
            ("remove", {"name": "Nobody"}, "no such user"),
            ("explode", {"name": "Li Wei"}, "no such thing"),
            ("remove", [], "JSON object"),
            ("remove", {"name": "\ud800"}, "no such user"),
            ("add", {"name": "\ud800", "role": "viewer", "password": PASSWORD}, "letters"),
            ("password", {"name": "Li Wei", "password": "\ud800" * 20}, "no readable text"),
            ("password", {"name": {"a": 1}, "password": 7}, "name: give a text"),
            ("password", {"name": "Ada", "password": ["a" * 20]}, "password: give a text"),
            ("logout", {"name": "Made Up"}, "nobody of that name"),
            ("logout", {"name": "x" * 3000}, "nobody of that name"),
        ):
            answer = admin.post(f"/api/users/{action}", content=json.dumps(body))
            assert answer.status_code == statuses.get(told, 400), told
            assert told in answer.json()["error"]
        assert "made up" not in home.users.read_text()


def test_a_restart_of_the_control_room_logs_nobody_out(home: House) -> None:
    with home.as_role("operator") as dispatcher:
        token = dispatcher.cookies["lamproom"]
        with house(home.users.parent) as after, after.client(cookies={"lamproom": token}) as again:
            assert again.get("/api/me").json()["name"] == "Li Wei"
            change_users(after.users, lambda users: users.remove("Li Wei"))
        with house(home.users.parent) as after, after.client(cookies={"lamproom": token}) as again:
            assert again.get("/api/me").json()["role"] is None, "removed while it was away"


def test_after_a_shift_somebody_looks_on_but_acts_only_after_a_login(home: House) -> None:
    home.gateway.say(alarm(at_ns=1))
    with home.as_role("operator") as dispatcher, home.line(dispatcher) as line:
        hear(line, "snapshot")
        for _ in range(15):  # somebody works
            home.clock.ahead_s += ACT_S / 15
            dispatcher.get("/api/me")
        me = dispatcher.get("/api/me").json()
        assert (me["role"], me["log_in_to_act"]) == ("viewer", True)
        refused = dispatcher.post("/api/alarms/acknowledge", json=ALARM)
        assert (refused.status_code, refused.json()["error"][:19]) == (401, "log in again to act")
        hear(line, "clock")  # nobody's alarms go dark
        assert "Log in again to act." in dispatcher.get("/login").text
        form = {"name": "Li Wei", "password": PASSWORD}
        assert dispatcher.post("/login", data=form).status_code == 303
        assert dispatcher.post("/api/alarms/acknowledge", json=ALARM).status_code == 200


def test_after_a_shift_a_page_that_is_for_acting_asks_for_a_login(home: House) -> None:
    browser = {"accept": "text/html,*/*;q=0.8"}
    with home.as_role("admin") as admin:
        home.clock.ahead_s += ACT_S + 1
        led = admin.get("/users", headers=browser)
        assert (led.status_code, led.headers["location"]) == (303, "/login?next=/users")
        assert "Log in again to act." in admin.get(led.headers["location"]).text
        for answer in (
            admin.get("/users"),
            admin.get("/api/users"),
            admin.post("/api/users/logout", json={"name": "Wall"}, headers=browser),
        ):
            assert answer.status_code == 401, "a program is told"
            assert answer.json()["error"].startswith("log in again to act")
        form = {"name": "Ada", "password": PASSWORD, "next": "/users"}
        assert admin.post("/login", data=form).headers["location"] == "/users"
        assert admin.get("/users", headers=browser).status_code == 200
    with home.as_role("operator") as operator:
        assert operator.get("/users", headers=browser).status_code == 403


def test_a_browser_that_was_closed_for_an_hour_does_not_act(home: House) -> None:
    with home.as_role("operator") as dispatcher:
        home.clock.ahead_s += ACT_UNUSED_S - 60
        assert dispatcher.get("/api/me").json()["role"] == "operator"
        home.clock.ahead_s += ACT_UNUSED_S + 60
        assert dispatcher.get("/api/me").json()["role"] == "viewer"
        assert dispatcher.get("/api/me").json()["role"] == "viewer", "looking does not make it good"
        home.clock.ahead_s += LOOK_UNUSED_S + 60
        assert dispatcher.get("/api/me").json()["role"] is None


def test_a_wall_screen_does_not_go_dark(home: House) -> None:
    with home.client() as wall:
        answer = wall.post("/login", data={"name": NAMES["viewer"], "password": PASSWORD})
        session = answer.headers.get_list("set-cookie")[0]
        assert "Max-Age=34560000" in session, "it outlives the browser"
        with home.line(wall) as line:
            for _ in range(3):
                home.clock.ahead_s += 0.9 * LOOK_UNUSED_S
                assert wait_for(lambda: used_s_ago(home) < 3600)
                hear(line, "clock")
            assert wall.get("/api/me").json()["role"] == "viewer"


def used_s_ago(home: House) -> float:
    return (home.clock.now_ns() - home.doorkeeper.sessions.all()[0].used_ns) / 1e9


def guess(caller: httpx.Client, name: str, times: int, start: int = 0) -> list[int]:
    return [
        caller.post(
            "/login", data={"name": name, "password": f"guess number {start + i}"}
        ).status_code
        for i in range(times)
    ]


def test_guesses_are_slowed_down_and_a_known_browser_is_not(home: House) -> None:
    with home.as_role("operator") as known, home.client() as attacker:
        assert known.post("/logout").status_code == 303
        assert guess(attacker, "Li Wei", 8) == [401] * 5 + [429] * 3
        assert guess(attacker, "nobody", 8) == [401] * 5 + [429] * 3, "looks the same"
        right = {"name": "Li Wei", "password": PASSWORD}
        refused = attacker.post("/login", data=right)
        assert refused.status_code == 429, "nor does the right password tell"
        assert int(refused.headers["retry-after"]) <= 11
        assert "Too many tries" in refused.text
        assert known.post("/login", data=right).status_code == 303, "from the very same address"
        home.clock.ahead_s += 11
        assert attacker.post("/login", data=right).status_code == 303, "nobody is locked out"


def test_a_known_browser_has_its_own_limit_and_only_for_its_user(home: House) -> None:
    with home.as_role("operator") as known:
        assert guess(known, "Li Wei", 12) == [401] * 10 + [429] * 2
        assert guess(known, "Ada", 7) == [401] * 5 + [429] * 2
        change_users(home.users, lambda users: users.log_out("Li Wei"))
        assert wait_for(lambda: known.get("/api/me").json()["role"] is None)
        assert guess(known, "Li Wei", 7) == [401] * 5 + [429] * 2, "a new stamp: unknown again"


def test_a_browser_that_many_have_used_does_not_choke_on_its_cookies(home: House) -> None:
    with home.client() as console:
        for i in range(70):
            console.cookies.set(f"lamproom-known-{i:012x}", "0" * 97, domain="127.0.0.1", path="/")
        form = {"name": "Li Wei", "password": PASSWORD}
        assert console.post("/login", data=form).status_code == 303
        known = [name for name in console.cookies if name.startswith("lamproom-known-")]
        assert len(known) == 41
        assert console.get("/api/me").json()["name"] == "Li Wei"


def test_too_many_acts_are_refused_and_others_are_not(
    users_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "ACTS_BURST", 5)
    with house(users_file.parent) as home:
        act_too_often(home)


def act_too_often(home: House) -> None:
    home.gateway.say(alarm(at_ns=1))
    with home.as_role("operator") as wild, home.as_role("admin") as calm:
        home.clock.stopped_s = home.clock.monotonic_s()
        answers = [wild.post("/api/alarms/acknowledge", json=ALARM) for _ in range(7)]
        assert [one.status_code for one in answers] == [200] * 5 + [429] * 2
        assert answers[-1].headers["retry-after"] == "1"
        assert calm.post("/api/alarms/acknowledge", json=ALARM).status_code == 200


def test_a_users_file_with_mistakes_changes_nothing(home: House) -> None:
    before = home.users.read_text()
    with home.as_role("operator") as dispatcher:
        home.users.write_text("users: [")
        assert wait_for(lambda: any("former users stay" in line for line in home.said))
        assert dispatcher.get("/api/me").json()["role"] == "operator"
        home.users.write_text(before.replace("role: operator", "role: viewer"))
        assert wait_for(lambda: dispatcher.get("/api/me").json()["role"] is None)
    with home.log_in("Li Wei") as viewer:
        assert viewer.get("/api/me").json()["role"] == "viewer"


def test_comings_and_goings_are_told_and_no_password_or_unknown_name(home: House) -> None:
    with home.as_role("operator") as dispatcher, home.client() as other:
        other.post("/login", data={"name": PASSWORD, "password": "typed in the wrong field"})
        dispatcher.post("/logout")
    assert home.said == [
        "Li Wei (operator) logged in from 127.0.0.1",
        "login of somebody unknown from 127.0.0.1 refused: wrong name or password",
        "Li Wei logged out",
    ]
