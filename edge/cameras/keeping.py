"""Keeps the live cameras going for the whole run, whatever becomes of those who look at them.

Knows nothing about what is done with frames. A pipeline that is started again finds its cameras at
work; connecting anew and waiting for key frames would take longer than all else.
"""

import contextlib
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection

from edge.byte_ring import ByteRing
from edge.cameras.kept import Kept
from edge.cameras.process import NO_PACKETS, CameraProcess, stop_cameras
from edge.cameras.source import is_live
from scene.errors import CameraError
from scene.site import CameraConfig


class CameraKeeper:
    """The live cameras of a gateway, each in a process of its own; for one thread."""

    def __init__(self, packets: Mapping[str, ByteRing] = NO_PACKETS) -> None:
        """Hand what cameras send to `packets`, by their names."""
        self._packets = packets
        self._cameras: list[CameraProcess] = []
        self._gone: list[CameraProcess] = []
        """Those that were told to end."""

    @property
    def kept(self) -> Kept:
        """Give the cameras that are kept going now."""
        return tuple((camera.config, camera.ring) for camera in self._cameras)

    @property
    def holds(self) -> tuple[Connection, ...]:
        """Give what keeps their processes: whoever has a copy of one keeps it, too."""
        cameras = (*self._cameras, *self._gone)
        return tuple(camera.hold for camera in cameras if camera.hold is not None)

    def want(self, configs: Sequence[CameraConfig]) -> None:
        """Keep exactly the live ones of these going, as they are written here.

        One for which there is no room is left to whoever looks at it, who says why.
        """
        gone = [camera for camera in self._cameras if camera.config not in configs]
        self._cameras = [camera for camera in self._cameras if camera.config in configs]
        for camera in gone:
            camera.let_go()
        self._gone = [camera for camera in (*self._gone, *gone) if camera.is_there]
        known = [camera.config for camera in self._cameras]
        for config in configs:
            if is_live(config) and config not in known:
                with contextlib.suppress(OSError, CameraError):
                    self._cameras.append(self._started(config))

    def look_after(self) -> None:
        """Start those again whose process died or hangs; to be called several times a second."""
        for camera in self._cameras:
            camera.look_after()

    def close(self) -> None:
        """End them all, and those that were told to and did not."""
        stop_cameras((*self._cameras, *self._gone))
        self._cameras, self._gone = [], []

    def _started(self, config: CameraConfig) -> CameraProcess:
        camera = CameraProcess(config, packets=self._packets.get(config.name))
        camera.start()
        return camera
