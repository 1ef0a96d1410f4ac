"""What an alarm's line and details say: about whom, at which site, how sure."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from scene.messages import Anomaly, Positions
from scene.topics import Address
from scene.wire import Envelope
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import FALLEN, GATEWAY, WALKER, alarm
from tests.control_room.page_stage import Stage, staged


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def details(page: Any, id: str) -> dict[str, str]:
    page.locator(f"#alarms button[data-alarm='{id}']:visible").first.click()
    page.locator("#details .close").wait_for()
    found: dict[str, str] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#details dt")]
             .map((name) => [name.textContent, name.nextSibling.textContent]))"""
    )
    return found


def test_a_line_says_whom_it_is_about_also_when_that_person_has_gone(
    stage: Stage, tab: Tab
) -> None:
    at_ns = time.time_ns()
    zone: dict[str, Any] = {"kind": "restricted_zone", "evidence": ""}
    stage.gateway.say(alarm("gone", at_ns=at_ns, track=77, **zone))
    stage.gateway.say(alarm("named", at_ns=at_ns, track=78, worker="Li Wei", **zone))
    stage.gateway.say(alarm("here", at_ns=at_ns, track=WALKER, **zone))
    for state in ("active", "cleared"):
        stage.gateway.say(
            alarm("over", at_ns=at_ns + 1, raised_at_ns=at_ns, track=FALLEN, worker="Zhao",
                  state=state, **zone)
        )  # fmt: skip
    stage.gateway.say(
        alarm("nobody", at_ns=at_ns, kind="camera_lost", severity="warning", camera="c2",
              track=None, zone=None, xyz_m=None)
    )  # fmt: skip
    page = tab.open(stage.url)
    where = {
        one: page.locator(f"#alarms button[data-alarm='{one}'] .where")
        for one in ("gone", "named", "here", "over", "nobody")
    }
    where["nobody"].wait_for()
    assert where["gone"].inner_text().startswith("#77 · at 29.5 m")
    assert where["named"].inner_text().startswith("Li Wei · at ")
    assert where["here"].inner_text().startswith(f"#{WALKER} · at ")
    assert where["nobody"].inner_text() == "Camera c2"
    # Who gets a name while the alarm lasts has it here, too; of one that is over it stays.
    stage.gateway.names = {WALKER: "Wang Fang", FALLEN: "Somebody else"}
    where["here"].filter(has_text="Wang Fang · at ").wait_for()
    assert where["over"].inner_text().startswith("Zhao · at ")
    assert details(page, "here")["Person"] == f"Wang Fang (#{WALKER})"
    assert details(page, "gone")["Person"] == "#77"
    assert tab.complaints == []


def test_a_name_that_was_withdrawn_is_not_kept_by_the_alarm(stage: Stage, tab: Tab) -> None:
    """It may have been the wrong man's."""
    stage.gateway.names = {FALLEN: "Li Wei"}
    stage.gateway.say(alarm(at_ns=time.time_ns(), worker="Li Wei"))
    page = tab.open(stage.url)
    where = page.locator("#alarms button[data-alarm='man_down-3'] .where")
    where.filter(has_text="Li Wei · at ").click()
    person = page.locator("#details dt", has_text="Person").locator("+ dd")
    person.get_by_text("Li Wei (#3)", exact=True).wait_for()
    stage.gateway.names = {}
    where.filter(has_text="#3 · at ").wait_for()
    person.get_by_text("#3", exact=True).wait_for()
    # Who has gone has the last name that the alarm had.
    stage.gateway.change = lambda positions: replace(positions, people=())
    where.filter(has_text="Li Wei · at ").wait_for()
    assert tab.complaints == []


def test_gateways_of_one_name_are_told_apart_as_soon_as_there_are_two_sites(
    stage: Stage, tab: Tab
) -> None:
    at_ns = time.time_ns()
    silent: dict[str, Any] = {
        "kind": "gateway_silent", "track": None, "zone": None, "xyz_m": None,
    }  # fmt: skip
    stage.gateway.say(alarm("ours", at_ns=at_ns, **silent))
    page = tab.open(stage.url)
    ours = page.locator("#alarms button[data-alarm='ours'] .where")
    ours.wait_for()
    assert ours.inner_text() == GATEWAY
    theirs = alarm("theirs", at_ns=at_ns, track=5, worker="Li Wei")
    stage.room.hear(
        Address(prefix="mine", site="north", gateway=GATEWAY, topic="alarm", id="theirs"),
        Envelope(type="alarm", gateway=GATEWAY, seq=1, sent_at_ns=at_ns, body=theirs),
    )
    line = page.locator("#alarms button[data-alarm='theirs'] .where")
    line.filter(has_text=f"· conveyor · north / {GATEWAY}").wait_for()
    ours.get_by_text(f"roadway / {GATEWAY}", exact=True).wait_for()
    assert details(page, "theirs")["Gateway"] == f"north / {GATEWAY}"
    assert tab.complaints == []


def test_severity_and_certainty_are_two_rows_and_a_clearing_is_sure_of_nothing(
    stage: Stage, tab: Tab
) -> None:
    at_ns = time.time_ns()
    stage.gateway.say(alarm(at_ns=at_ns))
    only: dict[str, Any] = {"state": "cleared", "probability": 0.0, "certainty": "possibly"}
    stage.gateway.say(alarm("only-over", at_ns=at_ns, track=8, **only))
    page = tab.open(stage.url)
    told = details(page, "man_down-3")
    assert (told["Severity"], told["How sure"]) == ("Critical", "certainly")
    page.click("#lang-zh")
    page.locator("#details dt", has_text="确定程度").wait_for()
    told = details(page, "man_down-3")
    assert (told["级别"], told["确定程度"]) == ("严重", "确定")
    page.click("#lang-en")
    told = details(page, "only-over")
    assert "How sure" not in told
    assert "possibly" not in told["State"]
    assert "Probability" not in told
    assert tab.complaints == []


def only(track: int, worker: str) -> Any:
    def change(positions: Positions) -> Positions:
        one = replace(positions.people[0], track=track, worker=worker, worker_probability=0.99)
        return replace(positions, people=(one,))

    return change


def test_one_named_man_whom_a_gateway_numbers_anew_is_one_line(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)

    def enters(track: int) -> Anomaly:
        stage.gateway.change = only(track, "Li Wei")
        page.wait_for_function(f"() => lamproom.tags.some((one) => one.track === {track})")
        said = alarm(f"zone-{track}", at_ns=time.time_ns(), kind="restricted_zone", track=track,
                     worker="Li Wei")  # fmt: skip
        stage.gateway.say(said)
        page.locator(f"#alarms button[data-alarm='{said.id}']").first.wait_for(state="attached")
        return said

    enters(31)
    enters(32)
    enters(33)
    page.locator("#alarms button.more", has_text="Show all 3").wait_for()
    assert page.locator("#alarms > li").count() == 1
    assert page.locator("#alarms > li > .alarm .where").inner_text().startswith("Li Wei · at ")
    assert tab.complaints == []


def test_two_men_with_one_name_are_two_lines(stage: Stage, tab: Tab) -> None:
    """One of them has a wrong name, and nobody knows which."""
    stage.gateway.change = lambda positions: replace(
        positions, people=tuple(replace(one, worker="Li Wei") for one in positions.people)
    )
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.tags.filter((one) => one.label).length === 2")
    for track in (WALKER, FALLEN):
        stage.gateway.say(
            alarm(f"zone-{track}", at_ns=time.time_ns(), kind="restricted_zone", track=track,
                  worker="Li Wei")
        )  # fmt: skip
    page.evaluate("async () => { window.model = (await import('/model.js')).model; }")
    page.wait_for_function("() => model.groups.flat().length === 2")
    assert page.evaluate("() => model.groups.length") == 2
    # In the next frame the groups are drawn.
    drawn = "(done) => requestAnimationFrame(() => requestAnimationFrame(done))"
    page.evaluate(f"() => new Promise({drawn})")
    assert page.locator("#alarms > li").count() == 2
    assert tab.complaints == []
