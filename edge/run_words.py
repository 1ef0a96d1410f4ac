"""What a gateway tells whoever watches it run: that it runs, its cameras, changes of the site file.

Knows nothing about how any of it comes about. A line each, and none is said again for long: what
must not be missed is an alarm, and goes over MQTT.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from edge import log
from edge.options import RunOptions
from scene.clock import Clock
from scene.messages import CameraHealth

QUIET_S = 30.0
"""A camera that comes and goes is told of no more often than this."""


class Say(Protocol):
    """Says one thing, as `edge.log.say` does."""

    def __call__(self, text: str, level: log.Level = "info", **fields: object) -> None:
        """Say it, with fields that programs can sort by."""
        ...


def say_running(options: RunOptions, say: Say = log.say) -> None:
    """Say once that the gateway runs, and where its results go."""
    site = options.site()
    stream = options.stream_url()
    record = "" if options.record is None else f", recording into {options.record}"
    say(
        f"running: site {site.site}, gateway {site.gateway}, {len(site.cameras)} cameras; panorama "
        f"at {stream}, broker {site.broker.url}, state in {site.state_folder}{record}",
        site=site.site,
        gateway=site.gateway,
        stream=stream,
        state_folder=str(site.state_folder),
        recording=None if options.record is None else str(options.record),
    )


@dataclass(slots=True, kw_only=True)
class _Told:
    up: bool | None = None
    at_s: float = 0.0
    now: bool | None = None
    """Whether it was up when it was last looked at."""
    changes: int = 0
    """How often that has changed since it was told."""


class RunWords:
    """Says what changes while a gateway runs; to be told once a second how things are."""

    def __init__(self, clock: Clock, say: Say = log.say) -> None:
        self._clock, self._say = clock, say
        self._cameras: dict[str, _Told] = {}
        self._mistake = ""

    def cameras(self, healths: Iterable[CameraHealth]) -> None:
        """Say of each camera when it begins or ceases to give pictures."""
        now_s = self._clock.monotonic_s()
        for health in healths:
            up = health.state == "ok"
            told = self._cameras.setdefault(health.name, _Told(at_s=-QUIET_S + now_s))
            if health.state == "stalled" and told.up is None and health.last_frame_at_ns is None:
                continue  # it has only just begun
            told.changes += up != told.now
            told.now = up
            if up == told.up or now_s - told.at_s < QUIET_S:
                continue
            often = f" (came and went {told.changes} times)" if told.changes > 1 else ""
            detail = f": {health.detail}" if health.detail else ""
            self._say(
                f"camera {health.name} {'gives pictures' if up else health.state}{detail}{often}",
                "info" if up else "warning",
                camera=health.name,
                state=health.state,
            )
            told.up, told.at_s, told.changes = up, now_s, 0

    def site_file(self, *, changed: bool, mistake: str) -> None:
        """Say that zones, gates and limits were taken from the site file, or why they were not."""
        if changed:
            self._say("zones, gates and limits are as the site file has them now")
        if mistake != self._mistake:
            self._mistake = mistake
            if mistake:
                self._say(mistake, "warning")
            elif not changed:
                self._say("the site file has no mistakes any more")
