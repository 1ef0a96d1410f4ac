"""Who is hidden from all cameras neither counts nor takes the track of who stands beside."""

from pathlib import Path

import numpy as np

from edge.acceptance.people import followed
from edge.acceptance.scoring import score
from edge.acceptance.truth import Boxes, Moment, Someone, Truth
from scene.messages import Positions
from tests.edge.acceptance.staged_walk import person


def someone(id: int, x_m: float, y_m: float) -> Someone:
    place = (x_m, y_m, 0.0)
    return Someone(id=id, xyz_m=place, stands_xyz_m=place, height_m=1.8)


def truth_of(people: tuple[Someone, ...], visibility: list[float]) -> Truth:
    boxes = Boxes(
        people=np.array([one.id for one in people]),
        edges_px=np.array([[100.0, 100.0, 160.0, 300.0]] * len(people)),
        visibility=np.array(visibility),
    )
    return Truth(
        folder=Path("clip"),
        fps=1.0,
        moments=(Moment(frame=0, t_s=5.0, people=people),),
        events=(),
        boxes={"cam1": (boxes,)},
    )


def found(truth: Truth, *places: tuple[float, float]) -> list[int]:
    people = tuple(person(x, y, 0, track) for track, (x, y) in enumerate(places, 1))
    return sorted(followed(truth, [(0, Positions(captured_at_ns=0, people=people))]).found[0])


def test_the_track_of_who_stands_beside_somebody_hidden_is_theirs() -> None:
    """As in `events/over_capacity`: 0.8 m apart, and one of them behind a third."""
    truth = truth_of((someone(1, 24.7, 0.2), someone(2, 24.5, -0.6)), [0.9, 0.3])
    assert found(truth, (24.65, 0.12)) == [1]
    assert found(truth, (24.65, 0.12), (24.4, -0.6)) == [1], "who is hidden may be followed"
    assert found(truth, (24.65, 0.12), (27.0, -0.6)) == [1, 2], "nobody is there"
    assert found(truth, (24.65, 0.12), (24.4, -0.6), (24.0, -0.6)) == [1, 3], "one each"


def test_whom_scores_pair_with_a_track_is_not_robbed_of_it_by_somebody_hidden() -> None:
    """Two who are seen have two tracks, though one of these also is near who is hidden."""
    people = (someone(1, 20.0, 0.0), someone(2, 18.1, 0.0), someone(3, 21.9, 0.5))
    truth = truth_of(people, [0.9, 0.9, 0.1])
    told = (person(20.0, 0.0, 0, 1), person(21.8, 0.0, 0, 2))
    people_ = followed(truth, [(0, Positions(captured_at_ns=0, people=told))], 2.0)
    assert score(people_.truth, people_.found, 2.0).missed == 0


def test_where_nobody_is_seen_the_track_of_who_is_hidden_does_not_count() -> None:
    truth = truth_of((someone(2, 24.5, -0.6),), [0.3])
    assert found(truth, (24.6, -0.5)) == []
