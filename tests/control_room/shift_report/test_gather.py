"""What a report knows, and what it says that it doesn't: with both databases."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from control_room.journal.conditions import CONDITIONS
from control_room.journal.database import Place, Row, Session, open_database
from control_room.journal.journal import Journal
from control_room.shift_report.gather import MOST_SITES, Gathered, UnknownSiteError, gather
from control_room.shift_report.heads import AT_LEAST, NOBODY_COUNTED, WHOLE
from control_room.shift_report.lacks import MOST_GATEWAYS, lacks_of
from control_room.shift_report.series import UNKNOWN
from control_room.shift_report.span import Span
from control_room.shift_report.told import HeadsTold, Stretch, places, stretches
from tests.control_room.shift_report.shift_journal import (
    HOUR,
    T0,
    S,
    ShiftJournal,
    gateway,
    heads,
    word,
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def shift(place: Place) -> ShiftJournal:
    return ShiftJournal(place)


def report(shift: ShiftJournal, hours: float = 1.0, **changes: Any) -> Gathered:
    span = Span(from_ns=T0, to_ns=T0 + round(hours * HOUR))
    asked: dict[str, Any] = {"site": None, "operators": None, "now_ns": span.to_ns} | changes
    return gather(shift.place, span, **asked)


def minutes(found: Gathered) -> list[str]:
    """Give the state of the count of the only site in each minute, by a letter."""
    [site] = found.sites
    letters = {WHOLE: "w", AT_LEAST: "l", NOBODY_COUNTED: "n", UNKNOWN: "?"}
    each = 60 * S // found.span.bin_ns
    worst = [letters[one] for one in site.whole.states.worst()]
    return worst[::each]


def said(found: Gathered) -> str:
    return "\n".join(english for english, _ in lacks_of(found))


def test_a_count_that_was_never_made_is_no_nought(shift: ShiftJournal) -> None:
    """Counted, nobody there; nobody can be counted; nobody looked: three different things."""
    shift.looks(0, 1200, heads=heads(0, seen=40))
    shift.looks(1200, 2400, heads=heads(0, seen=0))
    found = report(shift)
    [site] = found.sites
    figures = site.whole.figures.most
    third = found.span.bins // 3
    assert set(figures[:third]) == {0}
    assert set(figures[third:]) == {None}, "neither of the other two is a figure"
    assert minutes(found) == ["w"] * 20 + ["n"] * 20 + ["?"] * 20
    assert site.whole.counted_ns() == 1200 * S
    assert "roadway: for 20 min 00 s no metre of roadway was seen" in said(found)
    assert "roadway: for 20 min 00 s there is no head-count" in said(found)


def test_a_count_with_blind_roadway_is_at_least(shift: ShiftJournal) -> None:
    shift.looks(0, 3600, heads=heads(5, seen=37))
    found = report(shift)
    [site] = found.sites
    assert minutes(found) == ["l"] * 60
    assert (site.whole.figures.most[7], site.whole.figures.least[7]) == (5, 4)
    [unseen] = site.unseen()
    assert (unseen.from_m, unseen.to_m, unseen.held_ns) == (0, 3, HOUR)
    assert site.seen_share() == pytest.approx(37 / 40)


def test_zones_have_a_count_of_their_own_and_one_that_nobody_sees_has_none(
    shift: ShiftJournal,
) -> None:
    areas = [["face", 2, 1, 5, 5], ["belt", 0, 0, 0, 4], ["face", 1, 1, 2, 2], [None, 1, 1, 0, 0]]
    shift.looks(0, 3600, heads=heads(4, areas=areas))
    [site] = report(shift).sites
    shown = [*site.shown_areas()]
    assert [one.name for one in shown] == ["belt", "face", None]
    belt, face, outside = shown
    assert (face.figures.top(), face.figures.least[3]) == (3, 2)
    assert set(face.states.worst()) == {WHOLE}
    assert set(belt.states.worst()) == {NOBODY_COUNTED}
    assert (belt.mean(), belt.figures.most[3]) == (None, None)
    assert set(outside.states.worst()) == {AT_LEAST}


def test_a_zone_that_was_not_there_all_the_time_is_not_known_before(shift: ShiftJournal) -> None:
    shift.looks(0, 1800, heads=heads(areas=[]))
    shift.looks(1800, 3600, heads=heads(areas=[["new", 1, 1, 2, 2]]))
    [site] = report(shift).sites
    worst = site.areas["new"].states.worst()
    half = len(worst) // 2
    assert set(worst[: half - 1]) == {UNKNOWN}
    assert set(worst[half:]) == {WHOLE}


def test_a_control_room_that_was_down_is_said_and_its_time_is_not_known(
    shift: ShiftJournal,
) -> None:
    told: dict[str, Any] = {"heads": heads(), "gateways": {"gw1": gateway()}}
    shift.looks(0, 1200, **told)
    shift.looks(1800, 3600, **told)
    found = report(shift)
    assert found.room.unknown.held_ns == 600 * S
    assert "The control room did not run, or wrote nothing down: 10 min 00 s" in said(found)
    assert minutes(found) == ["l"] * 20 + ["?"] * 10 + ["l"] * 30
    lane = found.watched.lanes["roadway", "gw1", "c1"]
    assert lane.states.worst().count(UNKNOWN) * found.span.bin_ns == 600 * S
    assert (lane.wrong_ns(), lane.states.unknown_ns()) == (0, 600 * S)


def test_a_quick_restart_is_no_gap(shift: ShiftJournal) -> None:
    shift.looks(0, 1200, heads=heads())
    shift.looks(1210, 3600, heads=heads())
    found = report(shift)
    assert not found.room.unknown.times
    assert minutes(found) == ["l"] * 60


def test_a_broker_that_was_away_is_said(shift: ShiftJournal) -> None:
    shift.looks(0, 1800)
    shift.looks(1800, 2400, room={"broker": False})
    shift.looks(2400, 3600, room={"trouble": "the disk is full"})
    text = said(report(shift))
    assert "no MQTT broker and heard no gateway: 10 min 00 s" in text
    assert "could not be written or read: 20 min 00 s" in text
    assert "the disk is full" in text


def test_outages_are_told_camera_by_camera(shift: ShiftJournal) -> None:
    for from_s, to_s, c2 in ((0, 600, "ok"), (600, 1200, "lost"), (1200, 1500, "ok")):
        shift.looks(from_s, to_s, gateways={"gw1": gateway({"c1": "ok", "c2": c2})})
    shift.looks(1500, 1503, gateways={"gw1": gateway({"c1": "ok", "c2": "dark"})}, every_s=1)
    shift.looks(1503, 3600, gateways={"gw1": gateway({"c1": "ok", "c2": "a new word"})})
    found = report(shift)
    lane = found.watched.lanes["roadway", "gw1", "c2"]
    held = lane.states.held_ns
    assert (held["lost"], held["dark"], held["other"]) == (600 * S, 3 * S, 2097 * S)
    assert lane.wrong_times() == 3
    assert lane.longest_wrong_ns() == 2097 * S
    at = 1500 * S // found.span.bin_ns
    assert lane.states.worst()[at] == "dark", "three seconds are not hidden by what came after"
    assert found.watched.lanes["roadway", "gw1", "c1"].wrong_ns() == 0


def test_of_a_silent_gateway_nobody_knows_how_its_cameras_are(shift: ShiftJournal) -> None:
    shift.looks(0, 1800, gateways={"gw1": gateway()})
    shift.looks(1800, 3600, gateways={"gw1": gateway(silent=True)})
    found = report(shift)
    lane = found.watched.lanes["roadway", "gw1", "c1"]
    assert (lane.states.held_ns["ok"], lane.states.unknown_ns()) == (1800 * S, 1800 * S)
    assert found.watched.lanes["roadway", "gw1", ""].states.held_ns["silent"] == 1800 * S
    assert "Gateway roadway/gw1 was silent for 30 min 00 s" in said(found)


def test_one_that_was_never_heard_has_clock_and_losses_told(shift: ShiftJournal) -> None:
    told = {
        "gw9": {"silent": True, "never_heard": True},
        "gw1": gateway(clock_off_s=-7, lost=0.15),
        "gw2": gateway(clock_off_s=1, lost=0.01),
    }
    shift.looks(0, 3600, gateways=told, heads=heads(uncounted=["gw1"]))
    text = said(report(shift))
    assert "Gateway roadway/gw9 was expected and never heard: for 1 h 00 min" in text
    assert "clock of gateway roadway/gw1 was off by up to -7 s" in text
    assert "roadway/gw1, up to 15% of the position messages" in text
    assert "roadway/gw1: for 1 h 00 min nobody could be counted" in text
    assert "gw2" not in text


def test_sites_beyond_the_limit_are_counted_wherever_they_come_from(shift: ShiftJournal) -> None:
    body = json.dumps(heads())
    rows = [("heads", f"site{n:03}", "", T0, T0 + HOUR, body) for n in range(MOST_SITES + 3)]
    shift.write(rows)
    ShiftJournal(shift.place, "zz alarmed").alarms([(100, word("one", 100))])
    ShiftJournal(shift.place, "zz walked").positions([(10.0, 1, None)])
    found = report(shift)
    assert len(found.sites) == MOST_SITES
    assert "Head-counts of 5 more sites are left out" in said(found)
    assert "more sites" not in said(report(shift, site="site066"))


def test_a_site_without_a_word_in_the_span_takes_nobodys_room(shift: ShiftJournal) -> None:
    body = json.dumps(heads())
    old = [("heads", f"a{n:03}", "", T0 - 9 * HOUR, T0 - 8 * HOUR, body) for n in range(MOST_SITES)]
    shift.write([*old, ("heads", "told", "", T0, T0 + HOUR, body)])
    found = report(shift)
    assert [one.site for one in found.sites] == ["told"]
    assert "more sites" not in said(found)


def test_gateways_beyond_the_limit_are_counted_among_what_is_missing(shift: ShiftJournal) -> None:
    silent = json.dumps(gateway(silent=True))
    names = [f"gw{n:03}" for n in range(MOST_GATEWAYS + 7)]
    shift.write([("gateway", "roadway", name, T0, T0 + HOUR, silent) for name in names])
    text = said(report(shift))
    assert text.count("was silent for") == MOST_GATEWAYS
    assert "7 more gateways were silent, unheard" in text


def test_limits_that_cut_something_off_are_said(
    shift: ShiftJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = "control_room.shift_report."
    two = [heads(uncounted=("gw1", "gw2"), blind=((0.0, 9.0, "gw1"),)), gateway()]
    shift.looks(0, 3600, heads=two[0], gateways={"gw1": two[1], "gw2": two[1]})
    shift.alarms([(100 + n, word(f"a{n}", 100 + n, zone=f"z{n}")) for n in range(3)])
    assert "left out" not in said(report(shift))
    assert "are gone through" not in said(report(shift))
    for name, value in (
        ("told.MOST_KEYS", 1),
        ("gather.MOST_KEYS", 1),
        ("heads.MOST_ZONES", 1),
        ("heads.MOST_METRES", 5),
        ("load.MOST_OFFENDERS", 1),
    ):
        monkeypatch.setattr(lead + name, value)
    text = said(report(shift))
    assert "The journal has more sites or gateways than are gone through" in text
    assert "roadway: too many gateways or metres that nobody could see: some are left out" in text
    assert "Too many different sources of alarms" in text


def test_whatever_a_look_had_no_room_for_is_said(shift: ShiftJournal) -> None:
    shift.looks(
        *(0, 1800),
        heads=heads(more_blind=3, more_areas=1),
        gateways={"gw1": gateway(more_cameras=2)},
    )
    shift.looks(1800, 3600, heads=heads(more_blind=9), gateways={"gw1": gateway(more_cameras=4)})
    text = said(report(shift))
    assert "roadway: up to 9 more stretches of roadway that nobody saw" in text
    assert "roadway: up to 1 more zones" in text
    assert "Gateway roadway/gw1: up to 4 more cameras" in text
    ShiftJournal(shift.place, "well").looks(0, 3600, heads=heads(), gateways={"gw1": gateway()})
    assert "more" not in said(report(shift, site="well"))


def test_without_conditions_alarms_tell_of_outages_and_the_rest_is_not_known(
    shift: ShiftJournal,
) -> None:
    lost: dict[str, Any] = {"kind": "camera_lost", "severity": "warning", "camera": "c2"}
    shift.alarms(
        [
            (600, word("lost-1", 600, **lost)),
            (1200, word("lost-1", 1200, "cleared", raised_s=600, **lost)),
        ]
    )
    found = report(shift)
    lane = found.watched.lanes["roadway", "gw1", "c2"]
    worst = lane.states.worst()
    each = found.span.bin_ns // S
    assert set(worst) == {UNKNOWN, "lost"}
    assert worst.count("lost") == 600 // each
    assert lane.by_alarm
    assert minutes(found) == ["?"] * 60
    assert "Nothing was written down of the control room" in said(found) or (
        "No control room wrote down" in said(found)
    )


def test_an_alarm_paints_nothing_where_it_is_known_better(shift: ShiftJournal) -> None:
    shift.looks(0, 3600, gateways={"gw1": gateway({"c2": "ok"})})
    lost: dict[str, Any] = {"kind": "camera_lost", "severity": "warning", "camera": "c2"}
    shift.alarms([(600, word("lost-1", 600, **lost))])
    found = report(shift)
    assert set(found.watched.lanes["roadway", "gw1", "c2"].states.worst()) == {"ok"}


def test_places_in_the_journal_stand_in_where_there_is_no_count(shift: ShiftJournal) -> None:
    shift.looks(0, 1800, heads=heads(2))
    rows: list[tuple[float, int, str | None]]
    rows = [(float(t), track, None) for t in range(0, 3000, 10) for track in range(4)]
    rows += [(float(t) + 1, track, "李伟") for t in range(0, 3000, 10) for track in (8, 9)]
    shift.positions(rows)
    [site] = report(shift).sites
    half = len(site.followed.most) // 2
    assert set(site.followed.most[:half]) == {None}, "there is a count"
    assert site.followed.most[half + 1] == 5, "four numbers, and one name with two"
    assert site.followed.most[-1] is None, "no place is no nought"
    assert site.whole.figures.most[-1] is None


def test_more_places_than_are_gone_through_are_no_nought_and_said(
    shift: ShiftJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift.positions([(float(t), track, None) for t in range(0, 3000, 10) for track in range(4)])
    assert "more people had a place" not in said(report(shift))
    monkeypatch.setattr("control_room.shift_report.followed.MOST_ROWS", 8)
    found = report(shift)
    assert set(found.sites[0].followed.most) == {None}
    assert "roadway: more people had a place than are gone through" in said(found)


def test_alarms_that_ask_for_somebody_come_first(shift: ShiftJournal) -> None:
    note: dict[str, Any] = {"kind": "camera_dusty", "severity": "notice", "camera": "c1"}
    short: dict[str, Any] = {"kind": "immobile", "severity": "warning"}
    shift.alarms(
        [
            (100, word("seen", 100, **short)),
            (150, word("brief", 150, **short)),
            (160, word("brief", 160, "cleared", raised_s=150, **short)),
            (200, word("late", 90)),
            (300, word("dust", 300, **note)),
            (400, word("latched", 400)),
            (450, word("latched", 450, "cleared", raised_s=400)),
            (-500, word("before", -500, **short)),
            (-400, word("before", -400, "cleared", raised_s=-500, **short)),
        ]
    )
    shift.act("seen", 130, "acknowledge")
    shift.act("seen", 140, "shelve", reason="under repair", until_ns=T0 + 900 * S)
    found = report(shift)
    assert [row.alarm["alarm"] for row in found.alarms.rows] == [
        *("late", "latched", "dust", "seen", "brief")
    ]
    assert (found.alarms.waiting, found.alarms.raised) == (3, 5)
    seen = found.alarms.rows[3]
    assert [(one.action, one.by, one.reason) for one in seen.acts] == [
        ("acknowledge", "Li Wei", ""),
        ("shelve", "Li Wei", "under repair"),
    ]
    assert found.alarms.kinds["immobile"].median_ack_s() == 30
    assert (found.alarms.kinds["immobile"].shelved, found.alarms.kinds["immobile"].waiting) == (
        1,
        0,
    )
    assert (found.alarms.late, found.alarms.latest_s) == (1, 110)
    assert "1 alarms came more than 30 s after" in said(found)


def shown(found: Gathered) -> set[str]:
    assert found.alarms.count == len(found.alarms.rows), "none comes twice"
    return {row.alarm["alarm"] for row in found.alarms.rows}


def test_an_alarm_from_before_that_nobody_saw_is_not_forgotten_with_its_shift(
    shift: ShiftJournal,
) -> None:
    """Three men down before the span and up again: one unseen, one seen before, one after it."""
    for name in ("unseen", "seen", "after"):
        shift.alarms([(-600, word(name, -600)), (-300, word(name, -300, "cleared", raised_s=-600))])
    shift.act("seen", -100, "acknowledge")
    shift.act("after", 5000, "acknowledge")
    found = report(shift)
    assert shown(found) == {"unseen", "after"}
    assert (found.alarms.waiting, found.alarms.raised, found.alarms.late) == (1, 0, 0)
    assert found.alarms.kinds["man_down"].before == 2


def test_an_alarm_that_was_over_before_the_span_is_told_where_it_was_heard(
    shift: ShiftJournal,
) -> None:
    """The gateway was cut off: else no shift would ever have it, while the load counts it."""
    short: dict[str, Any] = {"kind": "immobile", "severity": "warning"}
    over = word("cut off", -300, "cleared", raised_s=-600, **short)
    shift.alarms([(1200, word("cut off", -600, **short)), (1201, over)])
    found = report(shift)
    assert shown(found) == {"cut off"}
    assert found.load.count == found.alarms.count
    assert (found.alarms.late, found.alarms.latest_s) == (1, 1800)
    later = Span(from_ns=T0 + HOUR, to_ns=T0 + 2 * HOUR)
    after = gather(shift.place, later, site=None, operators=None, now_ns=later.to_ns)
    assert not after.alarms.rows, "it was over, and heard before"


@pytest.mark.parametrize("ahead_s", [7200, -7200])
def test_an_alarm_of_a_gateway_with_a_wrong_clock_is_told_where_it_was_heard(
    shift: ShiftJournal, ahead_s: int
) -> None:
    short: dict[str, Any] = {"kind": "immobile", "severity": "warning"}
    over = word("one", ahead_s + 160, "cleared", raised_s=ahead_s + 100, **short)
    shift.alarms([(100, word("one", ahead_s + 100, **short)), (160, over)])
    assert shown(report(shift)) == {"one"}


def test_an_alarm_of_the_shift_after_is_not_in_this_one(shift: ShiftJournal) -> None:
    shift.alarms([(3700, word("next", 3700))])
    assert shown(report(shift)) == set()


def test_a_place_is_told_by_the_nearest_support(shift: ShiftJournal) -> None:
    shift.roadway()
    shift.alarms([(100, word("one", 100, xyz_m=(12.1, -1.0, 0.0)))])
    [row] = report(shift).alarms.rows
    assert row.landmark == ("support 8", "8 号支架")


def test_acts_of_the_span_are_told(shift: ShiftJournal) -> None:
    shift.alarms([(100, word("one", 100))])
    shift.act("one", 130, "acknowledge")
    shift.act("one", 4000, "end", reason="later")
    with closing(Journal(shift.place, required=True)) as journal:
        for at_s, what, body in ((200, "log_in", {}), (300, "log_in_refused", {"times": 40})):
            journal.audit(who="admin", what=what, at_ns=T0 + at_s * S, body=body)
    acts = report(shift).acts
    assert [(row["who"], row["what"]) for row in acts.rows] == [
        *(("Li Wei", "acknowledge"), ("admin", "log_in"), ("admin", "log_in_refused"))
    ]
    assert acts.refused == 40


def test_forgotten_alarms_are_said(shift: ShiftJournal) -> None:
    brief: dict[str, Any] = {"kind": "immobile", "severity": "warning"}
    shift.alarms(
        [(10, word("b", 10, **brief)), (20, word("b", 20, "cleared", raised_s=10, **brief))]
    )
    with closing(Journal(shift.place, required=True)) as journal:
        assert journal.forget(T0 + 1800 * S, now_ns=T0 + 3600 * S) == 1
    assert "have been forgotten" in said(report(shift))


def test_the_load_is_shared_by_the_operators_that_the_control_room_was_told(
    shift: ShiftJournal,
) -> None:
    shift.looks(0, 3000, room={"operators": 2})
    shift.alarms([(t, word(f"a{t}", t)) for t in range(0, 600, 20)])
    found = report(shift)
    load = found.load
    assert (load.operators, load.operators_told, load.count) == (2, True, 30)
    assert load.per_hour == pytest.approx(30 / (3000 / 3600) / 2), "over the time that it ran"
    assert (load.worst_10_min, load.floods, load.is_flood) == (30, 1, True)
    assert load.verdict == "red"
    assert [one.total() for one in load.tens] == [30, 0, 0, 0, 0, 0]
    assert report(shift, operators=5).load.operators == 5
    assert "How many operators" not in said(found)
    assert load.offenders.most_common(1) == [(("man_down", "roadway", "gw1", "conveyor"), 30)]


def test_a_flood_across_two_tens_is_found(shift: ShiftJournal) -> None:
    shift.alarms([(t, word(f"a{t}", t)) for t in [*range(540, 660, 10), 1900, 3000, 3100]])
    load = report(shift).load
    assert (load.worst_10_min, load.floods, load.is_flood) == (12, 0, True)
    assert (load.worst_at_ns - T0) // S == 540


def test_standing_alarms_are_those_of_more_than_a_day(shift: ShiftJournal) -> None:
    day = 86400
    shift.alarms([(-day - 100, word("old", -day - 100)), (-100, word("new", -100))])
    found = report(shift)
    assert [since for _, since in found.load.standing] == [T0 - (day + 100) * S]
    assert found.load.count == 0, "neither came in this time"


def test_only_the_site_that_is_asked_for(shift: ShiftJournal) -> None:
    other = ShiftJournal(shift.place, "other")
    for one in (shift, other):
        one.looks(0, 3600, heads=heads(3), gateways={"gw1": gateway()})
        one.alarms([(100, word("one", 100))])
    found = report(shift, site="other")
    assert [one.site for one in found.sites] == ["other"]
    assert {key[0] for key in found.watched.lanes} == {"other"}
    assert {row.alarm["site"] for row in found.alarms.rows} == {"other"}
    assert found.load.count == 1
    assert [one.site for one in report(shift).sites] == ["other", "roadway"]
    with pytest.raises(UnknownSiteError, match=r"it knows other, roadway$"):
        report(shift, site="nowhere")


def test_a_condition_that_can_not_be_read_is_as_if_nobody_had_looked(shift: ShiftJournal) -> None:
    shift.looks(0, 3600, heads=heads())
    shift.write([("heads", "roadway", "", T0 + 600 * S, T0 + 1200 * S, '{"people": "many"}')])
    found = report(shift)
    assert minutes(found) == ["l"] * 10 + ["?"] * 10 + ["l"] * 40


def flat(rows: list[tuple[float, float, int]], shift: ShiftJournal) -> list[Stretch[HeadsTold]]:
    shift.write(
        [
            ("heads", "roadway", "", T0 + round(a * S), T0 + round(b * S), json.dumps(heads(n)))
            for a, b, n in rows
        ]
    )
    span = Span(from_ns=T0, to_ns=T0 + HOUR)
    with closing(open_database(CONDITIONS.place_of(shift.place), CONDITIONS.prepare)) as database:
        return [*stretches(database, HeadsTold, "roadway", "", span)]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([(0, 100, 1), (100, 200, 2)], [(0, 100, 1), (100, 200, 2)]),
        ([(0, 900, 1), (300, 600, 2)], [(0, 300, 1), (300, 600, 2), (600, 900, 1)]),
        ([(0, 500, 1), (300, 900, 2)], [(0, 300, 1), (300, 900, 2)]),
        ([(0, 900, 1), (100, 200, 2), (150, 180, 3)], None),
        ([(0, 100, 1), (110, 200, 2)], [(0, 110, 1), (110, 200, 2)]),
        ([(0, 100, 1), (120, 200, 2)], [(0, 100, 1), (120, 200, 2)]),
        ([(-500, 50, 1), (3500, 9000, 2)], [(0, 50, 1), (3500, 3600, 2)]),
        ([(3000, 3590, 1)], [(3000, 3600, 1)]),
        ([(-100, -5, 1), (5, 9, 2)], [(0, 5, 1), (5, 9, 2)]),
    ],
)
def test_stretches_that_overlap_lie_on_top_of_each_other(
    shift: ShiftJournal, rows: Any, told: Any
) -> None:
    """As when two control rooms write, or a clock was set back."""
    found = [
        ((one.from_ns - T0) / S, (one.until_ns - T0) / S, one.told.people)
        for one in flat(rows, shift)
    ]
    if told is None:
        told = [(0, 100, 1), (100, 150, 2), (150, 180, 3), (180, 200, 2), (200, 900, 1)]
    assert found == told


def test_gateways_are_found_one_by_one(shift: ShiftJournal) -> None:
    shift.looks(0, 100, gateways={"gw1": gateway(), "gw2": gateway()})
    ShiftJournal(shift.place, "zz").looks(0, 100, gateways={"gw1": gateway()})
    with closing(open_database(CONDITIONS.place_of(shift.place), CONDITIONS.prepare)) as database:
        every = [("roadway", "gw1"), ("roadway", "gw2"), ("zz", "gw1")]
        assert places(database, "gateway", None) == every
        assert places(database, "gateway", "roadway") == every[:2]
        assert places(database, "gateway", "nowhere") == []


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many rows each answer of the database had."""
    sizes: list[int] = []
    rows = Session.rows

    def counted(self: Session, sql: str, *values: object) -> list[Row]:
        found = rows(self, sql, *values)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(Session, "rows", counted)
    yield sizes


def test_however_much_there_is_it_is_read_in_small_pieces(
    shift: ShiftJournal, answers: list[int]
) -> None:
    """100 people for an hour, a count that changes all the time, and a flood of alarms."""
    every = range(0, 2400, 3)
    counts = [(n, json.dumps(heads(n % 90))) for n in every]
    shift.write(
        [("heads", "roadway", "", T0 + n * S, T0 + (n + 3) * S, body) for n, body in counts]
    )
    shift.alarms([(n, word(f"a{n}", n)) for n in range(0, 3600, 3)])
    shift.positions(
        [(t + track / 50, track, None) for t in range(0, 3600, 10) for track in range(100)]
    )
    answers.clear()
    found = report(shift)
    assert max(answers) <= 2100, "100 people in 20 minutes, or one page"
    assert len(found.alarms.rows) == 300
    assert found.alarms.count == found.load.count == 1200
    assert "The table has 300 of 1200 alarms" in said(found)
    [site] = found.sites
    assert (site.whole.figures.top(), site.followed.top()) == (87, 100)
