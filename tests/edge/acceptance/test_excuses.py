"""What an event excuses: its own camera, its own time, its own states."""

import numpy as np
import pytest

from edge.acceptance.clip import START_AT_NS, Instant
from edge.acceptance.clip_figures import ClipRun
from edge.acceptance.excuses import excused, going_on
from edge.acceptance.figures import CameraFigures
from edge.acceptance.truth import Event, Moment, Someone, Truth
from edge.coverage import Roadway
from scene.floor import Floor
from scene.geometry import project
from scene.messages import CameraHealth, CameraState, Detections, Positions
from tests.edge.acceptance.staged_walk import SITE_FILE, rig, site


def test_an_event_excuses_its_camera_for_its_time() -> None:
    dust = Event(type="lens_dust", camera="cam2", t_start_s=4.0, t_end_s=6.0)
    assert going_on([dust], "cam2", 3.9) == ()
    assert going_on([dust], "cam2", 4.0) == ("lens_dust",)
    assert going_on([dust], "cam1", 5.0) == ()
    assert going_on([dust], "cam2", 8.1) == (), "two seconds to clear"
    lamp = Event(type="lamp_outage", t_start_s=4.0)
    assert going_on([lamp], "cam1", 99.0) == ("lamp_outage",), "every camera's, to the end"


def test_who_leaves_the_coverage_does_nothing_to_a_camera() -> None:
    left = Event(type="left_coverage", id=1, camera="cam1", t_start_s=0.0)
    assert going_on([left], "cam1", 1.0) == ()


def test_each_kind_excuses_its_own_states() -> None:
    assert excused("moved", ["camera_knock"])
    assert excused("lost", ["camera_dead"])
    assert excused("dark", ["lamp_outage"])
    assert excused("obscured", ["lens_dust"])
    for kind in ("lens_dust", "camera_dead", "lamp_outage"):
        assert not excused("moved", [kind])
    assert not excused("lost", ["camera_knock", "lens_dust"])


FPS = 10.0
SPOT = (26.0, 0.5, 0.0)
WALKER = Someone(id=1, xyz_m=SPOT, stands_xyz_m=SPOT, height_m=1.75, state="walk")


def found(aside_px: float) -> Detections:
    """Find the walker in cam2's picture, so far beside where the rig shows them."""
    body_m = np.array([SPOT, (*SPOT[:2], 1.75)])
    ends, inside = project(rig().camera("cam2"), body_m)
    assert inside.all()
    beside = np.array([0.2 * abs(ends[0, 1] - ends[1, 1]), 0.0])
    box = np.concatenate([ends.min(axis=0) - beside, ends.max(axis=0) + beside])
    return Detections(
        camera="cam2",
        captured_at_ns=0,
        boxes_px=box[None] + np.array([aside_px, 0.0, aside_px, 0.0]),
        scores=np.ones(1),
        kinds=np.zeros(1, int),
    )


def cam2(event: Event, state: CameraState, from_s: float, aside_px: float = 0.0) -> CameraFigures:
    """Run 10 s in which cam2 gets into a state, and shows people elsewhere, from a time on."""
    moments = tuple(Moment(frame=i, t_s=i / FPS, people=(WALKER,)) for i in range(100))
    truth = Truth(folder=SITE_FILE.parent, fps=FPS, moments=moments, events=(event,), boxes={})
    run = ClipRun(site(), rig(), truth, Roadway(rig(), Floor(site().floor), site().floor))
    for moment in moments:
        at_ns, late = START_AT_NS + round(moment.t_s * 1e9), moment.t_s >= from_s
        healths = [("cam1", "ok"), ("cam2", state if late else "ok")]
        run.take(
            Instant(
                frame=moment.frame,
                at_ns=at_ns,
                frames=(),
                people=(found(aside_px if late else 0.0),),
                positions=Positions(captured_at_ns=at_ns, people=()),
                panorama=None,
                anomalies=(),
                cameras=tuple(
                    CameraHealth(name=name, state=how, fps=FPS, last_frame_at_ns=at_ns)
                    for name, how in healths
                ),
            )
        )
    return next(one for one in run.cameras({}) if one.name == "cam2")


def test_dust_excuses_nothing_before_it_and_nothing_else() -> None:
    late = Event(type="lens_dust", camera="cam2", t_start_s=9.5)
    assert cam2(late, "obscured", from_s=5.0).state == "obscured"
    assert cam2(late, "obscured", from_s=9.5).state == "ok"
    assert cam2(late, "moved", from_s=9.5).still is False


def test_a_camera_of_which_nothing_is_left_to_judge_has_no_state() -> None:
    always = Event(type="lens_dust", camera="cam2", t_start_s=0.0)
    told = cam2(always, "obscured", from_s=0.0)
    assert (told.state, told.expected) == ("", "lens_dust")
    assert cam2(always, "lost", from_s=5.0).state == "lost"
    assert not cam2(always, "ok", from_s=0.0).state, "that nothing was seen of dust proves nothing"
    nearly = Event(type="lens_dust", camera="cam2", t_start_s=2.5)
    assert not cam2(nearly, "obscured", from_s=2.5).state, "half a second is too little"


def test_what_a_knocked_camera_shows_counts_before_the_knock_only() -> None:
    def seen(event: Event) -> float:
        turn = cam2(event, "moved", from_s=4.0, aside_px=30.0).people
        assert turn is not None
        return turn.deg

    assert seen(Event(type="camera_knock", camera="cam2", t_start_s=4.0)) == pytest.approx(0.0)
    assert seen(Event(type="lens_dust", camera="cam2", t_start_s=4.0)) > 1.0
