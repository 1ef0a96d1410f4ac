"""Past alarms and what was done with them, over HTTP."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from control_room.lifecycle import wish_of
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm
from tests.control_room.page_stage import Stage, staged


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def test_past_alarms_come_newest_first_and_as_many_as_asked_for(stage: Stage) -> None:
    at_ns = time.time_ns()
    for i in range(5):
        stage.gateway.say(alarm(f"a{i}", at_ns=at_ns + i, track=i))
    found = httpx.get(f"{stage.url}api/alarms/history?limit=3").json()
    assert [one["anomaly"]["id"] for one in found] == ["a4", "a3", "a2"]
    assert found[0]["phase"] == "unacknowledged"
    assert len(httpx.get(f"{stage.url}api/alarms/history").json()) == 5


def test_a_past_alarm_tells_where_and_why_it_was_raised(stage: Stage) -> None:
    at_ns = time.time_ns()
    told: list[dict[str, Any]] = []
    stage.room.join(lambda about, text: told.append(json.loads(text)) if about == "alarm" else None)
    stage.gateway.say(alarm("a", at_ns=at_ns))
    over = {"xyz_m": (5.0, 0.0, 0.0), "probability": 0.0, "evidence": "up again"}
    stage.gateway.say(alarm("a", at_ns=at_ns + 9, raised_at_ns=at_ns, state="cleared", **over))
    raised = {
        "xyz_m": [29.5, -1.0, 0.0],
        "probability": 0.97,
        "certainty": "certainly",
        "evidence": "0.4 m high for 3.2 s; the limit is 1.0 m for 3 s",
        "captured_at_ns": at_ns,
    }
    [one] = httpx.get(f"{stage.url}api/alarms/history").json()
    assert (one["anomaly"]["evidence"], one["raised"]) == ("up again", raised)
    assert [said["raised"] for said in told] == [raised, raised], "over the WebSocket, too"


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "1e3", "", "\u0661", "9" * 5000])
def test_a_limit_that_is_none_is_refused(stage: Stage, limit: str) -> None:
    answer = httpx.get(f"{stage.url}api/alarms/history", params={"limit": limit})
    assert answer.status_code == 400
    assert "limit: give a whole number" in answer.text


def test_acts_are_told_in_their_order(stage: Stage) -> None:
    stage.gateway.say(alarm("a", at_ns=time.time_ns()))
    what = {"site": SITE, "gateway": GATEWAY, "id": "a"}
    stage.room.do(wish_of("acknowledge", {**what, "by": "Li Wei"}))
    stage.room.do(wish_of("shelve", {**what, "by": "Li Wei", "reason": "drill", "minutes": 5}))
    stage.gateway.say(alarm("b", at_ns=time.time_ns()))
    stage.room.do(wish_of("acknowledge", {**what, "id": "b", "by": "Wang Fang"}))
    stage.room.do(wish_of("unshelve", {**what, "by": "Ada"}))
    acts = httpx.get(f"{stage.url}api/alarms/acts", params=what).json()
    assert [(act["action"], act["by"], act["reason"]) for act in acts] == [
        ("acknowledge", "Li Wei", ""),
        ("shelve", "Li Wei", "drill"),
        ("unshelve", "Ada", ""),
    ], "of this alarm alone, as they were done"
    assert acts[1]["until_ns"] > acts[0]["at_ns"]
    nobody = httpx.get(f"{stage.url}api/alarms/acts", params={**what, "id": "unknown"})
    assert (nobody.status_code, nobody.json()) == (200, [])
    for odd in ("a\0", "\0"):
        refused = httpx.get(f"{stage.url}api/alarms/acts", params={**what, "id": odd})
        assert refused.status_code == 400, "PostgreSQL can't even be asked for it"
        assert "no text that can be stored" in refused.text
    nameless = httpx.get(f"{stage.url}api/alarms/acts", params={"site": SITE})
    assert nameless.status_code == 400
