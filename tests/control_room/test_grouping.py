import random
from dataclasses import replace
from typing import Any

from control_room.grouping import BEFORE_SILENCE_S, TOGETHER_S, Group, group
from control_room.lifecycle import Act, Entry, Key
from control_room.namesakes import MOST_NAMES, MOST_TRACKS, Namesakes
from location.rules.evidence import lost_person
from scene.alarms import ALARMS
from scene.messages import Positions
from tests.control_room.fake_gateway import alarm

S_NS = 1_000_000_000
T0_NS = 1_790_000_000 * S_NS
SEEN = Act(action="acknowledge", by="Li Wei", reason="", at_ns=T0_NS)


def entry(id: str, kind: str, at_s: float = 0.0, *, gateway: str = "gw1", **more: Any) -> Entry:
    acknowledged = more.pop("acknowledged", None)
    cleared_at_s = more.pop("cleared_at_s", None)
    about = ALARMS[kind].about if kind in ALARMS else ""
    fields: dict[str, Any] = {
        "kind": kind,
        "severity": ALARMS[kind].severity if kind in ALARMS else "warning",
        "raised_at_ns": T0_NS + int(at_s * S_NS),
        "track": 3 if about == "person" else None,
        "zone": None,
    } | more
    cleared_at_ns = None
    if cleared_at_s is not None:
        cleared_at_ns = T0_NS + int(cleared_at_s * S_NS)
        fields["state"] = "cleared"
    return Entry(
        key=Key(site="roadway", gateway=gateway, alarm=id),
        last=alarm(id, at_ns=cleared_at_ns or T0_NS, **fields),
        stored_at_ns=T0_NS,
        cleared_at_ns=cleared_at_ns,
        acknowledged=acknowledged,
    )


def names(groups: list[Group]) -> list[list[str]]:
    return [[one.key.alarm for one in found.members] for found in groups]


def test_a_person_with_several_alarms_is_one_line_with_the_worst_on_top() -> None:
    listed = [
        entry("helmet", "helmet_missing", 0),
        entry("still", "immobile", 60),
        entry("down", "man_down", 30),
        entry("other", "immobile", 90, track=4),
        entry("same number elsewhere", "immobile", 95, gateway="gw2"),
        entry("zone", "over_capacity", 96, track=None),
    ]
    assert names(group(listed)) == [
        ["down", "still", "helmet"],
        ["zone"],
        ["same number elsewhere"],
        ["other"],
    ]


def test_a_group_is_as_bad_as_its_worst_member() -> None:
    [found] = group(
        [
            entry("down", "man_down", acknowledged=SEEN),
            entry("still", "immobile", cleared_at_s=9),
            entry("helmet", "helmet_missing", acknowledged=SEEN),
        ]
    )
    assert found.members[0].key.alarm == "down"
    assert (found.severity, found.active, found.unacknowledged) == ("critical", True, True)
    [quiet] = group([entry("down", "man_down", cleared_at_s=9, acknowledged=SEEN)])
    assert (quiet.severity, quiet.active, quiet.unacknowledged) == ("critical", False, False)


def test_one_camera_stalled_then_lost_is_one_line() -> None:
    listed = [
        entry("stalled", "camera_stalled", 0, camera="c1"),
        entry("lost", "camera_lost", 3600, camera="c1"),
        entry("moved", "camera_moved", 3600, camera="c1"),
        entry("far", "camera_lost", 3600, camera="c1", gateway="gw2"),
    ]
    assert names(group(listed)) == [["lost", "stalled"], ["moved"], ["far"]]


def test_cameras_lost_together_are_one_line_and_others_are_not() -> None:
    listed = [
        entry("c1", "camera_lost", 0, camera="c1"),
        entry("c2", "camera_stalled", TOGETHER_S - 1, camera="c2"),
        entry("c3", "camera_lost", 2 * TOGETHER_S - 2, camera="c3"),
        entry("later", "camera_lost", 3 * TOGETHER_S, camera="c4"),
        entry("moved", "camera_moved", 1, camera="c5"),
        entry("far", "camera_lost", 0, camera="c1", gateway="gw2"),
    ]
    found = sorted(sorted(members) for members in names(group(listed)))
    assert found == [["c1", "c2", "c3"], ["far"], ["later"], ["moved"]]


def test_a_silent_gateway_takes_in_its_cameras_but_never_people() -> None:
    listed = [
        entry("old", "camera_lost", -BEFORE_SILENCE_S - 100, camera="c9"),
        entry("just before", "camera_lost", -BEFORE_SILENCE_S + 1, camera="c1"),
        entry("silent", "gateway_silent", 0),
        entry("after", "degraded_inference", 500),
        entry("person", "man_down", 600),
        entry("far", "camera_lost", 1, camera="c1", gateway="gw2"),
    ]
    assert names(group(listed)) == [
        ["person"],
        ["silent", "after", "just before"],
        ["far"],
        ["old"],
    ]


def test_a_silence_that_is_over_takes_in_nothing_later() -> None:
    listed = [
        entry("silent", "gateway_silent", 0, cleared_at_s=100),
        entry("within", "camera_moved", 100 + TOGETHER_S, camera="c1"),
        entry("later", "camera_moved", 101 + TOGETHER_S, camera="c2"),
    ]
    assert sorted(names(group(listed))) == [["later"], ["silent", "within"]]


def zone_alarm(id: str, at_s: float, track: int, **more: Any) -> Entry:
    named: dict[str, Any] = {"worker": "Li Wei", "zone": "conveyor"}
    return entry(id, "restricted_zone", at_s, track=track, **(named | more))


def told(
    listed: list[Entry],
    *follows: set[int],
    late_s: float = 0.0,
    calls: dict[int, str] | None = None,
) -> list[Group]:
    """Group alarms that came one after the other, while their gateways followed these numbers.

    The last time its gateway `calls` numbers so.
    """
    namesakes = Namesakes()
    for one, tracks in zip(listed, follows, strict=True):
        at_ns = one.last.captured_at_ns + int(late_s * S_NS)
        called = {one.last.track: one.last.worker} | ((calls or {}) if one is listed[-1] else {})
        people = tuple(
            replace(lost_person(replace(one.last, track=track)), worker=called.get(track))
            for track in sorted(tracks)
        )
        positions = Positions(captured_at_ns=at_ns, people=people)
        namesakes.note(one.key.site, one.key.gateway, one.last, positions)
    return group(
        listed, lambda one: namesakes.goes_by_name(one.key.site, one.key.gateway, one.last)
    )


def test_one_cause_about_one_named_worker_is_one_line_whatever_the_number() -> None:
    listed = [
        zone_alarm("first", 0, track=3),
        zone_alarm("again", 60, track=9),
        entry("helmet", "helmet_missing", 65, track=9),
        zone_alarm("now", 120, track=17),
        zone_alarm("elsewhere", 200, track=20, zone="bay"),
        entry("fell", "man_down", 300, track=21, worker="Li Wei"),
    ]
    follows = [{3}, {9, 10}, {9}, {17}, {20}, {21}]
    assert names(told(listed, *follows)) == [
        ["fell"],
        ["elsewhere"],
        ["now", "again", "first", "helmet"],
    ]
    assert len(told(listed, *follows, late_s=9.0)) == 5, "who was followed then is not known"
    assert len(group(listed)) == 5


def test_two_people_are_never_one_line() -> None:
    first, second = zone_alarm("one", 0, track=3), zone_alarm("other", 60, track=9)
    assert len(told([first, second], {3}, {9})) == 1
    # The first one, called by a wrong name, is still there when the second one is.
    assert len(told([first, second], {3}, {3, 9})) == 2
    third = zone_alarm("third", 120, track=12)
    fell = entry("fell", "man_down", 90, track=9, worker="Li Wei")
    for follows in (({3}, {3, 9}, {12}), ({3}, {9}, {9, 12})):
        found = names(told([first, second, third], *follows))
        assert ["third"] in found, "no later alarm brings two together"
    assert len(told([first, fell, second, third], {3}, {3, 9}, {9}, {12})) == 3
    for other in (
        zone_alarm("other", 60, track=9, worker="Wang Fang"),
        zone_alarm("other", 60, track=9, worker=None),
        zone_alarm("other", 60, track=9, gateway="gw2"),
    ):
        assert len(told([first, other], {3}, {9})) == 2


def test_who_were_followed_at_once_at_any_alarm_are_two_people() -> None:
    listed = [zone_alarm("a", 0, track=3), zone_alarm("b", 5, track=9)]
    # The second one, nameless or wrongly called too, was there at the first one's alarm only.
    assert len(told(listed, {3, 9}, {9})) == 2
    both = [*listed, zone_alarm("again", 9, track=9)]
    assert ["a"] in names(told(both, {3, 9}, {9}, {9}))
    alone = [zone_alarm("a", 0, track=3), zone_alarm("b", 5, track=12)]
    assert len(told(alone, {3}, {12, 15}, calls={15: "Wang Fang"})) == 1
    assert len(told(alone, {3}, {12, 15}, calls={15: "Li Wei"})) == 2, "two bear it at once"
    assert len(told(alone, {3}, {12}, calls={12: "Wang Fang"})) == 2, "it is called otherwise"


def test_a_name_that_two_have_borne_joins_no_lines_of_numbers_to_come() -> None:
    listed = [zone_alarm(f"a{track}", track, track) for track in (3, 9, 12, 15)]
    assert len(told(listed, {3, 9}, {3, 9}, {12}, {15})) == 4
    assert len(told(listed, {3}, {9}, {12}, {15})) == 1
    elsewhere = [zone_alarm("e", 20, 20, gateway="gw2"), zone_alarm("f", 21, 21, gateway="gw2")]
    assert ["f", "e"] in names(told([*listed, *elsewhere], {3, 9}, {3, 9}, {12}, {15}, {20}, {21}))


def test_a_number_that_had_two_names_tells_whom_neither_means() -> None:
    renamed = [
        zone_alarm("a", 0, track=3),
        zone_alarm("b", 1, track=3, worker="Wang Fang"),
        zone_alarm("c", 2, track=9),
        zone_alarm("d", 3, track=12, worker="Wang Fang"),
    ]
    assert sorted(map(sorted, names(told(renamed, {3}, {3}, {9}, {12})))) == [
        ["a", "b"],
        ["c"],
        ["d"],
    ]


def test_what_was_before_a_start_goes_by_no_name() -> None:
    before = zone_alarm("a", 0, track=3)
    namesakes = Namesakes()
    assert not namesakes.goes_by_name("roadway", "gw1", before.last)


def test_who_invents_names_and_numbers_fills_no_memory() -> None:
    namesakes = Namesakes()
    for i in range(MOST_NAMES + MOST_TRACKS + 10):
        worker = f"w{i}" if i < MOST_NAMES + 5 else "one"
        said = zone_alarm("a", 0, track=i, worker=worker).last
        namesakes.note("s", "g", said, Positions(captured_at_ns=said.captured_at_ns, people=()))
    assert len(namesakes._names) == MOST_NAMES
    assert max(len(one.bore_it) for one in namesakes._names.values()) == MOST_TRACKS
    said = zone_alarm("a", 0, track=1, worker="one").last
    crowd = tuple(lost_person(replace(said, track=10**6 + i)) for i in range(MOST_TRACKS + 10))
    namesakes.note("s", "g", said, Positions(captured_at_ns=said.captured_at_ns, people=crowd))
    assert max(len(one.others) for one in namesakes._names.values()) == MOST_TRACKS


def test_an_active_critical_alarm_stands_before_a_group_whose_critical_one_is_over() -> None:
    over = entry("down", "man_down", 0, track=1, severity="critical", cleared_at_s=0.5)
    still = entry("still", "immobile", 1, track=1, severity="warning")
    active = entry("other", "man_down", -1, track=2, severity="critical")
    assert [len(one.members) for one in group([over, still, active])] == [1, 2]


def test_nothing_is_hidden_or_doubled_and_the_order_given_does_not_matter() -> None:
    draw = random.Random(7)
    kinds = [*ALARMS, "of_tomorrow"]
    listed = [
        entry(
            f"a{i}",
            draw.choice(kinds),
            draw.uniform(-200, 200),
            gateway=draw.choice(["gw1", "gw2"]),
            camera=draw.choice([None, "c1", "c2", "c3"]),
        )
        for i in range(200)
    ]
    first = group(listed)
    assert sorted(name for found in names(first) for name in found) == sorted(
        one.key.alarm for one in listed
    )
    draw.shuffle(listed)
    assert names(group(listed)) == names(first)
