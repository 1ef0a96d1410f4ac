from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from yaml import safe_load

from location.names.places import places_at, places_of
from location.naming import Naming
from scene.limits import TagLimits
from scene.messages import Position, Positions, TagFix, Tags
from scene.wire import decode
from tests.bench.naming import crowd_names, shares, site_names_of
from tests.sample_site import START_AT_NS, sites, world
from tests.true_people import people_at

DOCUMENT = Path(__file__).parents[2] / "docs" / "tags.md"
S = 1_000_000_000
START_NS = 1_790_000_000_000_000_000
Spot = tuple[float, float]


def person(track: int, xy_m: Spot, at_s: float, sigma_m: float = 0.1) -> Position:
    return Position(
        track=track,
        xyz_m=(*xy_m, 0.0),
        covariance_m2=((sigma_m**2, 0.0), (0.0, sigma_m**2)),
        velocity_m_s=(0.0, 0.0),
        height_m=1.75,
        posture="upright",
        certainty="certainly",
        seen_at_ns=ns(at_s),
        cameras=("c1",),
    )


def ns(at_s: float) -> int:
    return START_NS + round(at_s * S)


def fix(
    tag: str, at_s: float, xy_m: Spot, sigma_m: float = 0.3, worker: str | None = None
) -> TagFix:
    return TagFix(tag=tag, xy_m=xy_m, sigma_m=sigma_m, at_ns=ns(at_s), worker=worker)


class Play:
    """A naming, fed ten times a second."""

    def __init__(self, limits: TagLimits | None = None) -> None:
        self.naming = Naming(limits or TagLimits())
        self.tenths = 0
        self.people: dict[int, Position] = {}

    def hear(self, *fixes: TagFix) -> None:
        self.naming.hear(Tags(captured_at_ns=ns(self.tenths / 10), fixes=fixes))

    def show(self, spots: dict[int, Spot], sigma_m: float = 0.1) -> dict[int, str | None]:
        at_s = self.tenths / 10
        people = tuple(person(track, xy, at_s, sigma_m) for track, xy in spots.items())
        given = Positions(captured_at_ns=ns(at_s), people=people)
        named = self.naming.named(given)
        bare = (replace(one, worker=None, worker_probability=None) for one in named.people)
        assert tuple(bare) == people, "a tag changes nothing but the name"
        self.people = {one.track: one for one in named.people}
        self.tenths += 1
        return self.names

    @property
    def names(self) -> dict[int, str | None]:
        return {track: one.worker for track, one in self.people.items()}

    def stand(
        self, seconds: float, spots: dict[int, Spot], tags: dict[str, Spot], every_s: float = 1.0
    ) -> "Play":
        """Let people and tags stand still; tags say exactly where they are, half a second late."""
        for _ in range(round(seconds * 10)):
            if self.tenths % round(every_s * 10) == 0:
                self.hear(*(fix(tag, self.tenths / 10 - 0.5, xy) for tag, xy in tags.items()))
            self.show(spots)
        return self


# ---- who gets a name ----


def test_who_moves_as_a_tag_moves_has_its_name_within_three_seconds() -> None:
    play = Play().stand(3.0, {1: (10.0, 0.0), 2: (15.0, 0.0)}, {"a": (15.1, 0.1), "b": (9.9, 0.0)})
    assert play.names == {1: "b", 2: "a"}
    assert all(one.worker_probability is not None for one in play.people.values())
    assert all((one.worker_probability or 0) >= 0.9 for one in play.people.values())


def test_the_worker_s_name_comes_before_the_tag_s() -> None:
    play = Play()
    for number in range(4):
        play.hear(fix("t7", number - 0.5, (10.0, 0.0), worker="Li Wei"))
        for _ in range(10):
            play.show({1: (10.0, 0.0)})
    assert play.names == {1: "Li Wei"}


def test_a_tag_that_is_with_nobody_names_nobody() -> None:
    play = Play().stand(10.0, {1: (10.0, 0.0)}, {"a": (14.0, 0.0)})
    assert play.names == {1: None}


def test_between_two_people_no_name_is_better_than_a_wrong_one() -> None:
    play = Play().stand(10.0, {1: (10.0, 0.0), 2: (10.6, 0.0)}, {"a": (10.3, 0.0)})
    assert play.names == {1: None, 2: None}


def test_of_two_tags_the_second_one_s_owner_tells_whose_the_first_is() -> None:
    """Tag a fits both; b fits only person 2, so a is person 1's."""
    tags = {"a": (10.7, 0.0), "b": (11.3, 0.0)}
    play = Play().stand(6.0, {1: (10.4, 0.0), 2: (11.0, 0.0)}, tags)
    assert play.names == {1: "a", 2: "b"}


def test_two_tags_of_one_worker_give_the_name_once() -> None:
    play = Play()
    for number in range(6):
        at_s = number - 0.5
        play.hear(
            fix("t1", at_s, (10.0, 0.0), worker="Li"), fix("t2", at_s, (20.0, 0.0), worker="Li")
        )
        for _ in range(10):
            play.show({1: (10.0, 0.0), 2: (20.0, 0.0)})
    assert sorted(map(str, play.names.values())) == ["Li", "None"]


def test_without_limits_nobody_is_named() -> None:
    naming = Naming(None)
    naming.hear(Tags(captured_at_ns=ns(0), fixes=(fix("a", 0.0, (10.0, 0.0)),)))
    given = Positions(captured_at_ns=ns(1), people=(person(1, (10.0, 0.0), 1.0),))
    assert naming.named(given) is given


# ---- what a name withstands ----


def test_one_gross_error_on_somebody_else_changes_no_name() -> None:
    spots, tags = {1: (10.0, 0.0), 2: (15.0, 0.0)}, {"a": (10.0, 0.0), "b": (15.0, 0.0)}
    play = Play().stand(5.0, spots, tags)
    play.hear(fix("a", 4.8, (15.0, 0.0)))
    for _ in range(5):
        assert play.show(spots) == {1: "a", 2: "b"}


def test_a_name_ends_when_its_tag_goes_elsewhere() -> None:
    play = Play().stand(5.0, {1: (10.0, 0.0)}, {"a": (10.0, 0.0)})
    play.stand(5.0, {1: (10.0, 0.0)}, {"a": (18.0, 0.0)})
    assert play.names == {1: None}


def test_a_name_goes_over_when_the_tracker_has_swapped_two_people() -> None:
    spots, tags = {1: (10.0, 0.0), 2: (12.0, 0.0)}, {"a": (10.0, 0.0), "b": (12.0, 0.0)}
    play = Play().stand(5.0, spots, tags).stand(4.0, {2: (10.0, 0.0), 1: (12.0, 0.0)}, tags)
    assert play.names == {2: "a", 1: "b"}


def test_a_name_stays_while_its_tag_is_silent_and_not_for_ever() -> None:
    play = Play(TagLimits(keep_s=20.0)).stand(5.0, {1: (10.0, 0.0)}, {"a": (10.0, 0.0)})
    sure = play.people[1].worker_probability or 0.0
    play.stand(14.0, {1: (12.0, 0.0)}, {})
    assert play.names == {1: "a"}
    assert (play.people[1].worker_probability or 0.0) < sure, "it is less sure by now"
    play.stand(6.0, {1: (12.0, 0.0)}, {})
    assert play.names == {1: None}


def test_who_stand_together_keep_their_names_less_and_less_surely() -> None:
    apart, together = {1: (10.0, 0.0), 2: (14.0, 0.0)}, {1: (12.0, 0.0), 2: (12.3, 0.0)}
    play = Play().stand(5.0, apart, {"a": (10.0, 0.0), "b": (14.0, 0.0)})
    sure = play.people[1].worker_probability or 0.0
    for _ in range(5):
        play.stand(1.0, together, {"a": (12.15, 0.0), "b": (12.15, 0.0)})
        assert play.names == {1: "a", 2: "b"}
    assert 0.5 <= (play.people[1].worker_probability or 0.0) < sure - 0.02
    play.stand(120.0, together, {"a": (12.15, 0.0), "b": (12.15, 0.0)})
    assert play.names[1] != "b" and play.names[2] != "a", "nothing told them to change"


@pytest.mark.parametrize("gap_s", [0.0, 1.0])
def test_a_new_track_of_the_same_person_has_the_name_within_a_second(gap_s: float) -> None:
    others = {2: (14.0, 0.0)}
    tags = {"a": (10.0, 0.0), "b": (14.0, 0.0)}
    play = Play().stand(5.0, {1: (10.0, 0.0), **others}, tags)
    play.stand(gap_s, others, tags).stand(1.0, {9: (10.1, 0.0), **others}, tags)
    assert play.names == {9: "a", 2: "b"}


def test_a_new_track_has_the_name_of_the_lost_one_though_the_tag_is_silent() -> None:
    play = Play().stand(5.0, {1: (10.0, 0.0)}, {"a": (10.0, 0.0)})
    play.stand(3.0, {1: (10.0, 0.0)}, {}).stand(0.5, {}, {}).stand(0.5, {9: (10.2, 0.0)}, {})
    belief = play.naming._steps[-1].belief
    assert belief.shares[0, 0] > 0.3, "it may be theirs, which one place of the tag settles"
    play.hear(fix("a", play.tenths / 10 - 0.1, (10.2, 0.0)))
    for _ in range(5):
        play.show({9: (10.2, 0.0)})
    assert play.names == {9: "a"}


def test_a_ghost_beside_somebody_does_not_take_the_name() -> None:
    play = Play().stand(5.0, {1: (10.0, 0.0)}, {"a": (10.0, 0.0)})
    for _ in range(6):
        play.stand(0.5, {1: (10.0, 0.0), 2: (10.4, 0.0)}, {"a": (10.1, 0.0)}, every_s=0.5)
        assert play.names == {1: "a", 2: None}
        assert (play.people[1].worker_probability or 0.0) > 0.85


def test_who_comes_into_view_is_believed_to_have_the_tag_that_came_along() -> None:
    play = Play().stand(5.0, {2: (20.0, 0.0)}, {"a": (10.0, 0.0), "b": (20.0, 0.0)})
    play.stand(0.3, {1: (10.2, 0.0), 2: (20.0, 0.0)}, {}, every_s=60.0)
    belief = play.naming._steps[-1].belief
    assert belief.tags[0] == "a"
    assert belief.shares[0, 0] > 0.5, "before the tag has been heard again"


# ---- when places come ----


def test_late_places_count_at_their_own_time() -> None:
    """Person 1 walks on from where 2 arrives: by arrival, the tag would be 2's."""
    play = Play()
    for number in range(60):
        t = number / 10
        if number % 10 == 5:
            play.hear(fix("a", t - 1.5, (10.0 + max(t - 1.5, 0.0), 0.0)))
        play.show({1: (10.0 + t, 0.0), 2: (8.5 + t, 0.0)})
    assert play.names == {1: "a", 2: None}


def test_between_two_instants_people_are_on_the_straight_line_between_their_places() -> None:
    first, last = (
        places_of(Positions(captured_at_ns=ns(t), people=(person(1, (10.0 + t, 0.0), t),)))
        for t in (0.0, 1.0)
    )
    at_ns = np.array([ns(0.25), ns(1.0)])
    xy, doubt = places_at(first, last, at_ns)
    assert xy[:, 0].round(6).tolist() == [[10.25, 0.0], [11.0, 0.0]]
    assert doubt[:, 0, 0, 0].round(6).tolist() == [0.01, 0.01]
    xy, doubt = places_at(None, last, at_ns)
    assert xy[:, 0].round(6).tolist() == [[11.0, 0.0], [11.0, 0.0]]
    assert doubt[:, 0, 0, 0].round(6).tolist() == [0.26, 0.01], "half a second unknown, at 1 m/s"


def test_the_order_of_arrival_does_not_matter_once_all_have_come() -> None:
    def play(order: list[int]) -> dict[int, str | None]:
        rng = np.random.default_rng(5)
        way = [(10.0 + 0.1 * n, float(rng.normal(0, 0.3))) for n in range(30)]
        fixes = [fix("a", n / 10, way[n]) for n in range(10, 28, 2)]
        naming, one = Play(), {}
        for n in range(30):
            if n == 28:
                for index in order:
                    naming.hear(fixes[index], fixes[index])
            one = naming.show({1: (10.0 + 0.1 * n, 0.0), 2: (13.0 - 0.1 * n, 0.8)})
        probability = naming.people[1].worker_probability
        return {**one, -1: None if probability is None else f"{probability:.3f}"}

    forwards = play(list(range(9)))
    assert forwards[1] == "a"
    assert play(list(range(8, -1, -1))) == forwards
    assert play([3, 8, 0, 1, 7, 2, 6, 4, 5]) == forwards


@pytest.mark.parametrize("off_s", [-3600.0, 3600.0, -20.0, 20.0])
def test_a_tag_system_with_a_wrong_clock_names_nobody(off_s: float) -> None:
    play = Play()
    for number in range(100):
        if number % 5 == 0:
            play.hear(fix("a", number / 10 + off_s, (10.0, 0.0)))
        assert play.show({1: (10.0, 0.0)}) == {1: None}
    assert len(play.naming._known) < 10, "nothing is kept of it"


@pytest.mark.parametrize("sigma_m", [0.0, -0.3])
def test_a_place_without_a_sigma_says_nothing(sigma_m: float) -> None:
    play = Play()
    for number in range(50):
        play.hear(fix("a", number / 10, (10.0, 0.0), sigma_m))
        assert play.show({1: (10.0, 0.0)}) == {1: None}


def test_when_time_starts_anew_so_do_names() -> None:
    play = Play().stand(5.0, {1: (10.0, 0.0)}, {"a": (10.0, 0.0)})
    play.tenths -= 1000
    assert play.show({1: (10.0, 0.0)}) == {1: None}
    play.stand(3.0, {1: (10.0, 0.0)}, {"a": (10.0, 0.0)})
    assert play.names == {1: "a"}


# ---- figures ----


def test_ten_people_who_cross_in_a_roadway_are_named_right() -> None:
    """The goal: 97 % with 1 Hz tags of sigma 0.3 m, a twentieth of them grossly wrong."""
    right, wrong, _ = shares(crowd_names(sigma_m=0.3, seed=0, swap_share=0.0))
    assert right >= 0.97
    assert wrong <= 0.002


def test_names_stay_mostly_right_though_the_tracker_swaps_people() -> None:
    right, wrong, _ = shares(crowd_names(sigma_m=0.3, seed=1, swap_share=0.1))
    assert right >= 0.92
    assert wrong <= 0.06


def test_coarse_tags_name_fewer_people_but_hardly_anybody_wrong() -> None:
    right, wrong, _ = shares(crowd_names(sigma_m=1.0, seed=0, swap_share=0.0))
    assert right >= 0.8
    assert wrong <= 0.01


@pytest.mark.parametrize("folder", sites(), ids=lambda folder: folder.name)
def test_followed_perfectly_everybody_on_the_sample_sites_has_the_right_name(folder: Path) -> None:
    moments = [
        Positions(captured_at_ns=at_ns, people=tuple(people_at(folder, one["frame"], at_ns)))
        for one in world(folder)
        for at_ns in [START_AT_NS + round(one["t_s"] * S)]
    ]
    right, wrong, _ = shares(site_names_of(folder, moments, lambda _, track: track))
    assert right >= 0.97
    assert wrong == 0.0


# ---- what is documented ----


def test_what_the_document_s_example_sends_is_read() -> None:
    code = DOCUMENT.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    told: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, "docs/tags.md", "exec"), told)
    sent = told["message"](0, [("1F3A", 18.58, 0.16, 0.3, 1_790_000_000.5, "Li Wei")])
    body = decode(sent.encode()).body
    assert isinstance(body, Tags)
    assert body.fixes == (
        TagFix(
            tag="1F3A",
            xy_m=(18.58, 0.16),
            sigma_m=0.3,
            at_ns=1_790_000_000_500_000_000,
            worker="Li Wei",
        ),
    )
    assert "mine/roadway/tags" in code


def test_the_document_s_limits_are_the_defaults() -> None:
    yaml = DOCUMENT.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    told = safe_load(yaml)["limits"]["tags"]
    assert told == TagLimits().model_dump()


def test_names_that_would_come_and_go_are_refused() -> None:
    with pytest.raises(ValidationError, match="keep_probability"):
        TagLimits(name_probability=0.6, keep_probability=0.6)


# ---- whatever comes ----

NUMBERS = st.one_of(
    st.floats(-40, 40), st.floats(allow_nan=False, allow_infinity=False), st.just(0.0)
)
FIXES = st.builds(
    TagFix,
    tag=st.sampled_from(["a", "b", "c", ""]),
    xy_m=st.tuples(NUMBERS, NUMBERS),
    sigma_m=st.one_of(st.floats(0.01, 2), NUMBERS),
    at_ns=st.one_of(
        st.integers(-30, 60).map(lambda tenths: START_NS + tenths * S // 10),
        st.integers(-(2**62), 2**62),
    ),
    worker=st.sampled_from([None, None, "a", "Li"]),
)
PEOPLE = st.dictionaries(
    st.integers(1, 4), st.tuples(st.floats(-40, 40), st.floats(-3, 3)), max_size=4
)
EVENTS = st.lists(
    st.one_of(
        st.lists(FIXES, max_size=6),
        st.tuples(st.sampled_from([0, 1, 3, 20, -2, -100]), PEOPLE),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=150)
@given(EVENTS, st.sampled_from([0.1, 3.0]))
def test_whatever_comes_no_name_is_given_twice(
    events: list[list[TagFix] | tuple[int, dict[int, Spot]]], sigma_m: float
) -> None:
    play, again = Play(), Play()
    for event in events:
        if isinstance(event, list):
            play.hear(*event)
            again.hear(*event)
            continue
        tenths, spots = event
        play.tenths += tenths
        again.tenths += tenths
        names = [name for name in play.show(spots, sigma_m).values() if name is not None]
        assert len(names) == len(set(names))
        assert again.show(spots, sigma_m) == play.names, "the same calls give the same names"
        for one in play.people.values():
            assert (one.worker is None) == (one.worker_probability is None)
            assert one.worker_probability is None or 0.5 <= one.worker_probability <= 1
