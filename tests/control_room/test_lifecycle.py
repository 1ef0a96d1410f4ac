from typing import Any

import pytest

from control_room.lifecycle import (
    LIFE_SHELF_MAX_MIN,
    MAX_REASON,
    SHELF_MAX_MIN,
    Act,
    BadWish,
    Entry,
    Key,
    NotNow,
    Phase,
    act_of,
    is_shelved,
    phase_of,
    shelf_max_min,
    wish_of,
)
from tests.control_room.fake_gateway import alarm

MIN_NS = 60_000_000_000
NOW_NS = 1_790_000_000_000_000_000
KEY = Key(site="roadway", gateway="gw1", alarm="man_down-3")
SAID = {"site": "roadway", "gateway": "gw1", "id": "man_down-3"}
SEEN = Act(action="acknowledge", by="Li Wei", reason="", at_ns=NOW_NS)
SHELVED = Act(
    action="shelve",
    by="Li Wei",
    reason="pump repair",
    at_ns=NOW_NS,
    until_ns=NOW_NS + 15 * MIN_NS,
)


def entry(kind: str = "man_down", state: str = "active", **more: Any) -> Entry:
    severity = more.pop("severity", "critical")
    said = alarm(at_ns=NOW_NS, kind=kind, state=state, severity=severity)
    return Entry(key=KEY, last=said, stored_at_ns=NOW_NS, **more)


def act(action: str, on: Entry, now_ns: int = NOW_NS, **body: Any) -> Act | None:
    return act_of(wish_of(action, SAID | body), on, now_ns=now_ns)


@pytest.mark.parametrize(
    ("one", "phase"),
    [
        (entry(), "unacknowledged"),
        (entry(acknowledged=SEEN), "acknowledged"),
        (entry(shelved=SHELVED), "shelved"),
        (entry(state="cleared"), "cleared_unacknowledged"),
        (entry(state="cleared", acknowledged=SEEN), "over"),
        (entry("immobile", state="cleared"), "over"),
        (entry("of_tomorrow", state="cleared"), "cleared_unacknowledged"),
        (entry(state="cleared", shelved=SHELVED), "cleared_unacknowledged"),
    ],
)
def test_phases(one: Entry, phase: Phase) -> None:
    assert phase_of(one, NOW_NS + 1) == phase


def test_a_shelf_ends_by_itself_and_at_once_when_the_clock_is_set_back() -> None:
    one = entry(shelved=SHELVED)
    assert is_shelved(one, NOW_NS + 15 * MIN_NS - 1)
    assert not is_shelved(one, NOW_NS + 15 * MIN_NS)
    assert phase_of(one, NOW_NS + 15 * MIN_NS) == "unacknowledged"
    assert not is_shelved(one, NOW_NS - 1)


def test_an_act_tells_who_when_why() -> None:
    body: dict[str, Any] = {"by": " Li  Wei\n", "reason": "pump\trepair", "minutes": 15}
    assert act("shelve", entry(), **body) == SHELVED
    assert act("acknowledge", entry(), by="Li Wei") == SEEN
    unnamed = act("acknowledge", entry())
    assert unnamed is not None
    assert unnamed.by == "operator"


def test_what_is_done_is_not_done_again() -> None:
    done = entry(acknowledged=SEEN, shelved=SHELVED, ending=SEEN)
    assert act("acknowledge", done) is None
    assert act("end", done, reason="x") is None
    assert act("end", entry(state="cleared", ending=SEEN), reason="x") is None
    assert act("unshelve", entry()) is None
    again: dict[str, Any] = {"by": "Li Wei", "reason": "pump repair", "minutes": 15}
    assert act("shelve", done, NOW_NS + MIN_NS, **again) is None
    with pytest.raises(NotNow, match=r"shelved until .* UTC; unshelve it first"):
        act("shelve", done, NOW_NS + MIN_NS, **again | {"minutes": 20})


def test_a_critical_alarm_about_a_person_is_shelved_for_half_an_hour_at_most() -> None:
    life, quiet, system = entry(), entry("immobile", severity="warning"), entry("gateway_silent")
    assert shelf_max_min(life.last) == LIFE_SHELF_MAX_MIN == 30
    assert shelf_max_min(entry("of_tomorrow").last) == LIFE_SHELF_MAX_MIN
    assert shelf_max_min(quiet.last) == shelf_max_min(system.last) == SHELF_MAX_MIN == 480
    assert act("shelve", life, reason="x", minutes=30) is not None
    with pytest.raises(BadWish, match="31 minutes; at most 30"):
        act("shelve", life, reason="x", minutes=31)
    assert act("shelve", quiet, reason="x", minutes=480) is not None
    with pytest.raises(BadWish, match="at most 480"):
        act("shelve", system, reason="x", minutes=480.1)
    with pytest.raises(BadWish, match="at most 480"):
        act("shelve", system, reason="x", minutes=10**400)


def test_only_what_no_camera_can_clear_may_be_ended() -> None:
    for kind in ("man_down", "immobile", "gateway_silent"):
        assert act("end", entry(kind), reason="carried out") is not None
    for kind in ("camera_lost", "of_tomorrow"):
        with pytest.raises(NotNow, match="ends by itself"):
            act("end", entry(kind), reason="x")


def test_what_is_over_is_neither_ended_nor_shelved() -> None:
    with pytest.raises(NotNow, match="over already"):
        act("end", entry(state="cleared"), reason="x")
    with pytest.raises(NotNow, match="only an active alarm"):
        act("shelve", entry(state="cleared"), reason="x", minutes=5)


@pytest.mark.parametrize(
    ("action", "body", "told"),
    [
        ("explode", SAID, "explode: no such act; there are acknowledge, shelve, unshelve, end"),
        ("end", ["site"], "JSON object"),
        ("acknowledge", {"site": "roadway", "gateway": "gw1"}, "id: is missing"),
        ("acknowledge", SAID | {"id": 7}, "id: a text"),
        ("acknowledge", SAID | {"site": "x" * 201}, "site: a text of at most 200"),
        ("acknowledge", SAID | {"by": None}, "by: a text"),
        ("end", SAID, "give a reason"),
        ("end", SAID | {"reason": " \n"}, "give a reason"),
        ("end", SAID | {"reason": "x" * (MAX_REASON + 1)}, "reason: a text of at most 500"),
        ("shelve", SAID | {"minutes": 5}, "give a reason"),
        ("shelve", SAID | {"reason": "x"}, "give minutes"),
        ("shelve", SAID | {"reason": "x", "minutes": 0}, "give minutes"),
        ("shelve", SAID | {"reason": "x", "minutes": "5"}, "give minutes"),
        ("shelve", SAID | {"reason": "x", "minutes": True}, "give minutes"),
        ("shelve", SAID | {"reason": "x", "minutes": float("nan")}, "give minutes"),
    ],
)
def test_a_wrong_request_is_refused_in_a_sentence(action: str, body: object, told: str) -> None:
    with pytest.raises(BadWish, match=told):
        wish_of(action, body)


def test_text_that_can_not_be_stored_or_steers_a_terminal_is_mended() -> None:
    wish = wish_of("end", SAID | {"reason": "a\x1b[2Jb \ud800", "id": "x\ud800"})
    assert wish.reason == "a�[2Jb �"
    assert wish.key.alarm == "x�"
