"""What differs between two runs is found, and nothing else."""

from dataclasses import replace

import pytest

from edge.rerun_compare import (
    Results,
    Watched,
    cameras_unequal,
    compared,
    figures_apart,
    otherwise,
    people_text,
    unequal,
)
from scene.messages import XYZ, Anomaly, Position, Positions

START_NS = 1_790_000_000_000_000_000
S = 1_000_000_000


def alarm(kind: str = "man_down", at_s: float = 5.0, x_m: float = 10.0, **more: object) -> Anomaly:
    at_ns = START_NS + round(at_s * S)
    made = Anomaly(
        id=f"{kind}-1-{at_ns}",
        kind=kind,
        severity="critical",
        state="active",
        captured_at_ns=at_ns,
        raised_at_ns=at_ns,
        probability=0.9,
        certainty="certainly",
        track=1,
        xyz_m=(x_m, 0.0, 0.0),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def cleared(one: Anomaly, at_s: float) -> Anomaly:
    return replace(one, state="cleared", captured_at_ns=START_NS + round(at_s * S))


def results(*alarms: Anomaly, shift_m: float = 0.0, lose: int | None = None) -> Results:
    """Make a run of 10 s with two people who walk, one of them perhaps lost at an instant."""
    made = Results(alarms=list(alarms))
    for number in range(100):
        people: dict[int, XYZ] = {1: (number * 0.1 + shift_m, 0.0, 0.0), 2: (20.0, 1.0, 0.0)}
        if number == lose:
            del people[2]
        made.places[START_NS + number * S // 10] = people
    return made


def test_equal_runs_are_equal_and_less_than_a_millimetre_is_nothing() -> None:
    down = alarm()
    assert unequal(results(down), results(down), from_start=True) == []
    assert unequal(results(), results(shift_m=0.0009), from_start=True) == []


def test_somebody_elsewhere_or_missing_is_found_with_the_first_instant() -> None:
    (line,) = unequal(results(), results(shift_m=0.0011), from_start=True)
    assert "differ at 100 of 100 instants" in line
    assert "0.001 m from where live had them" in line
    (line,) = unequal(results(), results(lose=40), from_start=True)
    assert "differ at 1 of 100 instants" in line
    assert "people [1, 2] became [1]" in line


def test_an_alarm_that_differs_in_any_field_or_is_missing_is_found() -> None:
    down = alarm()
    (line,) = unequal(results(down), results(replace(down, probability=0.8)), from_start=True)
    assert "probability 0.9 became 0.8" in line
    assert len(unequal(results(down), results(), from_start=True)) == 1
    assert len(unequal(results(), results(down), from_start=True)) == 1
    assert len(unequal(results(down, cleared(down, 8)), results(down), from_start=True)) == 1


def test_another_name_posture_or_certainty_is_found() -> None:
    person = Position(
        track=1,
        xyz_m=(1.0, 0.0, 0.0),
        covariance_m2=((0.01, 0.0), (0.0, 0.01)),
        velocity_m_s=(0.0, 0.0),
        height_m=1.7,
        posture="upright",
        certainty="certainly",
        seen_at_ns=START_NS,
        cameras=("cam1",),
    )
    for other in (
        replace(person, worker="Li"),
        replace(person, posture="lying"),
        replace(person, certainty="possibly"),
    ):
        was, now = Results(), Results()
        was.add(Positions(captured_at_ns=START_NS, people=(person,)))
        assert unequal(was, was, from_start=True) == []
        now.add(Positions(captured_at_ns=START_NS, people=(other,)))
        (line,) = unequal(was, now, from_start=True)
        assert "another name, posture or certainty" in line


def test_runs_without_a_common_instant_are_not_equal() -> None:
    assert unequal(results(), Results(), from_start=True)
    late = Results(places={START_NS + 99 * S: {}})
    assert unequal(results(), late, from_start=True)


def test_hardly_any_recorded_instants_are_not_equal() -> None:
    few, again = Results(), results()
    few.places = dict(list(again.places.items())[:9])
    (line,) = unequal(few, again, from_start=True)
    assert "9 of 100 instants are in both" in line
    assert compared(few, again) == 0
    few.places = dict(list(again.places.items())[:10])
    assert unequal(few, again, from_start=True) == []
    assert compared(few, again) == 10


def test_missing_instants_before_the_first_one_count_where_a_run_has_its_start() -> None:
    again = results()
    for at_ns in sorted(again.places)[:60]:
        del again.places[at_ns]
    (line,) = unequal(results(), again, from_start=True)
    assert "60 recorded instants did not come about again" in line
    assert unequal(results(), again, from_start=False) == []


def test_instants_that_did_not_come_about_again_are_told() -> None:
    again = results()
    for at_ns in sorted(again.places)[60:]:
        del again.places[at_ns]
    (line,) = unequal(results(), again, from_start=True)
    assert "40 recorded instants did not come about again" in line


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ([alarm()], [alarm()], []),
        ([alarm()], [], ["lost:    man_down at x 10.0"]),
        ([], [alarm()], ["gained:  man_down at x 10.0"]),
        ([alarm(at_s=5.0)], [alarm(at_s=6.5)], ["raised 1.50 s later"]),
        ([alarm(at_s=5.0)], [alarm(at_s=4.0)], ["raised 1.00 s earlier"]),
        ([alarm(at_s=5.0)], [alarm(at_s=5.04)], []),
        ([alarm(x_m=10.0)], [alarm(x_m=14.0)], ["lost", "gained"]),
        ([alarm("a")], [alarm("b")], []),  # none of ours
        ([alarm()], [alarm(zone="x")], ["lost", "gained"]),
        ([alarm("camera_lost")], [], []),  # of that day's clocks
        ([alarm(at_s=-5.0)], [], []),  # from before
        ([alarm(), cleared(alarm(), 7)], [alarm(), cleared(alarm(), 9)], ["ended 2.00 s later"]),
        ([alarm(), cleared(alarm(), 7)], [alarm()], ["never ended"]),
        ([alarm()], [alarm(), cleared(alarm(), 7)], ["ended, and was not before"]),
    ],
)
def test_which_alarms_would_have_been_different_is_told(
    was: list[Anomaly], now: list[Anomaly], said: list[str]
) -> None:
    lines = otherwise(results(*was), results(*now))
    assert len(lines) == len(said)
    for wanted in said:
        assert any(wanted in line for line in lines), lines


def test_the_nearest_in_time_is_the_same_alarm() -> None:
    was = [alarm(at_s=2.0), alarm(at_s=8.0)]
    lines = otherwise(results(*was), results(alarm(at_s=8.5)))
    assert [line.partition(":")[0] for line in lines] == ["lost", "changed"]
    assert "raised 0.50 s later" in lines[1]


def test_positions_are_summed_up_whatever_numbers_people_have() -> None:
    other = results(shift_m=0.2)
    other.places = {
        at_ns: {track + 7: xyz for track, xyz in people.items()}
        for at_ns, people in other.places.items()
    }
    text = people_text(results().places, other.places)
    assert "200 people in both, 0.100 m apart (median; 95 %: 0.200 m)" in text
    assert "0 recorded only, 0 now only" in text
    far = people_text(results().places, results(shift_m=50.0).places)
    assert "100 people in both" in far
    assert "100 recorded only, 100 now only" in far


WATCHED = Watched(kinds=frozenset({"camera_moved", "camera_dark"}), from_ns=START_NS)


def moved(evidence: str = "camera cam1: turned by 2.31 degrees", **more: object) -> Anomaly:
    more = {"track": None, "xyz_m": None, "camera": "cam1", "evidence": evidence, **more}
    return alarm("camera_moved", **more)  # type: ignore[arg-type]


def test_an_alarm_of_a_camera_must_be_equal_and_is_not_taken_for_another_cameras() -> None:
    assert cameras_unequal(results(moved()), results(moved()), WATCHED) == []
    for other in ([], [moved(id="another")], [moved(at_s=5.001)], [moved(probability=0.5)]):
        assert cameras_unequal(results(moved()), results(*other), WATCHED)
        assert unequal(results(moved()), results(*other), from_start=True) == [], "not of people"
    gained, lost = otherwise(results(moved()), results(moved(camera="cam2")), WATCHED)
    assert (lost[:5], gained[:7]) == ("lost:", "gained:")
    assert " camera_moved cam1, " in lost and " camera_moved cam2, " in gained


def test_alarms_of_cameras_from_before_or_of_other_kinds_are_not_compared() -> None:
    foreign = [moved(at_s=-1.0), replace(moved(), kind="camera_lost")]
    assert cameras_unequal(results(*foreign), results(), WATCHED) == []
    assert otherwise(results(*foreign), results(), WATCHED) == []


def test_figures_and_the_proposals_file_alone_make_no_difference() -> None:
    words = "camera cam1: turned by 2.31 degrees; its positions are not trusted"
    was = results(moved(f"{words}; proposed: /a/rig.proposed.yaml, 16.8 px"))
    for said in (
        f"{words}; nothing is proposed: the disk is full",
        f"{words}; the proposal can't be applied: the disk is full",
        words,
    ):
        assert cameras_unequal(was, results(moved(said)), WATCHED) == []
        assert figures_apart(was, results(moved(said)), WATCHED) == 0
    digit = results(moved(words.replace("2.31", "2.32")))
    assert (cameras_unequal(was, digit, WATCHED), figures_apart(was, digit, WATCHED)) == ([], 1)
    (line,) = cameras_unequal(was, results(moved(words.replace("turned", "shifted"))), WATCHED)
    assert "evidence" in line
