from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_room import identities
from control_room.gateway_clock import GatewayClock
from control_room.hand_over import fused, pairs, reachable
from control_room.identities import MOST_CARRIERS, in_reach
from control_room.mine_person import MinePerson, Track, track_of
from control_room.whole_mine import MOST_KEPT, WholeMine
from edge.acceptance.scoring import Instant, Score, score
from location.motion import Motion, start
from scene.messages import GatewayHealth, GatewayState, Order, Position, TagFix, Tags
from scene.topics import Address
from scene.wire import Envelope, Message, type_name
from tests.control_room.long_roadway import (
    OVERLAPPING,
    SITE,
    WITH_GAPS,
    Said,
    Stretches,
    day,
    ns,
    position,
    said,
)

HOUR_NS = 3_600_000_000_000
Place = Callable[[float], Position | None]


def hear(mine: WholeMine, *messages: Said) -> None:
    for one in messages:
        mine.hear(one.address, one.envelope, one.heard_at_ns)


def watch(
    mine: WholeMine, from_s: float, to_s: float, gateways: dict[str, list[Place]], off_s: float = 0
) -> None:
    """Let gateways speak five times a second; a place of none is somebody who is not followed."""
    for step in range(round((to_s - from_s) * 5)):
        t_s = from_s + step / 5
        for name, places in gateways.items():
            people = tuple(one for place in places if (one := place(t_s)) is not None)
            hear(mine, said(name, t_s, people, off_s=off_s))


def walker(
    track: int, x_m: float, vx_m_s: float, y_m: float = 0.0, worker: str | None = None
) -> Place:
    """Somebody who is at `x_m` at 0 s."""
    return lambda t_s: position(track, t_s, (x_m + vx_m_s * t_s, y_m), (vx_m_s, 0.0), worker=worker)


def between(low_m: float, high_m: float, place: Place) -> Place:
    def seen(t_s: float) -> Position | None:
        found = place(t_s)
        return found if found is not None and low_m <= found.xyz_m[0] <= high_m else None

    return seen


def in_view(mine: WholeMine, t_s: float) -> list[MinePerson]:
    return [one for one in mine.people(ns(t_s)) if one.state == "in_view"]


def tell(mine: WholeMine, gateway: str, message: Message, t_s: float) -> None:
    mine.hear(
        Address(prefix="mine", site=SITE, gateway=gateway, topic=type_name(message)),
        Envelope(type=type_name(message), gateway=gateway, seq=1, sent_at_ns=ns(t_s), body=message),
        ns(t_s),
    )


def test_two_gateways_that_see_the_same_person_tell_of_one() -> None:
    mine = WholeMine(SITE)
    watch(mine, 0, 2, {"a": [walker(7, 10, 1.2)], "b": [walker(3, 10.1, 1.2)]})
    (one,) = mine.people(ns(2))
    assert one.tracks == (("a", 7), ("b", 3))
    assert one.xyz_m[0] == pytest.approx(12.4, abs=0.15)
    assert one.certainty == "certainly"


def test_one_place_of_two_is_no_surer_than_the_better_and_between_both() -> None:
    good = start(0, np.zeros(2), np.diag([0.01, 0.09]))
    bad = start(0, np.array([0.2, 0.0]), np.diag([0.09, 0.09]))
    mean, covariance = fused([good, bad])
    assert 0 < mean[0] < 0.02
    for direction in np.eye(2):
        given_m2 = min(direction @ one.covariance[:2, :2] @ direction for one in (good, bad))
        assert direction @ covariance[:2, :2] @ direction >= given_m2 - 1e-9


@pytest.mark.parametrize(("apart_m", "identities"), [(0.1, 4), (1.5, 2)])
def test_whom_one_gateway_sees_at_once_are_never_one(apart_m: float, identities: int) -> None:
    mine = WholeMine(SITE)
    a = [walker(1, 10, 1.0), walker(2, 10 + apart_m, 1.0)]
    b = [walker(8, 10, 1.0), walker(9, 10 + apart_m, 1.0)]
    watch(mine, 0, 4, {"a": a, "b": b})
    people = in_view(mine, 4)
    assert len(people) == identities, "who stands in one spot is not guessed"
    sure = [one for one in people if one.certainty == "certainly"]
    assert len(sure) == 2
    if identities == 2:
        assert [one.tracks for one in people] == [(("a", 1), ("b", 8)), (("a", 2), ("b", 9))]


def test_who_were_once_seen_at_once_never_become_one_later() -> None:
    mine = WholeMine(SITE)
    watch(mine, 0, 3, {"a": [walker(1, 10, 0), walker(2, 13, 0)], "b": [walker(8, 13, 0)]})
    assert len(in_view(mine, 3)) == 2
    back: Place = lambda t: position(8, t, (13 - (t - 3), 0), (-1.0, 0))  # noqa: E731
    watch(mine, 3, 6, {"a": [walker(1, 10, 0)], "b": [back]})
    watch(mine, 6, 10, {"a": [walker(1, 10, 0)], "b": [walker(8, 10, 0)]})
    assert [one.tracks for one in in_view(mine, 10)] == [(("a", 1),), (("b", 8),)]


def test_who_walks_over_a_gap_keeps_the_identity() -> None:
    mine = WholeMine(SITE)
    a = [between(0, 60, walker(1, 50, 1.2)), between(0, 60, walker(5, 92, -1.1, 1.0))]
    b = [between(70, 99, walker(4, 50, 1.2)), between(70, 99, walker(2, 92, -1.1, 1.0))]
    watch(mine, 0, 38, {"a": a, "b": b})
    people = in_view(mine, 38)
    assert {one.tracks: one.id for one in people} == {(("b", 4),): 1, (("a", 5),): 2}


def test_in_the_gap_one_is_out_of_view_at_the_last_place() -> None:
    mine = WholeMine(SITE)
    watch(mine, 0, 12, {"a": [between(0, 60, walker(1, 50, 1.0))], "b": []})
    (one,) = mine.people(ns(12))
    assert one.state == "out_of_view"
    assert one.xyz_m[0] == pytest.approx(60, abs=0.3)
    assert one.seen_at_ns == pytest.approx(ns(10), abs=3e8)
    assert one.tracks == (("a", 1),)


def test_of_two_who_may_have_come_nobody_is_guessed() -> None:
    mine = WholeMine(SITE)
    pair = [between(0, 60, walker(1, 50, 1.2, 0.0)), between(0, 60, walker(2, 49.6, 1.2, 0.3))]
    watch(mine, 0, 14, {"a": pair, "b": []})
    watch(mine, 14, 22, {"a": [], "b": [between(70, 99, walker(9, 49.8, 1.2, 0.15))]})
    (fresh,) = in_view(mine, 22)
    assert fresh.id not in (1, 2)
    assert fresh.certainty == "possibly"
    assert fresh.perhaps == (1, 2)
    assert [one.state for one in mine.people(ns(22))] == ["out_of_view", "out_of_view", "in_view"]


def test_names_decide_where_places_do_not() -> None:
    mine = WholeMine(SITE)
    pair = [
        between(0, 60, walker(1, 50, 1.2, 0.0, "Li")),
        between(0, 60, walker(2, 49.6, 1.2, 0.3, "Wang")),
    ]
    watch(mine, 0, 14, {"a": pair, "b": []})
    watch(mine, 14, 22, {"a": [], "b": [between(70, 99, walker(9, 49.8, 1.2, 0.15, "Wang"))]})
    (one,) = in_view(mine, 22)
    assert (one.id, one.worker) == (2, "Wang")


def test_another_name_is_another_person() -> None:
    mine = WholeMine(SITE)
    watch(mine, 0, 3, {"a": [walker(1, 10, 0, worker="Li")], "b": [walker(1, 10, 0)]})
    assert len(mine.people(ns(3))) == 1
    watch(
        mine, 3, 5, {"a": [walker(1, 10, 0, worker="Li")], "b": [walker(1, 10, 0, worker="Wang")]}
    )
    assert sorted(str(one.worker) for one in in_view(mine, 5)) == ["Li", "Wang"]


def test_one_whom_two_gateways_see_far_apart_becomes_two() -> None:
    mine = WholeMine(SITE)
    watch(mine, 0, 3, {"a": [walker(1, 10, 0)], "b": [walker(1, 10, 0)]})
    assert len(mine.people(ns(3))) == 1
    away: Place = lambda t: position(1, t, (10 + 1.5 * (t - 3), 0), (1.5, 0))  # noqa: E731
    watch(mine, 3, 8, {"a": [walker(1, 10, 0)], "b": [away]})
    assert len(in_view(mine, 8)) == 2


def test_a_track_that_breaks_in_the_middle_is_the_same_person() -> None:
    mine = WholeMine(SITE)
    watch(mine, 0, 3, {"a": [walker(1, 10, 0.8)]})
    watch(mine, 3, 6, {"a": []})
    watch(mine, 6, 8, {"a": [walker(2, 10, 0.8)]})
    assert [(one.id, one.tracks) for one in mine.people(ns(8))] == [(1, (("a", 2),))]


def test_a_silent_gateways_people_are_unknown_and_stay() -> None:
    mine = WholeMine(SITE)
    watch(mine, 0, 3, {"a": [walker(1, 10, 0)], "b": [walker(1, 90, 0)]})
    watch(mine, 3, 13, {"b": [walker(1, 90, 0)]})
    silent, seen = mine.people(ns(13))
    assert silent.state == "unknown"
    assert silent.xyz_m[0] == pytest.approx(10)
    assert silent.since_ns == pytest.approx(ns(2.85), abs=3e8)
    assert seen.state == "in_view"
    tell(mine, "b", GatewayState(online=False, since_ns=ns(13)), 13)
    assert [one.state for one in mine.people(ns(13))] == ["unknown", "unknown"]
    watch(mine, 20, 22, {"a": [walker(1, 10, 0)], "b": [walker(1, 90, 0)]})
    assert [(one.id, one.state) for one in mine.people(ns(22))] == [(1, "in_view"), (2, "in_view")]


def test_whom_a_gateway_places_no_more_is_in_view_no_more_though_its_heartbeat_goes_on() -> None:
    mine = WholeMine(SITE)
    watch(mine, 0, 2, {"a": [walker(1, 10, 0.0)]})
    beat = GatewayHealth(
        captured_at_ns=ns(9),
        cameras=(),
        panorama_fps=0.0,
        detection_fps=0.0,
        detection_age_s=None,
        detection_provider="cpu",
    )
    tell(mine, "a", beat, 9)
    assert [one.state for one in mine.people(ns(5))] == ["in_view"]
    (lost,) = mine.people(ns(9.5))
    assert lost.state == "unknown"
    assert lost.since_ns == pytest.approx(ns(1.8), abs=1e9)
    assert mine.gateways(ns(9.5))[0].silent_since_ns is None


def test_our_own_clock_set_back_an_hour_freezes_nobody_and_hides_no_silence() -> None:
    mine = WholeMine(SITE)
    watch(mine, 0, 3, {"a": [walker(1, 10, 1.0)], "b": [walker(1, 90, 0.0)]})
    tag = TagFix(tag="t", xy_m=(1.0, 0.0), sigma_m=0.3, at_ns=ns(3))
    tell(mine, "", Tags(captured_at_ns=ns(3), fixes=(tag,)), 3)
    for step in range(30):  # from now on our clock is slow by an hour; b has just died
        t_s = 3 + step / 5
        one = said("a", t_s, (walker(1, 10, 1.0)(t_s) or pytest.fail(),))
        mine.hear(one.address, one.envelope, one.heard_at_ns - HOUR_NS)
    moved = replace(tag, xy_m=(7.0, 0.0), at_ns=ns(9) - HOUR_NS)
    tell(mine, "", Tags(captured_at_ns=moved.at_ns, fixes=(moved,)), 9 - 3600)
    now_ns = ns(9) - HOUR_NS
    walks, stands = mine.people(now_ns)
    assert (walks.state, stands.state) == ("in_view", "unknown")
    assert walks.xyz_m[0] == pytest.approx(19, abs=0.5)
    assert [one.silent_since_ns is not None for one in mine.gateways(now_ns)] == [False, True]
    assert [one.xy_m for one in mine.tags()] == [(7.0, 0.0)]


def test_what_the_control_room_says_makes_no_gateway() -> None:
    mine = WholeMine(SITE)
    tell(mine, "gone", Order(alarm="a", action="end", by="Li", reason="x", ordered_at_ns=1), 1)
    assert mine.gateways(ns(60)) == ()


def test_a_gateway_whose_clock_is_an_hour_off_tells_the_same() -> None:
    told = []
    for off_s in (0.0, 3600.0, -3600.0):
        mine = WholeMine(SITE)
        for step in range(100):
            t_s = step / 5
            hear(
                mine,
                said("a", t_s, (position(1, t_s, (10 + t_s, 0), (1, 0)),)),
                said("b", t_s, (position(1, t_s, (10 + t_s, 0), (1, 0)),), off_s=off_s),
            )
        (one,) = mine.people(ns(20))
        told.append(one.xyz_m[0])
        assert one.tracks == (("a", 1), ("b", 1))
        off = {gateway.gateway: gateway.clock_off_s for gateway in mine.gateways(ns(20))}
        assert off == {"a": 0.0, "b": pytest.approx(-off_s, abs=0.2)}
    assert told == pytest.approx([told[0]] * 3, abs=0.2)


def test_while_a_clock_is_set_nothing_is_believed_and_then_all_again() -> None:
    clock = GatewayClock()
    for step in range(9):
        assert clock.shift_ns(heard_at_ns=step, sent_at_ns=step, captured_at_ns=step) == 0
    later = [
        clock.shift_ns(heard_at_ns=20, sent_at_ns=HOUR_NS, captured_at_ns=HOUR_NS) for _ in range(9)
    ]
    assert later[0] is None
    assert later[-1] == 20 - HOUR_NS


def test_a_heartbeat_comes_on_our_clock() -> None:
    mine = WholeMine(SITE)
    beat = GatewayHealth(
        captured_at_ns=ns(0) + HOUR_NS,
        cameras=(),
        panorama_fps=10,
        detection_fps=5,
        detection_age_s=0.1,
        detection_provider="CPU",
        coverage=(0, 1),
        coverage_unseen_since_ns=(ns(-60) + HOUR_NS, None),
    )
    address = Address(prefix="mine", site=SITE, gateway="a", topic="health")
    envelope = Envelope(type="health", gateway="a", seq=1, sent_at_ns=ns(0) + HOUR_NS, body=beat)
    mine.hear(address, envelope, ns(0))
    (gateway,) = mine.gateways(ns(0))
    assert gateway.health is not None
    assert gateway.health.coverage_unseen_since_ns == (ns(-60), None)


def test_another_sites_people_are_not_ours() -> None:
    mine = WholeMine(SITE)
    one = said("a", 0, (position(1, 0, (1, 1)),))
    mine.hear(replace(one.address, site="other"), one.envelope, one.heard_at_ns)
    assert mine.people(ns(0)) == ()


def test_only_so_many_are_remembered_and_names_longest() -> None:
    mine = WholeMine(SITE)
    for number in range(MOST_KEPT + 50):
        worker = "Li" if number == 0 else None
        place = (float(number * 300), 0.0)
        t_s = 80.0 * number
        hear(mine, said("a", t_s, (position(number, t_s, place, worker=worker),)))
    people = mine.people(ns(80.0 * (MOST_KEPT + 50)))
    assert len(people) == MOST_KEPT + 1, "and the one who is in view"
    assert people[0].worker == "Li"


def test_however_many_are_in_view_who_is_not_is_remembered() -> None:
    mine = WholeMine(SITE)
    for gateway in range(3):
        start_m = 20_000.0 * gateway
        crowd = tuple(position(n, 0, (start_m + 30.0 * n, 0.0)) for n in range(MOST_KEPT // 3 + 20))
        hear(mine, said(f"gw{gateway}", 0, crowd))
    for t_s in (0.5, 1.0, 15.0):
        hear(mine, said("gw9", t_s, (position(1, t_s, (-900.0, 0.0)),) if t_s < 15 else ()))
    states = [one.state for one in mine.people(ns(15.2))]
    assert states.count("out_of_view") == 1


def test_who_walks_to_and_fro_all_day_is_one_and_takes_no_more_memory() -> None:
    """Each of two gateways gives a new number whenever somebody comes into its sight."""
    mine, t_s = WholeMine(SITE), 0.0
    for number in range(3 * MOST_CARRIERS):
        gateway, x_m = ("a", 10.0) if number % 2 else ("b", 12.0)
        place = partial(position, number, xy_m=(x_m, 0.0), worker="Li")
        watch(mine, t_s, t_s + 1, {gateway: [place], "b" if number % 2 else "a": []})
        t_s += 1
    (one,) = mine.people(ns(t_s))
    assert (one.worker, one.tracks) == ("Li", (("a", 3 * MOST_CARRIERS - 1),))
    (known,) = mine._identities._people.values()
    assert len(known.carriers) == MOST_CARRIERS


def test_who_is_gone_and_comes_back_under_an_old_number_is_the_same() -> None:
    mine = WholeMine(SITE)
    watch(mine, 0, 2, {"a": [walker(7, 10, 0)]})
    watch(mine, 2, 3, {"a": []})
    watch(mine, 3, 5, {"a": [walker(7, 10, 0)]})
    (one,) = mine.people(ns(5))
    assert (one.tracks, one.perhaps) == ((("a", 7),), ())


@given(data=st.data())
def test_whoever_may_have_got_there_is_looked_at(data: st.DataObject) -> None:
    """Pairs are sorted out all at once; nobody may be sorted out who is reachable."""
    tracks = list[Track]()
    for number in range(data.draw(st.integers(2, 6))):
        here = [data.draw(st.floats(-60, 60)) for _ in range(3)]
        born_s = data.draw(st.floats(0, 20))
        first = position(number, born_s, (here[0], 0.0), (here[2] / 20, 0.0), sigma_m=2.0)
        track = track_of(("a", number), first, 0, ns(born_s), None)
        t_s = born_s + data.draw(st.floats(0.1, 20))
        then = position(number, t_s, (here[1], 0.0), (here[2] / 20, 0.0), sigma_m=2.0)
        tracks.append(track_of(("a", number), then, 0, ns(t_s), track))
    found = in_reach(tracks, tracks)
    for r, one in enumerate(tracks):
        for c, other in enumerate(tracks):
            if reachable(one.birth, other.seen) or reachable(one.now, other.seen):
                assert found[r, c]


def test_people_of_gateways_that_come_late_cost_no_look_at_everybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What comes late must not be dear, or it comes later and later: 40 gateways, 30 s apart."""
    looks = list[int]()

    def counted(one: Motion, other: Motion) -> bool:
        looks.append(1)
        return reachable(one, other)

    monkeypatch.setattr(identities, "reachable", counted)
    mine = WholeMine(SITE)
    for number in range(40):
        people = [walker(10 * n, 1000.0 * number + 3 * n, 1.0) for n in range(10)]
        watch(mine, 3 * number, 3 * number + 0.4, {f"gw{number}": people})
    assert len(mine.people(ns(120))) == 400
    assert len(looks) < 1000, "each whether it is still where it was, and nobody else"


def test_who_hears_each_gateway_seldom_takes_none_for_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else an overloaded control room compares all with all, and never comes out of it again."""
    looks = list[int]()

    def counted(one: Motion, other: Motion) -> bool:
        looks.append(1)
        return reachable(one, other)

    monkeypatch.setattr(identities, "reachable", counted)
    mine, gateways = WholeMine(SITE), 30
    for turn in range(4):
        looks.clear()
        for number in range(gateways):  # each tells of nine whom it knows, and of somebody new
            numbers = [*range(1, 10), 100 + turn]
            people = [walker(n, 40.0 * number + n % 10, 0.0) for n in numbers]
            t_s = 30.0 * turn + number
            tracks = tuple(one for place in people if (one := place(t_s)) is not None)
            hear(mine, said(f"gw{number}", t_s, tracks))
    assert len(looks) < 500, "of 30 newcomers; each with all others, it would be 760"


def test_who_walks_out_of_a_gateway_that_has_died_is_found_again() -> None:
    mine = WholeMine(SITE)
    li = walker(1, 0.0, 1.0)
    watch(mine, 0, 20, {"a": [between(0, 20, li)], "b": []})
    watch(mine, 20, 45, {"b": [between(35, 60, walker(9, 0.0, 1.0))]})
    (one,) = in_view(mine, 45)
    assert (one.id, one.tracks) == (1, (("b", 9),))


def test_a_pair_is_beyond_doubt_only_when_no_other_way_is_nearly_as_good() -> None:
    clear = np.array([[0.0, 15.0], [15.0, 0.0]])
    kept, likely = pairs(clear, np.ones((2, 2), bool))
    assert kept == [(0, 0), (1, 1)]
    assert likely[0, 0] > 0.99
    kept, likely = pairs(np.array([[0.0, 1.0], [1.0, 0.0]]), np.ones((2, 2), bool))
    assert kept == []
    assert likely[0] == pytest.approx([0.73, 0.27], abs=0.01)


def follow(seed: int, stretches: Stretches, seconds: float) -> Score:
    mine, truth, found = WholeMine(SITE), list[Instant](), list[Instant]()
    for t_s, true, messages in day(seed, stretches, seconds=seconds):
        hear(mine, *messages)
        truth.append(true)
        found.append({one.id: one.xyz_m[:2] for one in in_view(mine, t_s)})
    return score(truth, found, 1.0)


@pytest.mark.parametrize(
    ("stretches", "least", "most"), [(OVERLAPPING, 0.90, 12), (WITH_GAPS, 0.65, 22)]
)
def test_twelve_people_keep_who_they_are(stretches: Stretches, least: float, most: int) -> None:
    found = [follow(seed, stretches, 90.0) for seed in (0, 1)]
    assert np.mean([one.idf1 for one in found]) > least
    assert sum(one.switches for one in found) <= most


messages = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 40),  # when, fifths of a second
        st.lists(
            st.tuples(
                st.integers(1, 4),
                st.floats(0, 60),
                st.floats(-3, 3),
                st.floats(-3, 3),
                st.sampled_from([None, "Li", "Wang"]),
            ),
            max_size=4,
        ),
        st.sampled_from([0.0, 0.0, 0.0, 3600.0, -3600.0]),
        st.integers(0, 2),  # how often it is heard again
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(messages)
def test_whatever_comes_nobody_vanishes_or_is_in_two_places(
    heard: list[tuple[str, int, list[tuple[int, float, float, float, str | None]], float, int]],
) -> None:
    mine, again = WholeMine(SITE), WholeMine(SITE)
    ever: dict[tuple[str, int], int] = {}
    for gateway, fifth, people, off_s, repeats in heard:
        t_s = fifth / 5
        one = said(
            gateway,
            t_s,
            tuple(position(n, t_s, (x, y), (v, 0.0), worker=w) for n, x, y, v, w in people),
            off_s=off_s,
        )
        for _ in range(1 + repeats):
            before = {known.id: known for known in mine.people(ns(9))}
            hear(mine, one)
            hear(again, one)
            after = mine.people(ns(9))
            ids = [known.id for known in after]
            assert len(set(ids)) == len(ids)
            live = [
                carrier
                for known in after
                if known.state != "out_of_view"
                for carrier in known.tracks
            ]
            assert len(set(live)) == len(live), "one track, two people"
            for known in after:
                gateways = [name for name, _ in known.tracks]
                assert len(set(gateways)) == len(gateways), "two of one gateway are one"
                assert np.linalg.eigvalsh(np.array(known.covariance_m2))[0] > 0
            # Who is told of no more has become one with somebody whom a gateway follows.
            gone = before.keys() - set(ids)
            assert len(gone) <= sum(known.state != "out_of_view" for known in after)
        for known in after:
            ever.update(dict.fromkeys(known.tracks, known.id))
    assert mine.people(ns(9)) == again.people(ns(9))
    assert (len(mine.people(ns(9))) > 0) == bool(ever)


def test_a_name_is_borne_once_and_whoever_bore_it_before_is_missed_without_one() -> None:
    mine = WholeMine(SITE)
    watch(mine, 0, 4, {"a": [walker(1, 5, 0.0, worker="Li"), walker(2, 9, 0.0)]})
    far = walker(3, 150, 0.0, worker="Li")  # nobody walks so far in so short a time
    watch(mine, 4, 8, {"a": [far, walker(2, 9, 0.0)]})
    told = {one.tracks: (one.state, one.worker) for one in mine.people(ns(8))}
    assert told[(("a", 3),)] == ("in_view", "Li")
    assert told[(("a", 1),)] == ("out_of_view", None)
    assert told[(("a", 2),)] == ("in_view", None)
