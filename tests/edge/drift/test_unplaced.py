"""A camera of which nobody can say how it hangs: people before it are said to be not placed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.drift.unplaced import NOT_PLACED, NOT_PLACED_ZH, bodies, unplaced
from edge.health import HealthReport
from scene.messages import KINDS, CameraHealth, Detections
from tests.edge.knock_day import Day, covered
from tests.stitching.knocks import turn

AT_NS = 1_700_000_000_000_000_000
AWAY, BY = turn(80.0, (0, 1, 0)), turn(1.4, (0.3, 1.0, -0.4))
ONE, OTHER = (100.0, 100.0, 140.0, 220.0), (300.0, 90.0, 345.0, 230.0)


def found(*boxes: tuple[str, tuple[float, float, float, float]], at_ns: int = AT_NS) -> Detections:
    return Detections(
        camera="cam2",
        captured_at_ns=at_ns,
        boxes_px=np.array([box for _, box in boxes]).reshape(-1, 4),
        scores=np.linspace(0.9, 0.5, len(boxes)),
        kinds=np.array([KINDS.index(kind) for kind, _ in boxes], dtype=np.int64),
    )


def heartbeat(day: Day, item: Detections | None, filmed_at_ns: int | None) -> CameraHealth:
    """Give what the heartbeat says of cam2, whose newest picture was taken then."""
    ok = CameraHealth(name="cam2", state="ok", fps=2.0, last_frame_at_ns=filmed_at_ns)
    (one,) = day.watch.judged([ok], {} if item is None else {"cam2": item})
    return one


def detail(day: Day, item: Detections | None, filmed_at_ns: int | None) -> str:
    return heartbeat(day, item, filmed_at_ns).detail


def test_people_are_counted_once_and_helmets_are_no_people() -> None:
    near = (101.0, 102.0, 141.0, 221.0)
    assert bodies(found(("person", ONE), ("helmet", OTHER), ("head", OTHER))) == 1
    assert bodies(found(("person", ONE), ("fallen", near), ("fallen", OTHER))) == 2
    assert bodies(found()) == 0


@pytest.mark.parametrize(
    ("item", "at_ns"),
    [
        (None, AT_NS),
        (found(("person", ONE)), None),
        (found(("person", ONE)), AT_NS + 4_000_000_000),
    ],
    ids=["not searched", "no picture yet", "searched too long ago"],
)
def test_what_is_not_known_is_not_nobody(item: Detections | None, at_ns: int | None) -> None:
    text = unplaced(item, at_ns, lasting=False)
    assert "how many its pictures show is not known" in text
    assert "其画面中的人数未知" in text
    assert "found in its picture" not in text and "检出" not in text


def test_a_camera_turned_away_says_in_both_languages_that_people_are_not_placed_and_how_many(
    tmp_path: Path,
) -> None:
    day = Day(tmp_path)
    report = HealthReport(day.site, day.rig, day.clock)
    day.run(10)
    both = covered(day, report)
    day.knock("cam2", AWAY)
    two = found(("person", ONE), ("fallen", OTHER), at_ns=day.clock.now_ns() + 30_000_000_000)
    for _ in range(60):
        day.run(1, found={"cam2": two})
    (alarm,) = day.alarms
    assert day.watch.untrusted() == {"cam2": None}
    for text in (alarm.evidence, detail(day, two, two.captured_at_ns)):
        assert NOT_PLACED in text and NOT_PLACED_ZH in text
        assert "turned far away" in text
    assert "2 people were found in its picture when this was said" in alarm.evidence
    assert "报告时其画面中检出 2 人" in alarm.evidence
    now = detail(day, found(("person", ONE)), AT_NS)
    assert "1 person was found in its picture just now" in now and "此刻其画面中检出 1 人" in now
    assert "0 people were found" in detail(day, found(), AT_NS)
    assert "is not known" in detail(day, None, AT_NS)
    assert NOT_PLACED not in day.health("cam1").detail
    assert heartbeat(day, found(("person", ONE)), AT_NS).unplaced == 1
    assert heartbeat(day, None, AT_NS).unplaced is None
    assert day.health("cam1").unplaced is None
    assert covered(day, report) < both


def test_an_alarm_that_stands_is_said_anew_when_its_camera_places_nobody_and_people_again(
    tmp_path: Path,
) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.until_alarm()
    day.run(5)
    day.knock("cam2", AWAY)
    day.until_alarm()
    day.run(20)
    day.knock("cam2", AWAY.T)
    day.until_alarm()
    day.run(20)
    first, away, again = day.alarms
    assert [NOT_PLACED in one.evidence for one in day.alarms] == [False, True, False]
    assert "turned by 1.4" in first.evidence and "turned by 1.4" in again.evidence
    for later in (away, again):
        assert (later.id, later.state, later.raised_at_ns) == (
            first.id,
            "active",
            first.raised_at_ns,
        )
    assert first.captured_at_ns < away.captured_at_ns < again.captured_at_ns


def test_one_that_placed_nobody_places_nobody_after_a_restart_until_looks_tell(
    tmp_path: Path,
) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", AWAY)
    day.until_alarm()
    (raised,) = day.alarms
    day.start()
    assert day.watch.adopt(raised)
    for seconds in (0, 0.5, 40):
        day.run(seconds)
        assert day.watch.untrusted() == {"cam2": None}
        assert NOT_PLACED in day.health("cam2").detail
    assert day.alarms == [raised], "nothing new is to be said"
    day.start()
    day.watch.adopt(replace(raised, evidence="camera cam2: turned"))
    assert day.watch.untrusted()["cam2"] is not None
