"""Watches whether the cameras still see: covered, dusted, in the dark.

Knows nothing about processes, the panorama or people. One camera at a time is looked at, at low
resolution and about once a second each: together well below one per cent of a core. Intervals come
from the monotonic clock only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edge.view.alarms import DUSTY, KIND_OF, KINDS, LIGHT_LOST, NO_CAMERA, ViewAlarms
from edge.view.book import UsualViews
from edge.view.camera import CameraView
from scene.clock import Clock
from scene.messages import Anomaly, CameraHealth, Frame
from scene.rig import Rig
from scene.site import Site
from stitching.view import Usual, left_of, view_of

LOOK_EVERY_S, SUSPECT_EVERY_S = 1.0, 0.4
USED_TO_IT_S = 86400.0
"""Less light becomes the usual light after a day: then a lamp has been taken away for good."""
LEARNING = "what it usually shows is not known yet"


class ViewWatch:
    """`look` is to be called with every instant's frames; the rest at any time, from one thread.

    What cameras usually show is read from `site.state_folder`, or learned and kept there.
    """

    def __init__(self, site: Site, rig: Rig, clock: Clock) -> None:
        self._clock = clock
        self._usual = UsualViews(rig, site.rig.file, site.state_folder)
        self._alarms = ViewAlarms()
        self._cameras = {one.name: CameraView(site.limits.camera) for one in rig.cameras}
        self._sizes = {one.name: one.size_px for one in rig.cameras}
        self._looked_s: dict[str, float] = {}

    def adopt(self, alarm: Anomaly) -> bool:
        """Carry on an alarm of the run before, before `look`; tells whether it is one of these.

        Its camera can't see until looks have shown that it can.
        """
        if alarm.kind not in KINDS or (alarm.kind == LIGHT_LOST) != (alarm.camera is None):
            return False
        if alarm.camera is not None and alarm.camera not in self._cameras:
            return False
        if not self._alarms.adopt(alarm):
            return False
        kinds = [blind for blind, kind in KIND_OF.items() if kind == alarm.kind]
        for name, view in self._cameras.items():
            if alarm.camera in (None, name):
                view.take_back(
                    kinds[0] if kinds else None,
                    faded=alarm.kind == DUSTY,
                    dim=alarm.kind == LIGHT_LOST and self._usual.usual(name) is not None,
                )
        return True

    def look(self, frames: Sequence[Frame]) -> None:
        """Look at the camera of an instant's frames that has waited longest, if it is time."""
        now_s = self._clock.monotonic_s()
        due = [frame for frame in frames if self._is_due(frame, now_s)]
        if not due:
            return
        self.look_at(min(due, key=lambda one: self._looked_s.get(one.camera, -float("inf"))))

    def look_at(self, frame: Frame) -> None:
        """Look at one of its cameras' pictures, and decide."""
        now_s, name = self._clock.monotonic_s(), frame.camera
        self._looked_s[name] = now_s
        camera, usual, view = self._cameras[name], self._usual.usual(name), view_of(frame.image.y)
        camera.look(view, None if usual is None else left_of(usual, view), now_s)
        if camera.may_learn:
            self._usual.learn(name, view, now_s)
        elif camera.dim_for_s(now_s) > USED_TO_IT_S:
            self._usual.take_light(name, view, now_s)
            camera.used_to_it()
        self._alarms.update(self._standing(), self._clock.now_ns())

    def changes(self) -> tuple[Anomaly, ...]:
        """Take the alarms that were raised or cleared since the last call."""
        return self._alarms.changes()

    def judged(self, cameras: Sequence[CameraHealth]) -> tuple[CameraHealth, ...]:
        """Give the cameras' health with what is known here, of those that film."""
        return tuple(self._judged(health) for health in cameras)

    @property
    def blind(self) -> frozenset[str]:
        """The cameras that can't see, though they may film."""
        return frozenset(name for name, camera in self._cameras.items() if camera.blind)

    @property
    def gone(self) -> dict[str, frozenset[tuple[int, int]]]:
        """Which cells of each camera's picture show nothing any more, by camera; mostly empty."""
        return {name: camera.gone for name, camera in self._cameras.items() if camera.gone}

    def rehung(self, rig: Rig) -> None:
        """Go over to another rig of the same cameras."""
        self._usual.rehung(rig, self._clock.monotonic_s())

    @property
    def known(self) -> Mapping[str, tuple[Usual | None, int]]:
        """What each camera usually shows, as far as that is known, and from how many looks."""
        return self._usual.known

    def know(self, known: Mapping[str, tuple[Usual | None, int]]) -> None:
        """Take what each camera usually shows from elsewhere, in the place of what is known."""
        self._usual.known = known

    @property
    def trouble(self) -> str:
        """Why what cameras usually show can't be kept; mostly empty."""
        return self._usual.trouble

    def settle(self, limit_s: float) -> bool:
        """Wait until what cameras usually show is kept; tells whether it was within `limit_s`."""
        return self._usual.settle(limit_s)

    def _is_due(self, frame: Frame, now_s: float) -> bool:
        if self._sizes.get(frame.camera) != frame.image.size_px:
            return False
        camera = self._cameras[frame.camera]
        every_s = SUSPECT_EVERY_S if camera.suspect or camera.left is None else LOOK_EVERY_S
        return now_s - self._looked_s.get(frame.camera, -float("inf")) >= every_s - 1e-6

    def _standing(self) -> dict[tuple[str, str], tuple[list[str], str]]:
        """List the alarms that should be active, with their cameras and evidence."""
        found = {}
        for name, camera in self._cameras.items():
            if camera.blind is not None:
                found[KIND_OF[camera.blind], name] = ([name], camera.text())
            elif camera.faded:
                found[DUSTY, name] = ([name], camera.text())
        dim = [name for name, camera in self._cameras.items() if camera.dim]
        if dim:
            left = [self._cameras[name].left for name in dim]
            shown = ", ".join("?" if one is None else f"{one.light:.2f}" for one in left)
            which = ", ".join(dim)
            text = (
                f"{which}: less light than usual ({shown} of it): a lamp may have failed "
                f"/ {'、'.join(dim)}：照明比平时弱，可能有灯具故障"
            )
            found[LIGHT_LOST, NO_CAMERA] = (dim, text)
        return found

    def _judged(self, health: CameraHealth) -> CameraHealth:
        camera = self._cameras.get(health.name)
        if camera is None or health.state != "ok":
            return health
        learning = LEARNING if camera.left is None else ""
        said = "; ".join(one for one in (health.detail, camera.text(), learning) if one)
        return replace(health, state=camera.blind or health.state, detail=said)
