import argparse
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control_room import whole_mine
from control_room.broker_options import client_name
from control_room.mine_person import MinePerson
from control_room.muster import Muster, from_json, muster, to_json
from control_room.muster_command import ENOUGH_POSITIONS, add_arguments, run
from control_room.muster_text import WORDS, text_of
from control_room.roster import RosterError, Worker, read_roster
from control_room.whole_mine import MineGateway, TaggedWorker, WholeMine
from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.signing import Signer
from delivery.voice import Voice
from edge.main import main
from scene.arrays import Floats
from scene.clock import SystemClock
from scene.floor import Floor
from scene.messages import GatewayHealth, Landmark, Positions, ZoneDescription
from scene.site import BrokerConfig
from scene.topics import TOPICS, topic_name
from scene.wire import type_name
from tests.control_room.fake_gateway import EVIL_NAME, description, health
from tests.control_room.long_roadway import SITE, ns, position, said
from tests.delivery.keys import Keys

NOW_NS = ns(1000)
CROSSCUT = ZoneDescription(
    name="crosscut", kind="area", polygon_m=((0.0, -3.0), (10.0, -3.0), (10.0, 3.0), (0.0, 3.0))
)
SEEN = (1,) * 40


def person(id: int, x_m: float, worker: str | None = None, **changes: object) -> MinePerson:
    found = MinePerson(
        id=id,
        state="in_view",
        since_ns=NOW_NS,
        seen_at_ns=NOW_NS,
        xyz_m=(x_m, 0.0, 0.0),
        covariance_m2=((0.04, 0.0), (0.0, 0.04)),
        velocity_m_s=(0.0, 0.0),
        tracks=(("gw1", id),),
        worker=worker,
        worker_probability=None if worker is None else 0.97,
        certainty="certainly",
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def gateway(
    name: str = "gw1",
    coverage: tuple[int, ...] = SEEN,
    from_x_m: float = 0.0,
    since_ns: int | None = None,
    silent_since_ns: int | None = None,
) -> MineGateway:
    beat = replace(
        health(NOW_NS),
        coverage=coverage,
        coverage_from_x_m=from_x_m,
        coverage_unseen_since_ns=tuple(None if count else since_ns for count in coverage),
    )
    return MineGateway(
        gateway=name,
        description=replace(description(), gateway=name, zones=(CROSSCUT,)),
        health=beat,
        silent_since_ns=silent_since_ns,
    )


def count(
    *people: MinePerson,
    gateways: tuple[MineGateway, ...] | None = None,
    roster: tuple[str, ...] = (),
    tags: tuple[TaggedWorker, ...] = (),
) -> Muster:
    workers = tuple(Worker(name=name) for name in roster)
    return muster(people, gateways or (gateway(),), workers, NOW_NS, site=SITE, tags=tags)


def test_heads_are_counted_by_zone_and_by_name() -> None:
    told = count(person(1, 5, "Li"), person(2, 6), person(3, 30, "Wang"), roster=("Li", "Wang"))
    crosscut, elsewhere = told.areas
    assert (crosscut.zone, crosscut.people, crosscut.at_least) == ("crosscut", 2, 2)
    assert (crosscut.workers, crosscut.unnamed) == (("Li",), 1)
    assert (crosscut.metres_seen, crosscut.metres) == (10, 10)
    assert (elsewhere.people, elsewhere.workers) == (1, ("Wang",))
    assert (told.people, told.at_least, told.unnamed, told.missing) == (3, 3, 1, ())
    assert told.complete
    assert told.everybody


def test_who_is_away_was_by_a_support() -> None:
    near = Landmark(name="4", kind="support", chainage_m=7.0, reach_m=0.875)
    far = replace(near, name="5", chainage_m=8.75)
    here = gateway()
    assert here.description is not None
    here = replace(here, description=replace(here.description, landmarks=(far, near)))
    told = count(person(1, 7.4, "Li", state="out_of_view"), gateways=(here,), roster=("Li", "Wang"))
    assert told.away[0].last.landmark == near
    assert text_of(told).count("7 m, support 4, x 7.4") == 2, "missing, and out of view"
    assert "7 m, 4 号支架, x 7.4" in text_of(told, "zh")
    assert from_json(json.dumps(to_json(told))) == told
    nowhere = count(person(1, 7.4, "Li", state="out_of_view"))
    assert nowhere.away[0].last.landmark is None


def test_a_count_is_at_least_where_cameras_cannot_see() -> None:
    blind = gateway(coverage=(1,) * 12 + (0,) * 5 + (1,) * 23, since_ns=ns(600))
    told = count(person(1, 5), gateways=(blind,))
    assert not told.complete
    assert not told.everybody
    assert (told.metres_seen, told.metres) == (35, 40)
    (stretch,) = told.blind
    assert (stretch.from_x_m, stretch.to_x_m, stretch.since_ns) == (12, 17, ns(600))
    assert "In view: at least 1" in text_of(told)
    assert "cannot see x 12 to 17 m since" in text_of(told)
    assert "crosscut     1  " in " ".join(text_of(told).splitlines()).replace("PEOPLE", "")
    assert "In view: 1" in text_of(count(person(1, 5)))


def test_why_not_everybody_is_accounted_for_is_said() -> None:
    blind = gateway(coverage=(1,) * 12 + (0,) * 6 + (1,) * 22)
    only_unseen = count(person(1, 5, "Li"), gateways=(blind,), roster=("Li",))
    text = text_of(only_unseen)
    assert "Missing: none of 1" in text
    assert text.endswith("\nNOT EVERYBODY IS ACCOUNTED FOR (6 m can't be seen)")
    assert text_of(only_unseen, "zh").endswith("\n尚未全员确认（6 米看不到）")
    away = person(2, 7, state="out_of_view", seen_at_ns=ns(700), since_ns=ns(700))
    silent = gateway("gw2", silent_since_ns=ns(900), from_x_m=40.0)
    much = text_of(count(away, gateways=(gateway(), silent), roster=("Li", "Wang")))
    assert much.endswith("(2 missing; numbers lost: 1; gateways silent: 1; 40 m can't be seen)")
    no_list = text_of(count(person(1, 5)))
    assert no_list.endswith("(nobody says who should be there)")
    mute = MineGateway(gateway="gw2", description=None, health=None, silent_since_ns=None)
    assert "(a gateway has not said what it sees)" in text_of(
        count(person(1, 5, "Li"), gateways=(gateway(), mute), roster=("Li",))
    )
    assert text_of(count(person(1, 5, "Li"), roster=("Li",))).endswith("\nEVERYBODY ACCOUNTED FOR")


def test_a_zone_that_is_half_unseen_says_at_least_and_others_do_not() -> None:
    blind = gateway(coverage=(1,) * 5 + (0,) * 5 + (1,) * 30)
    line = next(
        line
        for line in text_of(count(person(1, 2), gateways=(blind,))).splitlines()
        if line.startswith("crosscut")
    )
    assert "at least 1" in line
    assert "5/10 m" in line


def test_who_may_be_one_of_the_others_is_not_counted_twice() -> None:
    told = count(person(1, 5), person(2, 5.3, certainty="possibly", perhaps=(1,)), person(3, 20))
    assert (told.people, told.at_least) == (3, 2)
    assert "3 (at least 2)" in text_of(told)
    from_the_gap = count(person(4, 5, certainty="possibly", perhaps=(9,)))
    assert from_the_gap.at_least == 1, "who came out of a gap is somebody, whoever it is"
    assert count(person(5, 5, certainty="possibly")).at_least == 0


def test_who_is_missing_and_where_they_were_seen_last() -> None:
    away = person(2, 7, "Wang", state="out_of_view", seen_at_ns=ns(700), since_ns=ns(700))
    lost = person(3, 33, "Zhao", state="unknown", seen_at_ns=ns(800), since_ns=ns(803))
    told = count(person(1, 5, "Li"), away, lost, roster=("Li", "Wang", "Zhao", "Sun"))
    wang, zhao, sun = told.missing
    assert (wang.worker, wang.why) == ("Wang", "out_of_view")
    assert wang.last is not None
    assert (wang.last.chainage_m, wang.last.zone, wang.last.gateway) == (7.0, "crosscut", "gw1")
    assert wang.last.seen_at_ns == ns(700)
    assert (zhao.worker, zhao.why) == ("Zhao", "unknown")
    assert (sun.worker, sun.why, sun.last) == ("Sun", None, None)
    assert (told.out_of_view, told.unknown, told.expected) == (1, 1, 4)
    assert told.areas[0].last_seen == 1
    assert not told.everybody
    assert "MISSING: 3 of 4" in text_of(told)
    assert "未见人员：4 人中 3 人" in text_of(told, "zh")


def test_a_doubtful_name_leaves_its_worker_missing() -> None:
    told = count(person(1, 5, "Li", worker_probability=0.6), roster=("Li",))
    (missing,) = told.missing
    assert (missing.worker, missing.why) == ("Li", "in_view")
    assert "perhaps in view" in text_of(told)


def test_a_missing_workers_tag_is_a_hint_and_no_person() -> None:
    tag = TaggedWorker(worker="Li", xy_m=(12.0, 1.0), at_ns=ns(990))
    told = count(roster=("Li",), tags=(tag,))
    (missing,) = told.missing
    assert missing.last is None
    assert missing.tag is not None
    assert missing.tag.xyz_m[:2] == (12.0, 1.0)
    assert told.people == 0
    assert "a tag is no person" in text_of(told)


def test_without_a_roster_those_with_a_fresh_tag_should_be_there() -> None:
    tags = (
        TaggedWorker(worker="Li", xy_m=(5.0, 0.0), at_ns=ns(990)),
        TaggedWorker(worker="Old", xy_m=(5.0, 0.0), at_ns=ns(100)),
    )
    told = count(person(1, 5, "Li"), tags=tags)
    assert (told.expected, told.expected_by, told.missing) == (1, "tags", ())
    assert count(person(1, 5)).expected_by == ""
    assert "who is missing can't be told" in text_of(count(person(1, 5)))


def test_a_roster_may_call_a_worker_by_the_tag() -> None:
    told = muster((person(1, 5, "0417"),), (gateway(),), (Worker(name="Li", also=("0417",)),), 0)
    assert told.missing == ()
    assert told.areas[0].workers == ("Li",)
    for language in ("en", "zh"):
        text = text_of(told, language)
        assert "0417" not in text
        assert "Li" in text.split()
    gone = muster(
        (person(1, 5, "0417", state="out_of_view"),), (gateway(),),
        (Worker(name="Li", also=("0417",)),), 0,
    )  # fmt: skip
    assert (gone.missing[0].worker, gone.away[0].worker) == ("Li", "Li")


def test_where_detection_fails_nobody_can_be_counted_and_that_stands_on_top() -> None:
    slow = (
        "detection takes 2.9 s per set of pictures, with more than 1.5 s nobody can be followed; "
        "give it a smaller model, more threads or a faster machine"
    )
    well = gateway()
    assert well.health is not None
    blind = replace(well, health=replace(well.health, degraded=slow, coverage=(0,) * 40))
    told = count(gateways=(blind,), roster=("Li",))
    (one,) = told.uncounted
    assert (one.gateway, one.why) == ("gw1", slow)
    top = text_of(told).splitlines()[1]
    assert top == f"!! gateway gw1: NOBODY CAN BE COUNTED: {slow}"
    assert "无法清点人数：每组画面检测需 2.9 秒" in text_of(told, "zh").splitlines()[1]
    # Not calibrated, it says nothing of its floor either; and yet it speaks.
    bare = replace(well, health=replace(well.health, degraded="no rig", coverage=()))
    for mute in (bare, replace(bare, description=None)):
        text = text_of(count(gateways=(mute,)))
        assert "NOBODY CAN BE COUNTED: no rig" in text
        assert "NO GATEWAY SPEAKS" not in text
    # Where somebody can be seen, where no camera gives a picture, or nothing comes, it is not that.
    lost = tuple(replace(camera, state="lost") for camera in well.health.cameras)
    for other in (
        replace(well, health=replace(well.health, degraded="wanted CUDA, runs on CPU")),
        replace(blind, health=replace(well.health, degraded=slow, coverage=(), cameras=lost)),
        replace(blind, silent_since_ns=ns(1)),
    ):
        assert count(gateways=(other,)).uncounted == ()


def test_somebody_out_of_view_without_a_name_is_not_accounted_for() -> None:
    told = count(person(1, 5, state="out_of_view"))
    assert told.complete
    assert not told.everybody
    assert "#1  out of view; last seen 5 m" in text_of(told)


def test_people_with_names_out_of_view_are_told_from_lost_numbers() -> None:
    lost = [person(i, 5, state="out_of_view") for i in range(10, 15)]
    told = count(person(2, 7, "Wang", state="out_of_view"), *lost, person(3, 5, state="unknown"))
    assert (told.out_of_view, told.lost_numbers, told.unknown) == (6, 5, 1)
    crosscut = told.areas[0]
    assert (crosscut.last_seen, crosscut.lost_numbers) == (7, 5)
    text = text_of(told)
    assert "out of view, with a name: 1   unknown (gateway silent): 1" in text
    assert "numbers lost, without a name: 5 (one person may be several of them)" in text
    assert "2 last seen here, lost sight of here, without a name: 5" in text
    named, lost_part = text.split("OUT OF VIEW")[1].split("NUMBERS LOST")
    assert "Wang" in named
    assert "#10" not in named
    assert "#10" in lost_part
    assert "2 out of view or unknown; numbers lost: 5" in text
    assert "离开视野（已识别）：1 人" in text_of(told, "zh")
    assert "编号（未识别）：5 个" in text_of(told, "zh")
    assert from_json(json.dumps(to_json(told))) == told


def test_a_silent_gateways_metres_are_unseen_but_for_those_another_sees() -> None:
    silent = gateway("gw1", coverage=(1,) * 20, silent_since_ns=ns(900))
    other = gateway("gw2", coverage=(1,) * 25, from_x_m=15.0)
    told = count(gateways=(silent, other))
    assert (told.metres_seen, told.metres) == (25, 40)
    assert [(one.from_x_m, one.to_x_m, one.since_ns) for one in told.blind] == [(0, 15, ns(900))]
    assert told.silent == (("gw1", ns(900)),)
    assert not told.complete


U_TURN_M = ((0.0, 0.0, 0.0), (40.0, 0.0, 0.0), (40.0, 12.0, 0.0), (0.0, 12.0, 0.0))


def along(one: MineGateway, *line_m: tuple[float, float, float]) -> MineGateway:
    """Give the gateway another roadway, with a zone over `x` 10 to 15 m in a U-turn's far arm."""
    assert one.description is not None
    bay = ((10.0, 11.8), (15.0, 11.8), (15.0, 12.2), (10.0, 12.2))
    zone = replace(CROSSCUT, name="bay", polygon_m=bay)
    return replace(one, description=replace(one.description, centre_line_m=line_m, zones=(zone,)))


def test_what_one_arm_of_a_u_turn_sees_is_not_seen_in_the_other() -> None:
    near = along(gateway(coverage=(1,) * 40 + (0,) * 52, since_ns=ns(600)), *U_TURN_M)
    told = count(person(1, 5), gateways=(near,))
    assert (told.metres_seen, told.metres) == (40, 92)
    assert [(one.from_x_m, one.to_x_m) for one in told.blind] == [(40, 92)]
    assert (told.areas[0].metres_seen, told.areas[0].metres) == (0, 5)
    mute = replace(near, health=None, silent_since_ns=ns(1))
    assert count(gateways=(mute,)).metres == 92, "its length, though nobody told of it"


def test_floor_of_which_nobody_tells_is_unseen() -> None:
    """A former gateway, which counts the mine's x, or a description of another floor than its."""
    told = count(person(1, 5), gateways=(along(gateway(), *U_TURN_M),))
    assert (told.metres_seen, told.metres, told.complete) == (40, 92, False)
    assert [(one.from_x_m, one.to_x_m, one.never_seen) for one in told.blind] == [(40, 92, False)]
    assert (told.areas[0].metres_seen, told.areas[0].metres) == (0, 5)


MAIN_M = ((0.0, 0.0, 0.0), (60.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("line_m", "unseen"),
    [
        (((20.0, 0.0, 0.0), (46.0, 15.0, 0.0)), 6),  # a branch, by 30 degrees
        (((0.0, 2.9, 0.0), (30.0, 2.9, 0.0)), 30),  # each beside the other's floor
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_unseen_floor_of_another_line_is_not_swallowed_by_seen_one(
    line_m: tuple[tuple[float, float, float], ...], unseen: int, first: bool
) -> None:
    main = along(gateway(coverage=(1,) * 60), *MAIN_M)
    beside = (0,) * unseen + (1,) * (40 - unseen)
    other = along(gateway("gw2", coverage=beside, from_x_m=line_m[0][0], since_ns=1), *line_m)
    told = count(gateways=(main, other) if first else (other, main))
    assert not told.complete
    assert told.metres - told.metres_seen == unseen
    assert [one.to_x_m - one.from_x_m for one in told.blind] == [unseen]


def test_lines_on_floors_of_unlike_width_are_one_only_where_each_holds_the_other() -> None:
    """The second line runs back beside the first one: that lies to its left."""
    wide = along(gateway(coverage=(1,) * 60), *MAIN_M)
    narrow = along(gateway("gw2", coverage=(0,) * 60), (60.0, 2.0, 0.0), (0.0, 2.0, 0.0))
    assert narrow.description is not None
    for left_m, right_m, metres in ((1.0, 1.0, 120), (1.0, 2.1, 120), (2.1, 1.0, 60)):
        floor = replace(narrow.description, left_m=left_m, right_m=right_m)
        told = count(gateways=(wide, replace(narrow, description=floor)))
        assert (told.metres_seen, told.metres) == (60, metres)


@pytest.mark.parametrize(("apart_m", "metres"), [(10.0, 120), (1.0, 60)])
def test_roadways_above_one_another_are_two(apart_m: float, metres: int) -> None:
    upper = along(gateway(coverage=(1,) * 60), *MAIN_M)
    lower = along(gateway("gw2", coverage=(0,) * 60), *((x, y, -apart_m) for x, y, _ in MAIN_M))
    told = count(gateways=(upper, lower))
    assert (told.metres_seen, told.metres) == (60, metres)


def test_a_head_count_places_what_stays_where_it_is_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many gateways, and however often: zones and roadways do not move."""
    placed, place = [], Floor.place
    far = [(0.0, 1000.0 + 50 * n, 0.0) for n in range(8)]
    mine = tuple(
        along(gateway(f"gw{n}"), start, (40.0, start[1], 0.0)) for n, start in enumerate(far)
    )
    mine = tuple(
        replace(one, description=replace(one.description, zones=(bay_at(start[1]),)))
        for one, start in zip(mine, far, strict=True)
        if one.description is not None
    )

    def counted(floor: Floor, xy_m: Floats) -> Floats:
        placed.append(len(xy_m))
        return place(floor, xy_m)

    monkeypatch.setattr(Floor, "place", counted)
    told = count(gateways=mine)
    assert [(one.metres_seen, one.metres) for one in told.areas[:-1]] == [(5, 5)] * 8
    assert len(placed) == 8, "each zone on its own roadway only"
    assert count(gateways=tuple(replace(one) for one in mine)) == told
    assert len(placed) == 8


def bay_at(y_m: float) -> ZoneDescription:
    half = ((10.0, y_m - 1), (15.0, y_m - 1), (15.0, y_m + 1), (10.0, y_m + 1))
    return replace(CROSSCUT, name=f"bay {y_m:.0f}", polygon_m=half)


def test_gateways_with_lines_of_their_own_see_one_roadway_between_them() -> None:
    """The second one's chainage falls along it, and its metres begin at other places."""
    first = along(gateway(coverage=(1,) * 20 + (0,) * 72, since_ns=ns(600)), *U_TURN_M)
    round_the_corner = ((40.0, 2.3, 0.0), (40.0, 12.0, 0.0), (30.0, 12.0, 0.0))
    second = along(gateway("gw2", coverage=(1,) * 20, from_x_m=20.0), *round_the_corner)
    told = count(gateways=(first, second))
    # It sees 42.3 to 62.3 m of the first one's chainage: of whole metres 43 to 62.
    assert (told.metres_seen, told.metres) == (20 + 19, 92)
    blind = [(one.from_x_m, one.to_x_m, one.gateways) for one in told.blind]
    assert blind == [(20, 42, ("gw1",)), (42, 43, ("gw1", "gw2")), (62, 92, ("gw1",))]
    silent = count(gateways=(first, replace(second, silent_since_ns=ns(900)))).blind
    assert (43, 62, ns(900)) in [(one.from_x_m, one.to_x_m, one.since_ns) for one in silent]
    # Where roadways only cross, each has its own metres.
    across = along(gateway("gw3", coverage=(1,) * 30, from_x_m=10.0), (10, -15, 0), (10, 15, 0))
    assert count(gateways=(first, across)).metres == 92 + 30


def test_a_gateway_that_never_spoke_sees_nothing() -> None:
    mute = MineGateway(gateway="gw1", description=description(), health=None, silent_since_ns=ns(1))
    told = count(gateways=(mute,))
    assert (told.metres_seen, told.metres) == (0, 40)
    nobody = muster((), (), (), NOW_NS)
    assert not nobody.complete
    for told_so in (told, nobody):
        assert "NO GATEWAY SPEAKS" in text_of(told_so)


def test_without_a_list_of_names_nobody_can_say_that_all_are_there() -> None:
    told = count(person(1, 5))
    assert told.complete
    assert not told.everybody
    assert count(person(1, 5, "Li"), roster=("Li",)).everybody


def test_a_gateway_that_does_not_say_what_it_sees_leaves_the_count_open() -> None:
    dumb = MineGateway(gateway="gw2", description=None, health=None, silent_since_ns=None)
    assert not count(person(1, 5), gateways=(gateway(), dumb)).complete


def test_a_gateway_without_a_centre_line_spoils_no_count() -> None:
    lost = gateway("gw2")
    assert lost.description is not None
    lost = replace(lost, description=replace(lost.description, centre_line_m=()), health=None)
    told = count(person(1, 5), gateways=(gateway(), lost))
    assert (told.people, told.complete) == (1, False)


def test_an_old_gateway_tells_no_since() -> None:
    old = gateway(coverage=(0,) * 40)
    assert old.health is not None
    old = replace(old, health=replace(old.health, coverage_unseen_since_ns=()))
    assert [one.since_ns for one in count(gateways=(old,)).blind] == [None]


def test_floor_that_was_never_seen_is_not_told_as_lost_at_some_time() -> None:
    never = gateway(coverage=(1,) * 12 + (0,) * 5 + (1,) * 23)
    told = count(gateways=(never,))
    (stretch,) = told.blind
    assert (stretch.never_seen, stretch.since_ns) == (True, None)
    assert "cannot see x 12 to 17 m: never seen since the gateway started" in text_of(told)
    assert "看不到 x 12 至 17 米：自网关启动以来从未看到" in text_of(told, "zh")
    assert "since an unknown time" not in text_of(told)
    # Once its gateway is silent, what it saw is lost since then; the rest was never seen at all.
    silent = replace(never, silent_since_ns=ns(500))
    stretches = [(one.never_seen, one.since_ns) for one in count(gateways=(silent,)).blind]
    assert stretches == [(False, ns(500)), (True, None), (False, ns(500))]
    # Floor that another gateway saw until a while ago was seen.
    other = gateway("gw2", coverage=(0,) * 40, since_ns=ns(600))
    found = count(gateways=(never, other)).blind
    assert [(one.never_seen, one.since_ns) for one in found] == [(False, ns(600))]
    nobody = count(roster=("Li",))
    assert "Li  not seen yet (listening since an unknown time)" in text_of(nobody)


def test_the_counts_of_areas_agree_with_the_count_of_all() -> None:
    twice = person(2, 30, certainty="possibly", perhaps=(1,))
    told = count(person(1, 5), twice)
    assert (told.people, told.at_least) == (2, 1)
    assert [area.at_least for area in told.areas] == [1, 0], "the second may be the first"
    # Who is only foretold is in view, and not seen.
    told = count(person(1, 5, seen_now=False), person(2, 30), person(3, 31, certainty="possibly"))
    assert (told.people, told.at_least) == (3, 2)
    assert (told.seen, told.seen_at_least) == (2, 1)


def test_the_json_form_reads_back() -> None:
    told = count(person(1, 5, "Li"), person(2, 7, "Wang", state="out_of_view"), roster=("Sun",))
    assert from_json(json.dumps(to_json(told))) == told


def test_a_table_holds_no_control_characters_and_every_word_in_both_languages() -> None:
    evil = person(1, 5, "a\x1b[2Jb\nc" + EVIL_NAME)
    for language in ("en", "zh"):
        text = text_of(count(evil, roster=("x\x1b",)), language)
        assert all(line.isprintable() for line in text.splitlines())
    assert all(len(both) == 2 and all(both) for both in WORDS.values())


def test_a_flood_of_gateways_ends_and_who_is_not_counted_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(whole_mine, "MOST_GATEWAYS", 1)
    mine = WholeMine(SITE)

    def told_after(name: str) -> Muster:
        one = said(name, 1, (position(1, 1, (5.0, 0.0)),))
        beat = replace(one.envelope, type="health", body=replace(health(ns(1)), coverage=SEEN))
        for envelope in (one.envelope, beat):
            mine.hear(replace(one.address, topic=envelope.type), envelope, one.heard_at_ns)
        return muster(mine.people(ns(1.1)), mine.gateways(ns(1.1)), (), ns(1.1), site=SITE)

    assert told_after("gw1").complete
    told = told_after("gw2")
    assert (told.people, told.complete, told.passed_over) == (1, False, ("gw2",))
    assert told.silent == (("gw2", ns(1.05)),)
    assert told_after("gw3").passed_over == ("gw2",), "a flood ends"
    assert "gateway gw2 is NOT counted: its site has too many" in text_of(told)
    assert "gateways not listened to: 1" in text_of(told).splitlines()[-1]
    assert "网关 gw2 未计入" in text_of(told, "zh")
    mine.forget("gw1", ns(1.1))
    assert told_after("gw2").passed_over == (), "there is room for it now"


def test_nobody_leaves_the_muster_without_being_seen_elsewhere() -> None:
    mine = WholeMine(SITE)
    for step in range(20):
        people = (position(1, step / 5, (10 + step / 5, 0.0), (1.0, 0.0)),)
        one = said("gw1", step / 5, people if step < 15 else ())
        mine.hear(one.address, one.envelope, one.heard_at_ns)
    for later_s in (4, 60, 3600, 20 * 3600):
        told = muster(mine.people(ns(later_s)), mine.gateways(ns(later_s)), (), ns(later_s))
        assert (told.people, told.out_of_view) == (0, 1)


def test_a_roster_is_read_with_heads_comments_and_tags(tmp_path: Path) -> None:
    file = tmp_path / "shift.csv"
    file.write_text("\ufeffname,tag\n# night\n王伟, 0417\n\nLi Na  # electrician\n", "utf-8")
    assert read_roster(file) == (Worker(name="王伟", also=("0417",)), Worker(name="Li Na"))


def test_a_roster_may_have_the_separators_of_a_spreadsheet_or_a_chinese_keyboard(
    tmp_path: Path,
) -> None:
    file = tmp_path / "shift.csv"
    file.write_text(
        '姓名；标识卡\n李伟;tag-1\n王，tag-2，tag-3\n赵\ttag-4\n"Li; Na",tag-5\n'
        '"Sun; Li";"1001"\nZhou,\t1002\n',
        "utf-8",
    )
    assert read_roster(file) == (
        Worker(name="李伟", also=("tag-1",)),
        Worker(name="王", also=("tag-2", "tag-3")),
        Worker(name="赵", also=("tag-4",)),
        Worker(name="Li; Na", also=("tag-5",)),
        Worker(name="Sun; Li", also=("1001",)),
        Worker(name="Zhou", also=("1002",)),
    )


@pytest.mark.parametrize(
    ("content", "said_so"),
    [
        ("Li\n李伟，tag-1;tag-2\n".encode(), "shift.csv:2: ; and ， in one line"),
        (b"Li\nWang\nLi\n", "shift.csv:3: Li stands in line 1 already"),
        (b",0417\n", "shift.csv:1: no name"),
        (b"# none\n", "0 workers"),
        (b"\xff\xfe\x00", "is not UTF-8"),
    ],
)
def test_a_bad_roster_is_one_clear_line(tmp_path: Path, content: bytes, said_so: str) -> None:
    file = tmp_path / "shift.csv"
    file.write_bytes(content)
    with pytest.raises(RosterError, match=said_so):
        read_roster(file)
    with pytest.raises(RosterError, match=r"nowhere\.csv"):
        read_roster(tmp_path / "nowhere.csv")


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


class Gateway:
    """Speaks over a real broker until the block ends."""

    def __init__(
        self,
        broker: EmbeddedBroker,
        coverage: tuple[int, ...] = SEEN,
        signer: Signer | None = None,
        worker: str = "Li",
    ) -> None:
        self._voice = Voice(SystemClock(), run=time.time_ns(), signer=signer)
        self._worker = worker
        self._connection = Connection(BrokerConfig(url=broker.url), client_name("sender"))
        self._coverage = coverage
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Gateway":
        self._connection.connect(20.0, wait=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._stopping.wait(0.1):
            now_ns = time.time_ns()
            one = position(1, 0.0, (5.0, 0.0), worker=self._worker)
            one = replace(one, seen_at_ns=now_ns)
            self._say(Positions(captured_at_ns=now_ns, people=(one,)))
            self._say(replace(health(now_ns), coverage=self._coverage))

    def _say(self, message: Positions | GatewayHealth) -> None:
        kind = type_name(message)
        topic = topic_name(kind, site=SITE, gateway="gw1")
        _, payload = self._voice.write(topic, message, gateway="gw1")
        self._connection.publish(topic, payload, qos=TOPICS[kind].qos, retain=False)


def args_of(broker: EmbeddedBroker, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["--broker", broker.url, *words])


def test_the_command_counts_over_a_real_broker(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roster = tmp_path / "shift.txt"
    roster.write_text("Li\n")
    with Gateway(broker):
        assert run(args_of(broker, "--roster", str(roster), "--json")) == 0
        told = from_json(capsys.readouterr().out)
        assert (told.site, told.people, told.at_least, told.missing) == (SITE, 1, 1, ())
        roster.write_text("Li\nWang\n")
        assert run(args_of(broker, "--roster", str(roster), "--language", "zh")) == 1
        assert "Wang" in capsys.readouterr().out
    with Gateway(broker, coverage=(1, 0, 1)):
        assert run(args_of(broker, "--once")) == 1
        assert "at least 1" in capsys.readouterr().out


def test_when_nobody_speaks_the_command_says_so_in_time(
    broker: EmbeddedBroker,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("control_room.muster_command.LISTEN_S", 0.3)
    assert run(args_of(broker, "--site", "elsewhere")) == 1
    assert "NO GATEWAY SPEAKS" in capsys.readouterr().out


def test_an_unreachable_broker_and_a_bad_option_are_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("control_room.muster_command.CONNECT_S", 1.0)
    assert main(["muster", "--broker", "mqtt://127.0.0.1:1"]) == 2
    assert "127.0.0.1:1" in capsys.readouterr().err
    assert main(["muster", "--roster", "/nowhere/shift.csv"]) == 2
    assert main(["muster", "--broker", "x"]) == 2
    assert "--broker x" in capsys.readouterr().err


def test_who_is_forged_is_not_counted_and_that_is_said(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = Keys(tmp_path)
    signer = keys.add("gateway", SITE, "gw1")
    roster, memory = tmp_path / "shift.txt", tmp_path / "state" / "muster"
    roster.write_text("Li\n")
    words = ["--roster", str(roster), "--json", "--keys", str(keys.trusted), "--require-signed"]
    words += ["--memory", str(memory)]
    with Gateway(broker, signer=signer):
        assert run(args_of(broker, *words)) == 0, capsys.readouterr().err
        assert from_json(capsys.readouterr().out).people == 1
    rows = json.loads(Path(f"{memory}.heard.json").read_text())
    [number] = [row[-1] for row in rows if row[3] == "positions"]
    assert number >= ENOUGH_POSITIONS, "the last one is remembered, not the first"
    for forger in (keys.stranger(), None):
        with Gateway(broker, signer=forger):
            assert run(args_of(broker, *words)) == 1
            said_so = capsys.readouterr()
            told = from_json(said_so.out)
            assert (told.people, told.complete) == (0, False)
            assert [name for name, _ in told.silent] == ["gw1"]
            assert "MESSAGES REFUSED, this count may lack people" in said_so.err
    with Gateway(broker, signer=signer), Gateway(broker, signer=keys.stranger(), worker="Wang"):
        assert run(args_of(broker, *words)) == 1, "somebody forges: look at the site"
        assert from_json(capsys.readouterr().out).people == 1


def test_a_gateway_whose_key_is_there_and_that_says_nothing_is_silent(
    broker: EmbeddedBroker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("control_room.muster_command.LISTEN_S", 2.0)
    keys = Keys(tmp_path)
    signer = keys.add("gateway", SITE, "gw1")
    (keys.trusted / f"gateway-{SITE}-gw2.pub").write_text("half a file")
    words = ("--json", "--keys", str(keys.trusted), "--memory", str(tmp_path / "m"))
    with Gateway(broker, signer=signer):
        assert run(args_of(broker, *words)) == 1
        said_so = capsys.readouterr()
        assert [name for name, _ in from_json(said_so.out).silent] == ["gw2"]
        assert "gw2.pub: is no public key in PEM" in said_so.err
        assert run(args_of(broker, "--json", "--expect", f"{SITE}/gw3")) == 1
        assert [name for name, _ in from_json(capsys.readouterr().out).silent] == ["gw3"]
