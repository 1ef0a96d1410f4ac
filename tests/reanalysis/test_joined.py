"""Alarms that go over a border of files are one; what the two sides do not agree on is told."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from delivery.recordings.run_record import RunRecord
from edge.reanalysis.archive import Segment
from edge.reanalysis.joined import Done, chains, joined
from edge.steps import ALARM
from scene.messages import Anomaly
from tests.reanalysis.test_archive import RUN

S = 10**9
HOUR = 3600 * S
T0 = 500_000 * HOUR


def alarm(id: str, at_s: float, state: str = "active", **what: Any) -> Anomaly:
    """Make an alarm raised `at_s` after the beginning; `what` may say otherwise."""
    at_ns = T0 + round(at_s * S)
    given: dict[str, Any] = {
        "captured_at_ns": at_ns,
        "raised_at_ns": at_ns,
        "xyz_m": (5.0, 0.0, 0.0),
    } | what
    return Anomaly(
        id=id,
        kind=given.pop("kind", "man_down"),
        severity="critical",
        state="active" if state == "active" else "cleared",
        probability=1.0,
        certainty="certainly",
        **given,
    )


def ended(one: Anomaly, at_s: float) -> Anomaly:
    return replace(one, state="cleared", captured_at_ns=T0 + round(at_s * S))


def done(
    number: int,
    recorded: list[Anomaly],
    again: list[Anomaly],
    *,
    stand: list[Anomaly] | None = None,
    adopted: list[str] | None = None,
    begins: str = "run_in",
    run: RunRecord = RUN,
) -> Done:
    """Make a segment of an hour."""
    from_ns = T0 + number * HOUR

    def told(alarms: list[Anomaly]) -> list[list[Any]]:
        return [[one.captured_at_ns, ALARM.dump_python(one, mode="json")] for one in alarms]

    segment = Segment(
        path=Path(f"{number}.mcap"),
        run=run,
        began_s=from_ns / S,
        size_bytes=1,
        identity=str(number),
        before=(Path(f"{number - 1}.mcap"),) if number else (),
    )
    body = {
        "begins": "start" if number == 0 else begins,
        "recorded_ns": [from_ns, from_ns + HOUR],
        "captured_ns": [from_ns, from_ns + HOUR],
        "recorded": told(recorded),
        "again": told(again),
        "stand": [one for _, one in told(stand or [])],
        "adopted": adopted or [],
    }
    return Done(segment=segment, body=body)


def texts(*segments: Done) -> list[str]:
    (chain,) = chains(segments)
    return [row.change.text.partition(",")[0] for row in joined(chain).rows]


def test_an_alarm_over_a_border_has_the_end_that_the_next_segment_gives_it() -> None:
    down = alarm("man_down-1", 3590)
    over = ended(down, 3700)
    for name in ("man_down-1", "man_down-7"):  # raised in the run-in again, perhaps a bit later
        again = replace(down, id=name, raised_at_ns=down.raised_at_ns + S // 2)
        segments = (
            done(0, [down], [down]),
            done(1, [over], [ended(again, 3700)], stand=[again]),
        )
        assert texts(*segments) == [""], "nothing is different"
        (chain,) = chains(segments)
        assert (joined(chain).borders, joined(chain).apart) == (1, 0)


def test_what_only_the_run_in_raised_is_kept_and_marked() -> None:
    extra = alarm("man_down-9", 3590)
    segments = (done(0, [], []), done(1, [], [ended(extra, 3700)], stand=[extra]))
    (chain,) = chains(segments)
    found = joined(chain)
    (row,) = found.rows
    assert row.change.was is None and row.doubtful
    assert (found.borders, found.apart) == (1, 1)
    assert row.done.segment.path == Path("1.mcap")


def test_what_the_next_segment_does_not_know_ends_at_the_border_and_is_marked() -> None:
    mine = alarm("man_down-9", 3000)
    segments = (done(0, [], [mine]), done(1, [], []))
    (chain,) = chains(segments)
    (row,) = joined(chain).rows
    assert row.doubtful
    assert row.change.now is not None and row.change.now.ended_at_ns == T0 + HOUR


def test_an_alarm_of_live_that_did_not_come_about_again_does_not_come_back_at_a_border() -> None:
    live = alarm("man_down-1", 100)
    segments = (
        done(0, [live], []),  # the other rules raise nothing
        done(1, [ended(live, 3700)], [ended(live, 3605)], stand=[live], adopted=[live.id]),
    )
    assert texts(*segments) == ["lost:    man_down at x 5.0 y 0.0"]
    (chain,) = chains(segments)
    assert joined(chain).apart == 0


def test_what_stood_before_anything_is_no_change() -> None:
    old = alarm("man_down-1", -500)
    assert texts(done(0, [ended(old, 10)], [ended(old, 20)], stand=[old])) == []


def test_places_apart_are_two_alarms() -> None:
    here, there = alarm("a", 3590), alarm("b", 3591, xyz_m=(15.0, 0.0, 0.0))
    (chain,) = chains((done(0, [], [here]), done(1, [], [], stand=[there])))
    assert sum(row.doubtful for row in joined(chain).rows) == 2


def test_a_gap_and_another_gateway_part_chains() -> None:
    first, second, fourth = done(0, [], []), done(1, [], []), done(3, [], [])
    other = done(0, [], [], run=replace(RUN, gateway="gw2"))
    assert [len(one) for one in chains([first, second, fourth, other])] == [2, 1, 1]
    # Started anew within two minutes it goes on, and alarms carry on by their ids.
    assert [len(one) for one in chains([first, done(1, [], [], begins="start")])] == [2]
