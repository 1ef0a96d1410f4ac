"""A thread that watches whether cameras still hang as the rig has them, beside a live run.

Knows nothing about how that is told. It takes the newest frames when it is free, so that neither
panorama nor detection waits for it.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from edge.drift.watch import NOBODY, DriftWatch
from edge.newest import NewestFrames
from edge.pipeline import Frames
from scene.clock import Clock
from scene.errors import RigError
from scene.messages import CameraHealth, Detections
from scene.rig import Rig
from scene.rig_history import apply_proposal, rolled_back_from
from scene.site import Site

PAUSE_S = 0.1
LOOK_LIMIT_S = 15.0
"""A thread that has not come round for so long hangs or is dead."""
NOT_WATCHED = "whether it has moved is not watched"
AUTO_APPLY_AFTER_S = 30.0
"""A proposal that a site wants applied by itself must stand for so long: somebody may still be at
work at the camera."""


class DriftLoop:
    """`watch` may be asked at any time.

    `people` are the newest finds by camera, `blind` the cameras that can't see.
    """

    def __init__(self, site: Site, rig: Rig, clock: Clock, watch: DriftWatch | None = None) -> None:
        self.watch = watch or DriftWatch(site, rig, clock)
        self.people: Mapping[str, Detections] = NOBODY
        self.blind: Collection[str] = ()
        self._site, self._clock = site, clock
        self._newest = NewestFrames()
        self._over = threading.Event()
        self._error = ""
        self._came_round_s = clock.monotonic_s()
        self._thread = threading.Thread(target=self._run, name="drift", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._came_round_s = self._clock.monotonic_s()
        self._thread.start()

    def stop(self, limit_s: float) -> None:
        """End, after the look under way if that takes no longer than `limit_s`."""
        self._over.set()
        self._thread.join(timeout=limit_s)

    def give(self, frames: Frames) -> None:
        """Give the frames of a new instant."""
        self._newest.give(frames)

    def judged(self, cameras: Sequence[CameraHealth], trouble: str) -> tuple[CameraHealth, ...]:
        """Give the cameras' health with what the watch knows, and with other trouble of the rig."""
        said = "; ".join(one for one in (self._hangs(), self._error, trouble) if one)
        judged = self.watch.judged(cameras, self.people)
        if not said:
            return judged
        return tuple(
            replace(one, detail=f"{one.detail}; {said}" if one.detail else said) for one in judged
        )

    def _hangs(self) -> str:
        """Say so when the thread has not come round for too long; empty when it has."""
        since_s = self._clock.monotonic_s() - self._came_round_s
        return f"{NOT_WATCHED}, for {since_s:.0f} s now" if since_s > LOOK_LIMIT_S else ""

    def _run(self) -> None:
        while not self._over.is_set():
            self._came_round_s = self._clock.monotonic_s()
            frames = self._newest.take(wait_s=0.2)
            if frames is None:
                continue
            try:
                self.watch.look(frames, self.people, self.blind)
                self._apply()
                self._error = ""
            except Exception as error:  # the gateway goes on, and says that nobody watches this
                self._error = f"whether cameras have moved can't be told: {error}"
            self._clock.sleep(PAUSE_S)

    def _apply(self) -> None:
        """Apply a proposal that has stood long enough, where the site wants that."""
        proposer = self.watch.proposer
        if not self._site.rig.auto_apply or proposer.since_s is None or proposer.shifted:
            return
        if self._clock.monotonic_s() - proposer.since_s >= AUTO_APPLY_AFTER_S:
            proposer.since_s = None
            left = rolled_back_from(self._site.rig.file)
            if left is not None:
                proposer.said += f"; not applied by itself: somebody took {left} back"
                return
            try:
                apply_proposal(self._site.rig.file)
            except RigError as error:
                proposer.said = f"the proposal can't be applied: {error}"
