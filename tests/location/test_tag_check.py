from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from location.tag_check import TagCheck
from scene.floor import Floor
from scene.limits import TagLimits
from scene.messages import Anomaly, GatewayHealth, Order, Position, Positions, TagFix, Tags
from scene.site import FloorConfig

S = 1_000_000_000
START_NS = 1_790_000_000_000_000_000
FLOOR = Floor(FloorConfig(centre_line_m=((0, 0, 0), (40, 0, 4)), left_m=2.5, right_m=2.5))
LIMITS = TagLimits()
"""The defaults: 30 s each, over for 5 s; windows of 10 s."""
Spot = tuple[float, float]
Tagged = Callable[[float], dict[str, Spot]]
"""Where each tag is, by seconds."""
Worker = tuple[Spot, str | None]
People = Callable[[float], dict[int, Worker]]
"""Where each track is and what name it has."""


def ns(at_s: float) -> int:
    return START_NS + round(at_s * S)


def person(track: int, xy_m: Spot, at_s: float, worker: str | None = None) -> Position:
    return Position(
        track=track,
        xyz_m=(*xy_m, 0.0),
        covariance_m2=((0.01, 0.0), (0.0, 0.01)),
        velocity_m_s=(0.0, 0.0),
        height_m=1.75,
        posture="upright",
        certainty="certainly",
        seen_at_ns=ns(at_s),
        cameras=("c1",),
        worker=worker,
        worker_probability=None if worker is None else 0.99,
    )


def tags_at(at_s: float, spots: dict[str, Spot]) -> Tags:
    fixes = tuple(
        TagFix(tag=tag, xy_m=xy, sigma_m=0.3, at_ns=ns(at_s)) for tag, xy in spots.items()
    )
    return Tags(captured_at_ns=ns(at_s), fixes=fixes)


def health_at(at_s: float, covered: tuple[float, float] = (0.0, 40.0)) -> GatewayHealth:
    return GatewayHealth(
        captured_at_ns=ns(at_s),
        cameras=(),
        panorama_fps=10.0,
        detection_fps=5.0,
        detection_age_s=0.1,
        detection_provider="cpu",
        coverage_from_x_m=0.0,
        coverage=tuple(int(covered[0] <= x < covered[1]) for x in range(40)),
    )


class Play:
    """A check, told where people are ten times a second, where tags are once a second."""

    def __init__(self, limits: TagLimits = LIMITS, floor: Floor | None = FLOOR) -> None:
        self.check = TagCheck(limits, floor)
        self.tenths = 0
        self.covered = (0.0, 40.0)
        self.said: list[tuple[float, Anomaly]] = []

    def go(
        self, seconds: float, people: People, tags: Tagged | None, *, off_s: float = 0.0
    ) -> "Play":
        for _ in range(round(seconds * 10)):
            t = self.tenths / 10
            if self.tenths % 10 == 0:
                self.check.hear(health_at(t, self.covered))
                if tags is not None:
                    self.check.hear(tags_at(t + off_s, tags(t)))
            self.show(people(t))
        return self

    def show(self, people: dict[int, Worker]) -> None:
        t = self.tenths / 10
        told = tuple(person(track, xy, t, name) for track, (xy, name) in people.items())
        for anomaly in self.check.update(Positions(captured_at_ns=ns(t), people=told)):
            self.said.append((t, anomaly))
        self.tenths += 1

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(anomaly.kind, anomaly.state) for _, anomaly in self.said]


def nobody(_: float) -> dict[int, Worker]:
    return {}


def both(tag: str = "a", track: int = 1) -> tuple[People, Tagged]:
    """Somebody who stands at 30 m with a tag: the tag system speaks, and all is well."""
    return lambda _: {track: ((30.0, 0.0), tag)}, lambda _: {tag: (30.0, 0.0)}


# ---- a tag without a person ----


def test_a_card_left_behind_is_an_alarm_until_somebody_is_with_it_again() -> None:
    play = Play().go(40.0, nobody, lambda _: {"a": (10.0, 1.0)})
    at_s, alarm = play.said[0]
    assert play.events == [("tag_without_person", "active")]
    assert 30.0 <= at_s <= 32.0
    assert alarm.id == f"tag_without_person-a-{alarm.raised_at_ns // 1_000_000}"
    assert alarm.xyz_m == (10.0, 1.0, 1.0), "on the floor, which rises by a tenth"
    assert (alarm.severity, alarm.certainty, alarm.track) == ("warning", "certainly", None)
    assert "Tag a: nobody with it for 30 s" in alarm.evidence
    assert play.check.active() == (alarm,)
    play.go(20.0, lambda _: {1: ((10.0, 1.0), None)}, lambda _: {"a": (10.0, 1.0)})
    at_s, over = play.said[1]
    assert (over.id, over.state) == (alarm.id, "cleared")
    assert 45.0 <= at_s <= 50.0
    assert play.check.active() == ()


def test_a_card_is_alone_by_what_is_covered_along_a_roadway_across_x() -> None:
    north = Floor(FloorConfig(centre_line_m=((0, 0, 0), (0, 40, 0)), left_m=2.5, right_m=2.5))
    card: Tagged = lambda _: {"a": (1.0, 30.0)}  # noqa: E731
    assert Play(floor=north).go(40.0, nobody, card).events == [("tag_without_person", "active")]
    half = Play(floor=north)
    half.covered = (0.0, 20.0)
    assert half.go(40.0, nobody, card).events == [], "there no camera looks"


def test_gross_errors_and_lost_places_put_off_no_alarm_and_raise_none() -> None:
    def now_and_then(t: float) -> dict[str, Spot]:
        if round(t) % 5 == 3:
            return {"a": (16.0, 0.0)}
        return {} if round(t) % 7 == 6 else {"a": (10.0, 0.0)}

    lying = Play().go(40.0, lambda _: {1: ((16.0, 0.0), "b")}, now_and_then)
    assert lying.events == [("tag_without_person", "active")]
    worn = Play().go(90.0, lambda _: {1: ((10.0, 0.0), "a")}, now_and_then)
    assert worn.events == []


def test_the_time_alone_does_not_begin_with_an_error_before() -> None:
    def tags(t: float) -> dict[str, Spot]:
        return {"a": (20.0, 0.0) if t == 18.0 else (10.0, 0.0)}

    play = Play().go(60.0, lambda t: {1: ((10.0, 0.0), "a")} if t < 20.0 else {}, tags)
    assert play.events == [("tag_without_person", "active")]
    assert play.said[0][0] >= 50.0


@pytest.mark.parametrize(
    ("covered", "spot"),
    [
        pytest.param((0.0, 40.0), (45.0, 0.0), id="beyond the end"),
        pytest.param((0.0, 20.0), (25.0, 0.0), id="no camera looks there"),
        pytest.param((0.0, 20.0), (19.5, 0.0), id="at the edge of what they see"),
        pytest.param((0.0, 0.0), (10.0, 0.0), id="all cameras are dead"),
        pytest.param((0.0, 40.0), (10.0, 20.0), id="in the parallel roadway"),
    ],
)
def test_cannot_see_is_never_nobody_there(covered: tuple[float, float], spot: Spot) -> None:
    play = Play()
    play.covered = covered
    assert play.go(90.0, nobody, lambda _: {"a": spot}).events == []


def test_without_new_heartbeats_no_tag_is_alone() -> None:
    play = Play()
    play.check.hear(health_at(0.0))
    for _ in range(900):
        if play.tenths % 10 == 0:
            play.check.hear(tags_at(play.tenths / 10, {"a": (10.0, 0.0)}))
        play.show({})
    assert play.events == []


def test_while_a_camera_is_dead_the_time_that_a_tag_is_alone_starts_again() -> None:
    tags: Tagged = lambda _: {"a": (10.0, 0.0)}  # noqa: E731
    play = Play().go(25.0, nobody, tags)
    play.covered = (15.0, 40.0)
    play.go(15.0, nobody, tags)
    play.covered = (0.0, 40.0)
    assert play.go(27.0, nobody, tags).events == []
    assert play.go(10.0, nobody, tags).events == [("tag_without_person", "active")]


def test_a_dead_camera_does_not_end_an_alarm_and_a_tag_carried_off_does() -> None:
    play = Play().go(40.0, nobody, lambda _: {"a": (10.0, 0.0)})
    play.covered = (0.0, 0.0)
    play.go(60.0, nobody, lambda _: {"a": (10.0, 0.0)})
    assert play.events == [("tag_without_person", "active")]
    play.go(20.0, nobody, lambda _: {"a": (20.0, 0.0)})
    assert play.events[1:] == [("tag_without_person", "cleared")]


def test_a_tag_that_is_heard_no_more_is_no_alarm_for_ever() -> None:
    people, tags = both("b")
    play = Play().go(40.0, people, lambda t: {"a": (10.0, 0.0)} | tags(t))
    play.go(50.0, people, tags)
    assert play.events == [("tag_without_person", "active")]
    play.go(20.0, people, tags)
    assert play.events[1:] == [("tag_without_person", "cleared")]


# ---- a person without a tag ----


def test_a_person_near_whom_no_tag_is_is_an_alarm_until_one_is() -> None:
    people, tags = both("b")
    play = Play().go(40.0, lambda t: {7: ((10.0, 0.0), None)} | people(t), tags)
    at_s, alarm = play.said[0]
    assert play.events == [("person_without_tag", "active")]
    assert 30.0 <= at_s <= 32.0
    assert alarm.id == f"person_without_tag-7-{alarm.raised_at_ns // 1_000_000}"
    assert (alarm.track, alarm.xyz_m) == (7, (10.0, 0.0, 0.0))
    assert (alarm.certainty, alarm.probability) == ("certainly", 1.0)
    assert "no tag near for 30 s" in alarm.evidence
    more: Tagged = lambda t: {"a": (10.2, 0.0)} | tags(t)  # noqa: E731
    play.go(20.0, lambda t: {7: ((10.0, 0.0), None)} | people(t), more)
    assert play.events[1:] == [("person_without_tag", "cleared")]


def test_whom_nobody_can_name_but_a_tag_may_belong_to_is_no_alarm() -> None:
    two: People = lambda _: {1: ((10.0, 0.0), None), 2: ((10.4, 0.0), None)}  # noqa: E731
    assert Play().go(90.0, two, lambda _: {"a": (10.2, 0.0), "b": (10.2, 0.2)}).events == []


def test_beside_somebody_who_wears_the_only_tag_one_has_none() -> None:
    two: People = lambda _: {1: ((10.0, 0.0), "a"), 2: ((10.4, 0.0), None)}  # noqa: E731
    play = Play().go(40.0, two, lambda _: {"a": (10.2, 0.0)})
    assert [(one.kind, one.track) for _, one in play.said] == [("person_without_tag", 2)]


def test_a_new_track_at_the_same_place_carries_the_alarm_on() -> None:
    people, tags = both("b")
    play = Play().go(40.0, lambda t: {7: ((10.0, 0.0), None)} | people(t), tags)
    play.go(2.0, people, tags)
    play.go(40.0, lambda t: {8: ((10.5, 0.0), None)} | people(t), tags)
    assert len({one.id for _, one in play.said}) == 1
    assert play.check.active()[0].track == 8
    assert "who was person 7 before" in play.said[-1][1].evidence
    play.go(31.0, people, tags)
    assert play.events[-1] == ("person_without_tag", "cleared"), "gone for 30 s"


def test_a_place_that_is_a_step_off_is_neither_alone_nor_away() -> None:
    """Systems' sigmas are often too good to be true."""
    aside: People = lambda _: {1: ((10.0, 0.0), None)}  # noqa: E731
    assert Play().go(90.0, aside, lambda _: {"a": (11.45, 0.0)}).events == []


# ---- the tag system ----


def test_before_a_tag_system_is_heard_nobody_needs_a_tag() -> None:
    assert Play().go(120.0, lambda _: {1: ((10.0, 0.0), None)}, None).events == []


@pytest.mark.parametrize("limits", [LIMITS, TagLimits(person_without_tag_after_s=3.0)])
def test_when_the_tag_system_dies_there_is_no_flood(limits: TagLimits) -> None:
    crowd = {n: (10.0 + 2 * n, 0.0) for n in range(8)}
    play = Play(limits)
    play.go(
        60.0,
        lambda _: {n: (xy, f"t{n}") for n, xy in crowd.items()},
        lambda _: {f"t{n}": xy for n, xy in crowd.items()},
    )
    play.go(200.0, lambda _: {n: (xy, None) for n, xy in crowd.items()}, None)
    assert play.events == []


def test_alarms_stay_while_the_tag_system_is_silent() -> None:
    play = Play().go(40.0, nobody, lambda _: {"a": (10.0, 0.0)}).go(300.0, nobody, None)
    assert play.events == [("tag_without_person", "active")]
    play.go(30.0, lambda _: {1: ((10.0, 0.0), None)}, lambda _: {"a": (10.0, 0.0)})
    assert play.events[1:] == [("tag_without_person", "cleared")]


@pytest.mark.parametrize("off_s", [-3600.0, 3600.0, 30.0, -30.0])
def test_a_tag_system_with_a_wrong_clock_raises_nothing(off_s: float) -> None:
    """Its places are of no instant at which anybody was seen; it counts as silent."""
    play = Play().go(1.0, lambda _: {1: ((10.0, 0.0), None)}, None)
    play.go(120.0, lambda _: {1: ((10.0, 0.0), None)}, lambda _: {"a": (30.0, 0.0)}, off_s=off_s)
    assert play.events == []


def test_without_limits_nothing_is_checked() -> None:
    check = TagCheck(None)
    check.hear(tags_at(0.0, {"a": (10.0, 0.0)}))
    assert check.update(Positions(captured_at_ns=ns(9), people=())) == ()


# ---- two tags ----


def walk(t: float) -> Spot:
    return (10.0 + 0.2 * t, 0.0)


def test_two_tags_that_move_with_one_person_are_an_alarm_until_they_part() -> None:
    def tags(t: float) -> dict[str, Spot]:
        return {"a": walk(t), "b": walk(t)}

    play = Play().go(45.0, lambda t: {1: (walk(t), "a")}, tags)
    _, alarm = play.said[0]
    assert play.events == [("two_tags", "active")]
    assert alarm.id == f"two_tags-a-b-{alarm.raised_at_ns // 1_000_000}"
    assert alarm.track == 1
    assert alarm.worker == "a"
    assert alarm.evidence.startswith("a (person 1): tags a and b have both moved with the same ")
    two: People = lambda t: {1: (walk(t), "a"), 2: ((30.0, 0.0), "b")}  # noqa: E731
    play.go(20.0, two, lambda t: {"a": walk(t), "b": (30.0, 0.0)})
    assert play.events[1:] == [("two_tags", "cleared")]


def test_two_who_walk_together_with_a_tag_each_are_no_alarm() -> None:
    def people(t: float) -> dict[int, Worker]:
        x, y = walk(t)
        return {1: ((x, y), None), 2: ((x, y + 0.5), None)}

    assert Play().go(90.0, people, lambda t: {"a": walk(t), "b": walk(t)}).events == []


def test_a_card_that_lies_next_to_somebody_is_no_second_tag() -> None:
    still: People = lambda _: {1: ((10.0, 0.0), "a")}  # noqa: E731
    assert Play().go(90.0, still, lambda _: {"a": (10.0, 0.0), "b": (10.5, 0.0)}).events == []


# ---- one cause, one alarm ----


def test_who_lays_the_tag_aside_and_stays_in_view_is_one_alarm() -> None:
    people, tags = both("b", 2)
    play = Play().go(
        10.0, lambda t: {1: ((10.0, 0.0), "a")} | people(t), lambda t: {"a": (10.0, 0.0)} | tags(t)
    )
    play.go(
        60.0, lambda t: {1: ((18.0, 0.0), None)} | people(t), lambda t: {"a": (10.0, 0.0)} | tags(t)
    )
    assert [(one.kind, one.track) for _, one in play.said] == [("person_without_tag", 1)]
    play.go(70.0, people, lambda t: {"a": (10.0, 0.0)} | tags(t))
    assert play.events[1:] == [("person_without_tag", "cleared"), ("tag_without_person", "active")]


# ---- when messages come ----


def story(arrive: Callable[[int], float]) -> list[Anomaly]:
    """A card is left behind and taken up again; `arrive` says when each message comes."""
    messages: list[tuple[float, Tags | GatewayHealth]] = []
    for second in range(70):
        tags = {"a": (10.0, 0.0), "b": (30.0, 0.0)}
        messages += [(second, health_at(second)), (second, tags_at(second, tags))]
    due = sorted(
        ((at_s + arrive(number), number, one) for number, (at_s, one) in enumerate(messages)),
        key=lambda row: row[:2],
    )
    check, said = TagCheck(LIMITS, FLOOR), list[Anomaly]()
    for tenth in range(700):
        t = tenth / 10
        while due and due[0][0] <= t:
            check.hear(due.pop(0)[2])
        people = [person(2, (30.0, 0.0), t, "b")]
        people += [person(1, (10.3, 0.0), t)] if t > 45 else []
        said += check.update(Positions(captured_at_ns=ns(t), people=tuple(people)))
    return said


@settings(deadline=None, max_examples=10)
@given(st.lists(st.floats(-0.5, 0.49), min_size=7, max_size=7))
def test_when_messages_arrive_does_not_matter_before_they_count(late_s: list[float]) -> None:
    usual = story(lambda _: 0.0)
    assert [one.state for one in usual] == ["active", "cleared"]
    assert story(lambda number: late_s[number % 7]) == usual
    assert story(lambda _: -1000.0) == usual, "a recording may be told all at once, before"


def test_after_a_restart_alarms_go_on_under_their_old_ids() -> None:
    people, tags = both("b")
    strange: People = lambda t: {7: ((10.0, 0.0), None)} | people(t)  # noqa: E731
    lone: Tagged = lambda t: {"x/y": (20.0, 0.0)} | tags(t)  # noqa: E731
    before = Play().go(40.0, strange, lone)
    assert sorted(before.events) == [
        ("person_without_tag", "active"),
        ("tag_without_person", "active"),
    ]
    assert all("/" not in one.id for _, one in before.said), "an id is part of a topic"
    after = Play()
    after.tenths = before.tenths
    after.check.adopt(before.check.active())
    assert after.check.active() == before.check.active()
    assert after.go(60.0, strange, lone).events == []
    after.go(
        20.0,
        lambda t: {7: ((10.0, 0.0), "x/y")} | people(t),
        lambda t: {"x/y": (10.0, 0.0)} | tags(t),
    )
    assert sorted(one.id for _, one in after.said) == sorted(one.id for _, one in before.said)
    assert after.check.active() == ()


def test_alarms_of_other_kinds_and_cleared_ones_are_not_adopted() -> None:
    play = Play().go(40.0, nobody, lambda _: {"a": (10.0, 0.0)})
    alarm = play.check.active()[0]
    check = TagCheck(LIMITS)
    check.adopt((replace(alarm, state="cleared"), replace(alarm, kind="man_down")))
    assert check.active() == ()


def test_when_time_starts_anew_active_alarms_stay() -> None:
    play = Play().go(40.0, nobody, lambda _: {"a": (10.0, 0.0)})
    play.tenths = -1000
    play.go(20.0, nobody, lambda _: {"a": (10.0, 0.0)})
    assert play.events == [("tag_without_person", "active")]
    assert len(play.check.active()) == 1


NUMBERS = st.one_of(st.floats(0, 40), st.floats(allow_nan=False, allow_infinity=False))
INSTANTS = st.one_of(
    st.integers(0, 600).map(lambda tenths: ns(tenths / 10)), st.integers(-(2**62), 2**62)
)
FIXES = st.builds(
    TagFix,
    tag=st.sampled_from(["a", "b", "c/+#", ""]),
    xy_m=st.tuples(NUMBERS, NUMBERS),
    sigma_m=st.one_of(st.floats(0.01, 2), NUMBERS, st.just(-1.0)),
    at_ns=INSTANTS,
    worker=st.sampled_from([None, "Li"]),
)
MESSAGES = st.one_of(
    st.builds(Tags, captured_at_ns=INSTANTS, fixes=st.lists(FIXES, max_size=5).map(tuple)),
    st.integers(0, 60).map(health_at),
    st.integers(0, 60).map(lambda second: tags_at(second, {"a": (10.0, 0.0)})),
)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.one_of(
            MESSAGES,
            st.tuples(
                st.integers(-60, 60),
                st.dictionaries(
                    st.integers(1, 3), st.tuples(st.tuples(NUMBERS, NUMBERS), st.just(None))
                ),
            ),
        ),
        max_size=40,
    )
)
def test_whatever_comes_every_alarm_is_raised_before_it_is_cleared(
    events: list[Tags | GatewayHealth | tuple[int, dict[int, Worker]]],
) -> None:
    quick = TagLimits(
        window_s=3.0,
        person_without_tag_after_s=0.5,
        tag_without_person_after_s=0.5,
        two_tags_after_s=0.5,
        clear_after_s=0.0,
    )
    play = Play(quick)
    for event in events:
        if isinstance(event, tuple):
            play.tenths += event[0]
            play.show(event[1])
        else:
            play.check.hear(event)
    active: set[str] = set()
    for _, anomaly in play.said:
        assert 0 <= anomaly.probability <= 1
        assert anomaly.state == "active" or anomaly.id in active
        active = active | {anomaly.id} if anomaly.state == "active" else active - {anomaly.id}
        assert not set("/+#") & set(anomaly.id)
    assert active == {one.id for one in play.check.active()}


def test_an_operator_ends_an_alarm_and_a_lasting_cause_raises_another() -> None:
    check = TagCheck(LIMITS, FLOOR)
    raised: list[Anomaly] = []
    for step in range(1200):
        at_s = step / 10
        if step % 10 == 0:
            check.hear(health_at(at_s))
            check.hear(tags_at(at_s, {"a": (20.0, 0.0)}))
        if step == 500:
            check.hear(
                Order(
                    alarm=raised[0].id,
                    action="end",
                    by="Li",
                    reason="fetched",
                    ordered_at_ns=ns(50),
                )
            )
        raised += check.update(Positions(captured_at_ns=ns(at_s), people=()))
    assert [(one.kind, one.state) for one in raised] == [
        ("tag_without_person", "active"),
        ("tag_without_person", "cleared"),
        ("tag_without_person", "active"),
    ]
    assert "Li: fetched" in raised[1].evidence
    assert raised[1].captured_at_ns - ns(50) == 500_000_000
    assert raised[0].id != raised[2].id


@pytest.mark.parametrize("late_s", [-30.0, 3600.0])
def test_an_order_is_lost_neither_to_a_wrong_clock_nor_to_a_clock_set_back(late_s: float) -> None:
    play = Play().go(40.0, nobody, lambda _: {"a": (10.0, 0.0)})
    [alarm] = play.check.active()
    order = Order(
        alarm=alarm.id, action="end", by="Li", reason="fetched", ordered_at_ns=ns(40 + late_s)
    )
    play.check.hear(order)
    play.go(1.0, nobody, None)
    assert [state for _, state in play.events] == ["active", "cleared"]


def test_an_order_from_before_the_clock_was_set_back_counts_at_once() -> None:
    play = Play().go(40.0, nobody, lambda _: {"a": (10.0, 0.0)})
    [alarm] = play.check.active()
    order = Order(alarm=alarm.id, action="end", by="Li", reason="", ordered_at_ns=ns(40))
    play.check.hear(order)
    play.tenths = -1000
    play.go(1.0, nobody, None)
    assert [state for _, state in play.events] == ["active", "cleared"]


def test_however_slow_detection_is_a_person_without_tag_is_found() -> None:
    play = Play()
    for tenths in range(600):
        if tenths % 10 == 0:
            play.check.hear(tags_at(tenths / 10, {"a": (30.0, 0.0)}))
        seen_s = tenths // 30 * 3.0
        told = (person(1, (10.0, 0.0), seen_s), person(2, (30.0, 0.0), seen_s, "a"))
        for anomaly in play.check.update(Positions(captured_at_ns=ns(tenths / 10), people=told)):
            play.said.append((tenths / 10, anomaly))
    assert play.events == [("person_without_tag", "active")]


def test_who_is_still_there_keeps_the_alarm_whatever_the_numbers_of_others() -> None:
    strange: Worker = ((10.0, 0.0), None)
    people, tags = both("b")
    play = Play().go(40.0, lambda t: {7: strange} | people(t), tags)
    play.go(5.0, lambda t: {3: ((11.0, 0.0), None), 7: strange} | people(t), tags)
    assert [(one.kind, one.track) for one in play.check.active()] == [("person_without_tag", 7)]


def test_everybody_may_leave_while_their_tags_are_still_heard() -> None:
    check = TagCheck(LIMITS, FLOOR)
    for step in range(300):
        at_s = step / 10
        if step % 10 == 0:
            check.hear(health_at(at_s))
            check.hear(tags_at(at_s, {"a": (20.0, 0.0), "b": (20.3, 0.0)}))
        here = (person(1, (20.0, 0.0), at_s), person(2, (20.3, 0.0), at_s)) if step < 200 else ()
        check.update(Positions(captured_at_ns=ns(at_s), people=here))
    assert not [one for one in check.active() if one.kind == "two_tags"]
