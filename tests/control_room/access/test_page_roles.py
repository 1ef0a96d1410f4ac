"""The page in a real browser, as each role sees it, and when a login ends."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_room.access.sessions import ACT_S
from control_room.access.users_file import change_users
from tests.control_room.access.house import NAMES, PASSWORD, House, house
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import alarm

ACTS = ("acknowledge", "shelve", "unshelve", "end")


@pytest.fixture
def home(users_file: Path) -> Iterator[House]:
    with house(users_file.parent, video=True) as opened:
        opened.gateway.say(alarm(at_ns=time.time_ns()))
        yield opened


def enter(home: House, tab: Tab, name: str) -> Any:
    page = tab.page
    page.goto(f"{home.url}login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.lamproom && lamproom.connected && lamproom.role")
    return page


def acts_offered(page: Any) -> list[str]:
    page.locator("#details .close").wait_for()
    names = [one.get_attribute("class") for one in page.locator("#details .actions button").all()]
    return [name for name in names if name in ACTS]


def test_a_viewer_is_offered_no_act(home: House, tab: Tab) -> None:
    page = enter(home, tab, NAMES["viewer"])
    page.click("#alarms .alarm")
    assert acts_offered(page) == []
    assert page.locator("#details .form").is_hidden()
    assert page.locator("#details .log-in-again").is_hidden(), "it would not help"
    page.keyboard.press("a")
    page.click("#past > summary")
    assert page.locator("#copy-alarms").is_hidden()
    tab.shoot("viewer")
    assert tab.complaints == []


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_who_may_act_is_offered_it_under_the_own_name(home: House, tab: Tab, role: Any) -> None:
    page = enter(home, tab, NAMES[role])
    page.click("#alarms .alarm")
    assert acts_offered(page) == ["acknowledge", "shelve", "end"]
    assert page.locator("#details .who").is_hidden(), "the login says who acts"
    assert page.locator("#details .reason").is_visible()
    page.click("#details .acknowledge")
    page.locator("#details dd", has_text=f"acknowledged by {NAMES[role]}").wait_for()
    assert tab.complaints == []


def test_after_the_shift_the_page_goes_on_and_asks_for_a_login_to_act(
    home: House, tab: Tab
) -> None:
    page = enter(home, tab, NAMES["operator"])
    page.click("#alarms .alarm")
    assert "acknowledge" in acts_offered(page)
    home.clock.ahead_s += ACT_S + 1
    page.click("#details .acknowledge")  # the page does not know yet
    page.locator("#details .log-in-again").wait_for()
    assert acts_offered(page) == []
    assert "log in again to act" in page.locator("#details .trouble").inner_text()
    page.click("#lang-zh")
    page.get_by_role("link", name="请重新登录后再操作").wait_for()
    page.click("#lang-en")
    tab.shoot("shift-is-over")
    drawn = page.evaluate("() => lamproom.framesDrawn")
    page.wait_for_function(f"() => lamproom.framesDrawn > {drawn} + 3")  # it goes on
    page.get_by_role("link", name="Log in again to act").click()
    page.get_by_label("Name").fill(NAMES["operator"])
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(home.url)
    page.click("#alarms .alarm")
    page.locator("#details .acknowledge").wait_for()


def test_an_open_page_learns_by_itself_that_the_shift_is_over(home: House, tab: Tab) -> None:
    page = enter(home, tab, NAMES["operator"])
    page.click("#alarms .alarm")
    assert "acknowledge" in acts_offered(page)
    home.clock.ahead_s += ACT_S + 1
    page.locator("#details .log-in-again").wait_for()
    assert page.evaluate("() => lamproom.connected"), "looking goes on"


@pytest.mark.parametrize("how", ["removed", "another password"])
def test_who_is_shown_out_is_led_to_the_login(home: House, tab: Tab, how: str) -> None:
    # Without asking now and then, as it does anyway: it asks when the line is closed.
    tab.page.add_init_script(
        "const often = setInterval;"
        "window.setInterval = (what, ms) => (ms < 10000 ? often(what, ms) : 0);"
    )
    page = enter(home, tab, NAMES["operator"])
    page.goto(f"{home.url}?wall=2")
    page.wait_for_function("() => window.lamproom && lamproom.connected")
    name = NAMES["operator"]
    if how == "removed":
        change_users(home.users, lambda users: users.remove(name))
    else:
        change_users(home.users, lambda users: users.log_out(name))
    page.wait_for_url("**/login?next=*")
    assert page.url == f"{home.url}login?next=%2F%3Fwall%3D2"
    page.get_by_label("Password").wait_for()


def test_a_server_that_is_away_sends_nobody_to_a_login(users_file: Path, tab: Tab) -> None:
    with house(users_file.parent, video=True) as home:
        page = enter(home, tab, NAMES["viewer"])
        url, port = home.url, int(home.url.split(":")[-1].strip("/"))
    page.locator(".banner.lost").wait_for()
    page.wait_for_timeout(1500)  # it has asked at least once who looks
    assert page.url == url
    with house(users_file.parent, video=True, port=port):
        page.wait_for_function("() => lamproom.connected")
        assert page.url == url, "a restart logs nobody out"


def test_logging_out_leads_to_the_login(home: House, tab: Tab) -> None:
    page = enter(home, tab, NAMES["operator"])
    page.click("#me .logout")
    page.get_by_label("Password").wait_for()
    page.wait_for_load_state("networkidle")  # the page that was left may lead here once more
    page.goto(home.url)
    assert page.url == f"{home.url}login?next=/"


def test_a_long_count_moves_nothing_out_of_the_first_line(home: House, tab: Tab) -> None:
    home.gateway.unplaced = 3
    tab.page.set_viewport_size({"width": 1600, "height": 900})
    page = enter(home, tab, NAMES["operator"])
    page.locator("#count", has_text="3").wait_for()
    page.set_viewport_size({"width": 1280, "height": 900})
    middles = page.evaluate(
        """() => [...document.querySelectorAll("header > :not([hidden])")].map((part) => {
             const { top, height, right } = part.getBoundingClientRect();
             return [part.id || part.tagName, top + height / 2, right]; })"""
    )
    tab.shoot("header")
    assert max(y for _, y, _ in middles) - min(y for _, y, _ in middles) < 2, middles
    assert max(right for *_, right in middles) <= 1280
