"""The login page in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control_room.access.house import PASSWORD, House, house
from tests.control_room.conftest import Tab


@pytest.fixture
def home(users_file: Path) -> Iterator[House]:
    with house(users_file.parent, video=True) as opened:
        yield opened


def test_a_dispatcher_logs_in_by_keyboard_and_comes_back_to_the_page(home: House, tab: Tab) -> None:
    page = tab.page
    page.goto(f"{home.url}?from=login")
    assert "/login?next=" in page.url
    assert page.evaluate("() => document.activeElement.id") == "name", "one may type at once"
    page.keyboard.type("Li Wei")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    tab.shoot("form")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{home.url}?from=login")
    page.wait_for_function("() => window.lamproom && lamproom.connected")
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    assert page.evaluate("() => document.cookie") == "", "scripts can't read it"
    page.goto(f"{home.url}login")
    page.wait_for_url(home.url)
    assert tab.complaints == []


def test_what_is_wrong_is_said_and_heard(home: House, tab: Tab) -> None:
    page = tab.page
    page.goto(f"{home.url}login")
    page.get_by_label("Name").fill("Li Wei")
    page.get_by_label("Password").fill("a wrong password")
    page.get_by_role("button", name="Log in").click()
    assert page.get_by_role("alert").inner_text() == "Name or password is wrong."
    assert page.get_by_label("Name").get_attribute("aria-describedby") == "problem"
    assert page.get_by_label("Name").input_value() == "Li Wei"
    assert page.evaluate("() => document.activeElement.id") == "password", "type it again at once"
    page.get_by_label("Name").fill('"><i id=evil>$next')
    page.get_by_label("Password").fill("a wrong password")
    page.get_by_role("button", name="Log in").click()
    assert page.get_by_role("alert").inner_text() == "Name or password is wrong."
    assert page.get_by_label("Name").input_value() == '"><i id=evil>$next'
    assert page.locator("#evil").count() == 0
    tab.shoot("wrong")
    unauthorized = [text for text in tab.complaints if "401" in text]
    assert tab.complaints == unauthorized, "Chromium says itself that the answer was 401"


def test_the_page_speaks_chinese_and_remembers(home: House, tab: Tab) -> None:
    page = tab.page
    page.goto(f"{home.url}login?next=/")
    page.get_by_role("link", name="中文").click()
    page.get_by_label("用户名").wait_for()
    assert page.evaluate("() => document.documentElement.lang") == "zh-CN"
    page.wait_for_function("() => localStorage.getItem('lamproom.language') === 'zh'")
    page.goto(f"{home.url}login")
    page.get_by_label("用户名").wait_for()
    page.get_by_label("用户名").fill("Li Wei")
    page.get_by_label("密码").fill("a wrong password")
    tab.shoot("chinese")
    page.get_by_role("button", name="登录").click()
    page.get_by_text("用户名或密码错误").wait_for()
    page.get_by_label("用户名").fill("Li Wei")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(home.url)
    page.wait_for_function("() => document.documentElement.lang === 'zh-CN'")


def test_without_scripts_it_works_as_well(home: House, tab: Tab) -> None:
    page = tab.page
    page.route("**/*.js", lambda route: route.abort())
    page.goto(f"{home.url}login")
    page.get_by_label("Name").fill("Li Wei")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(home.url)
