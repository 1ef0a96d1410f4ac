"""Whatever comes in whatever order: no crash, one alarm for one cause, none cleared unraised."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from location.watch import Watch
from scene.messages import (
    Anomaly,
    CameraHealth,
    CameraState,
    GatewayHealth,
    MachinePlace,
    Machines,
    Order,
    Position,
    Positions,
    Posture,
)
from scene.wire import Message
from tests.location.rules.story import site, square
from tests.location.test_watch import START_NS

EVERYTHING = site(
    f"""
zones:
  - {{name: shaft, hours: ['00:00-23:00'], exempt: [Li], polygon_m: {square(10)}}}
  - {{name: loco, kind: danger, follows: loco, polygon_m: [[0, -1], [5, -1], [5, 1], [0, 1]]}}
  - {{name: bay, kind: area, capacity: 1, longest_s: 3, lone_after_s: 2, polygon_m: {square(20)}}}
  - {{name: floor, kind: area, low_work: true, immobile_after_s: 1, polygon_m: {square(30)}}}
gates: [{{name: door, line_m: [[15, -2], [15, 2]], way: to_left}}]
limits:
  time_zone: '+08:00'
  immobile: {{after_s: 2}}
  helmet: {{after_s: 1}}
  lost: {{after_s: 3}}
"""
)
STATES: tuple[CameraState, ...] = ("ok", "lost")
HOUR_NS = 3_600_000_000_000
offsets_ns = st.one_of(
    st.integers(0, 20_000_000_000),
    st.sampled_from([-HOUR_NS, HOUR_NS]),
)
metres = st.one_of(st.floats(0, 40), st.sampled_from([-1e6, 1e6]))
variances = st.sampled_from([0.0, 1e-12, 0.01, 1.0, 1e4, 1e12])
# Rounding leaves covariances that are not quite positive: they must do no harm.
correlations = st.sampled_from([-1.0, -0.999999, 0.0, 0.5, 1.0])


@st.composite
def people(draw: st.DrawFn, at_ns: int) -> tuple[Position, ...]:
    found = []
    for track in draw(st.lists(st.integers(1, 5), max_size=4, unique=True)):
        a, d = draw(variances), draw(variances)
        b = draw(correlations) * (a * d) ** 0.5
        height_m = draw(st.sampled_from([0.0, 0.4, 1.1, 1.8, 50.0]))
        posture: Posture = "lying" if height_m < 0.9 else "upright"
        seen_xy = draw(st.one_of(st.none(), st.tuples(metres, st.floats(-3, 3))))
        found.append(
            Position(
                track=track,
                xyz_m=(draw(metres), draw(st.floats(-3, 3)), 0.0),
                covariance_m2=((a, b), (b, d)),
                velocity_m_s=(draw(st.sampled_from([0.0, 1.0, 1e3])), 0.0),
                height_m=height_m,
                posture=posture,
                certainty=draw(st.sampled_from(["certainly", "possibly"])),
                seen_at_ns=at_ns - draw(st.sampled_from([0, 10**8, 10**9, 10**10, HOUR_NS])),
                cameras=("c1",),
                worker=draw(st.sampled_from([None, "Li", "Wang"])),
                helmet=draw(st.sampled_from([None, 0.0, 1.0])),
                seen_xy_m=seen_xy,
                seen_covariance_m2=None if seen_xy is None else ((a, b), (b, d)),
            )
        )
    return tuple(found)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    at_ns = START_NS + draw(offsets_ns)
    kind = draw(st.sampled_from(["positions", "positions", "positions", "health", "machines"]))
    if kind == "positions":
        return Positions(captured_at_ns=at_ns, people=draw(people(at_ns)))
    if kind == "health":
        state: CameraState = draw(st.sampled_from(STATES))
        camera = CameraHealth(name="c1", state=state, fps=1.0, last_frame_at_ns=None)
        return GatewayHealth(
            captured_at_ns=at_ns,
            cameras=(camera,),
            panorama_fps=1.0,
            detection_fps=1.0,
            detection_age_s=None,
            detection_provider="CPU",
            coverage_from_x_m=draw(st.sampled_from([0.0, 10.0])),
            coverage=tuple(draw(st.lists(st.integers(0, 2), max_size=40))),
        )
    place = MachinePlace(
        machine="loco",
        xy_m=(draw(metres), 0.0),
        at_ns=at_ns + draw(st.sampled_from([0, -(10**9), HOUR_NS])),
        heading_rad=draw(st.floats(-10, 10)),
        running=draw(st.booleans()),
    )
    return Machines(captured_at_ns=at_ns, machines=(place,))


def run(given_: list[Message], ends: bool) -> list[Anomaly]:
    watch, said = Watch(EVERYTHING), list[Anomaly]()
    for message in given_:
        if not isinstance(message, Positions):
            watch.hear(message)
            continue
        said += watch.update(message)
        if ends and watch.active():
            order = Order(
                alarm=watch.active()[0].id,
                action="end",
                by="Li",
                reason="seen to",
                ordered_at_ns=message.captured_at_ns,
            )
            watch.hear(order)
    told = {one.id for one in watch.active()}
    open_ = {one.id: one.state for one in said}
    assert told == {id for id, state in open_.items() if state == "active"}
    assert watch.trouble is not None
    return said


def check(said: list[Anomaly]) -> None:
    """An alarm is raised first, cleared last and once; no person has two of one rule at a time."""
    active: dict[str, Anomaly] = {}
    ended: set[str] = set()
    for one in said:
        assert one.id not in ended
        assert 0.0 <= one.probability <= 1.0
        if one.state == "cleared":
            del active[one.id]
            ended.add(one.id)
            continue
        active[one.id] = one
        # Whoever's number went over to somebody else has none.
        subjects = [(each.kind, each.zone, each.track or (each.worker and each.id))
                    for each in active.values()]  # fmt: skip
        assert len(subjects) == len(set(subjects))


def causes(said: list[Anomaly]) -> set[tuple[str, str | None, int | None]]:
    return {(one.kind, one.zone, one.track) for one in said if one.state == "active"}


@settings(max_examples=150, deadline=None)
@given(st.lists(messages(), max_size=40), st.booleans())
def test_any_messages_in_any_order(given_: list[Message], ends: bool) -> None:
    check(run(given_, ends))


@settings(max_examples=50, deadline=None)
@given(st.lists(messages(), max_size=30))
def test_duplicates_change_nothing(given_: list[Message]) -> None:
    twice = [message for message in given_ for _ in range(2)]
    assert run(twice, ends=False) == run(given_, ends=False)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_life_with_gaps_and_a_clock_that_jumps(data: st.DataObject) -> None:
    """Long enough for everything to be raised: people who stay, vanish and come back."""
    said, watch, now_ns = list[Anomaly](), Watch(EVERYTHING), START_NS
    for _ in range(data.draw(st.integers(1, 6))):
        who = data.draw(people(0))
        now_ns += data.draw(st.sampled_from([0, 0, 0, 10**9, HOUR_NS, -HOUR_NS]))
        for _ in range(data.draw(st.integers(1, 60))):
            now_ns += data.draw(st.sampled_from([10**8, 10**8, 5 * 10**8]))
            here = tuple(replace(one, seen_at_ns=now_ns) for one in who)
            said += watch.update(Positions(captured_at_ns=now_ns, people=here))
    check(said)
