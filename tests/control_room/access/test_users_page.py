"""The users' page in a real browser: an admin adds, changes and removes people, by keyboard too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_room.access.users_file import change_users, read_users
from tests.control_room.access.house import NAMES, PASSWORD, House, house, wait_for
from tests.control_room.access.test_matrix import OIDC
from tests.control_room.conftest import Tab

NEW = "another long password"


@pytest.fixture
def home(users_file: Path) -> Iterator[House]:
    with house(users_file.parent, journal_file=users_file.parent / "journal.sqlite") as opened:
        yield opened


def enter(home: House, tab: Tab, name: str = NAMES["admin"]) -> Any:
    page = tab.page
    page.goto(f"{home.url}login?next=/users")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#users tr").first.wait_for()
    return page


def row_of(page: Any, name: str) -> Any:
    return page.locator("#users tr", has=page.get_by_role("rowheader", name=name))


def audited(home: House) -> list[tuple[str, str, str]]:
    """Give who did what to whom of users."""
    home.doorkeeper.audited.flush()
    rows = home.journal._database.rows("SELECT who, what, about FROM audit ORDER BY number", ())
    return [row for row in rows if row[1].startswith("user_")]


def test_an_admin_sees_adds_changes_and_removes_users(home: House, tab: Tab) -> None:
    page = enter(home, tab)
    assert [one.split()[0] for one in page.locator("#users th").all_inner_texts()] == [
        "Ada", "Li", "Wall",
    ]  # fmt: skip
    head = page.locator("thead th").all_inner_texts()
    assert head[2] == "Browsers logged in"
    assert row_of(page, "Ada").locator("td").nth(1).inner_text() == "1"
    assert page.locator("#new-role option").all_inner_texts()[0].startswith("viewer")
    page.fill("#new-name", "Wang Fang")
    page.select_option("#new-role", "operator")
    page.fill("#new-password", NEW)
    page.click("#add [type=submit]")
    page.locator("#done", has_text="Wang Fang was added.").wait_for()
    assert page.input_value("#new-password") == ""
    with home.log_in("Wang Fang", NEW):
        pass

    row = row_of(page, "Wang Fang")
    assert row.locator(".role").is_disabled()
    row.locator("select").select_option("admin")
    row.locator(".role").click()
    page.locator("#done", has_text="another role").wait_for()
    assert read_users(home.users).need("Wang Fang").role == "admin"

    row.locator(".password").click()
    page.fill("#ask-password", "short")
    page.click("#ask-yes")
    assert page.locator("#ask").is_visible(), "too short"
    page.fill("#ask-password", PASSWORD)
    tab.shoot("password")
    page.click("#ask-yes")
    page.locator("#done", has_text="another password").wait_for()
    with home.log_in("Wang Fang", PASSWORD) as fang:
        row.locator(".logout").click()
        page.locator("#done", has_text="Wang Fang is logged out.").wait_for()
        assert fang.get("/api/me").json()["role"] is None

    row.locator(".remove").click()
    page.locator("#ask", has_text="Remove Wang Fang?").wait_for()
    page.click("#ask-no")
    assert read_users(home.users).find("Wang Fang") is not None, "asked first"
    row.locator(".remove").click()
    page.click("#ask-yes")
    page.locator("#done", has_text="Wang Fang was removed.").wait_for()
    assert row.count() == 0
    assert read_users(home.users).find("Wang Fang") is None
    tab.shoot("users")
    acts = ("add", "role", "password", "logout", "remove")
    assert audited(home) == [("Ada", f"user_{act}", "Wang Fang") for act in acts]
    assert tab.complaints == []


def test_nobody_locks_themself_out(home: House, tab: Tab) -> None:
    page = enter(home, tab)
    mine = row_of(page, "Ada (you)")
    assert mine.locator("select").is_disabled()
    assert mine.locator(".remove").count() == 0
    assert "Another admin" in mine.inner_text()


def test_what_is_refused_is_told(home: House, tab: Tab) -> None:
    page = enter(home, tab)
    page.fill("#new-name", "Li Wei")
    page.fill("#new-password", NEW)
    page.click("#add [type=submit]")
    page.get_by_role("alert").filter(has_text="is a user already").wait_for()
    assert page.input_value("#new-name") == "Li Wei", "what was typed stays"
    change_users(home.users, lambda users: users.remove("Wall"))
    row_of(page, "Wall").locator(".logout").click()
    page.get_by_role("alert").filter(has_text="no such user any more").wait_for()
    page.click("#lang-zh")
    page.evaluate("() => document.getElementById('new-password').removeAttribute('minlength')")
    for name, password, told in (
        ("Li Wei", NEW, "已是用户"),
        ("?", NEW, "用户名只能由"),
        ("operator", NEW, "日志自用"),
        ("Zhao", "short", "此密码不可用"),
    ):
        page.fill("#new-name", name)
        page.fill("#new-password", password)
        page.click("#add [type=submit]")
        page.get_by_role("alert").filter(has_text=told).wait_for()
    home.users.chmod(0o640)  # whatever ails the file
    page.fill("#new-password", NEW)
    page.click("#add [type=submit]")
    page.get_by_role("alert").filter(has_text="原因见控制室日志").wait_for()


def test_names_are_only_text(users_file: Path, tab: Tab) -> None:
    with house(users_file.parent, oidc=OIDC) as home:
        evil = "<img src=x onerror=document.title=7>"
        home.doorkeeper.sessions.start(evil, "viewer", "oidc", "")
        page = enter(home, tab)
        page.get_by_role("rowheader", name=f"{evil} (company's account)").wait_for()
        assert page.locator("#users img").count() == 0
        assert page.title() == "Users – Lamproom"
        tab.page.set_viewport_size({"width": 390, "height": 800})
        tab.shoot("phone")


def test_all_of_it_by_keyboard_and_in_chinese(home: House, tab: Tab) -> None:
    page = enter(home, tab)
    page.locator("#lang-zh").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="用户", exact=True).wait_for()
    assert page.evaluate("() => document.documentElement.lang") == "zh-CN"
    words = page.evaluate(
        "() => [...document.querySelectorAll('[data-word]')].map((e) => e.innerText)"
    )
    assert all(any("\u4e00" <= sign <= "\u9fff" for sign in word) for word in words if word)
    row_of(page, "Wall").locator("select").focus()
    page.keyboard.press("ArrowDown")
    assert read_users(home.users).need("Wall").role == "viewer", "choosing alone changes nothing"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#done", has_text="已更改 Wall 的角色").wait_for()
    assert read_users(home.users).need("Wall").role == "operator"
    page.locator("#users .remove").last.focus()
    page.keyboard.press("Enter")
    page.locator("#ask[open]").wait_for()
    page.keyboard.press("Enter")
    page.locator("#ask[open]").wait_for(state="hidden")
    assert read_users(home.users).find("Wall") is not None, "Enter alone removes nobody"
    page.keyboard.press("Enter")
    page.locator("#ask[open]").wait_for()
    page.keyboard.press("Escape")
    page.locator("#ask[open]").wait_for(state="hidden")
    page.keyboard.press("Enter")
    page.locator("#ask[open]").wait_for()
    page.locator("#ask-yes").focus()
    page.keyboard.press("Enter")
    page.locator("#done", has_text="已删除 Wall").wait_for()
    assert read_users(home.users).find("Wall") is None
    tab.shoot("chinese")
    assert tab.complaints == []


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_others_are_led_to_no_such_page(home: House, tab: Tab, role: Any) -> None:
    page = tab.page
    page.goto(f"{home.url}login")
    page.get_by_label("Name").fill(NAMES[role])
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#me .logout").wait_for()
    assert page.locator("#me .users").is_hidden()
    answer = page.goto(f"{home.url}users")
    assert answer.status == 403
    assert page.locator("#users").count() == 0


def test_an_admin_is_led_there_from_the_page_and_back(home: House, tab: Tab) -> None:
    page = enter(home, tab)
    page.get_by_role("link", name="To the control room").click()
    page.locator("#me .users").click()
    page.wait_for_url("**/users")
    page.locator("#users tr").first.wait_for()
    home.doorkeeper.sessions.end([one.key for one in home.doorkeeper.sessions.all()])
    page.locator("#users .logout").first.click()
    page.wait_for_url("**/login?next=*users*")
    assert wait_for(lambda: "password" in page.content().lower())
