"""A sample clip over and over under a view watch, on a clock of the test's; lenses get spoilt."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from edge.pipeline import Frames
from edge.view.watch import ViewWatch
from scene.arrays import Bytes
from scene.clock import ReplayClock
from scene.messages import Anomaly, CameraHealth, Frame
from scene.rig import Rig, save_rig
from tests.sample_site import SAMPLES, START_AT_NS, instants, rig_of, site_of

HANG_S = 60.0
CLIP = SAMPLES / "events" / "quiet"

Spoil = Callable[[Bytes], Bytes]


@cache
def film() -> tuple[Frames, ...]:
    """Read two people's walk, a few pictures a second."""
    return tuple(list(instants(site_of(CLIP)))[::4])


@cache
def spoilt_film(spoil: Spoil, at: int, camera: int) -> Frame:
    """Spoil a picture of it."""
    frame = film()[at][camera]
    return replace(frame, image=replace(frame.image, y=spoil(frame.image.y)))


def noisy(luma: Bytes | np.ndarray, sigma: float, seed: int = 0) -> Bytes:
    """Add the noise of a sensor."""
    noise = np.random.default_rng(seed).normal(0, sigma, luma.shape)
    return np.clip(luma + noise, 0, 255).astype(np.uint8)


def cloth(luma: Bytes) -> Bytes:
    """Cover the lens: grey, with a sensor's noise at full gain."""
    return noisy(np.full(luma.shape, 90.0), 8)


def black(luma: Bytes) -> Bytes:
    """Put a cap on the lens, or the light out: noise at full gain."""
    return noisy(np.full(luma.shape, 22.0), 6)


@cache
def dust(share: float) -> Spoil:
    """Veil the lens: this share of the light comes from all over."""

    def veiled(luma: Bytes) -> Bytes:
        height, width = luma.shape
        small = cv2.resize(luma, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
        veil = cv2.resize(cv2.GaussianBlur(small, (0, 0), width / 88), (width, height))
        return noisy((1 - share) * luma + share * veil, 2)

    return veiled


@cache
def printed(contrast: float, grain_px: float) -> Spoil:
    """Hang a printed cloth before the lens; its pattern is so large, and that unsharp."""
    height, width = film()[0][0].image.y.shape
    grains = np.random.default_rng(3).normal(0, 1, (height, width))
    pattern = cv2.GaussianBlur(grains, (0, 0), grain_px)
    return lambda luma: noisy(90 + contrast * pattern / pattern.std(), 2)


@cache
def blur(sigma_px: float) -> Spoil:
    """Wet the lens."""
    return lambda luma: noisy(cv2.GaussianBlur(luma, (0, 0), sigma_px), 2)


@cache
def gain(factor: float, sigma: float = 2.0) -> Spoil:
    """Light the place more or less, or let the camera expose more or less."""
    return lambda luma: np.minimum(noisy(16 + factor * (luma.astype(float) - 16), sigma), 235)


class Day:
    """A gateway's view watch, its cameras filming twice a second."""

    def __init__(self, folder: Path, rig: Rig | None = None) -> None:
        self.rig = rig or rig_of(CLIP)
        site = site_of(CLIP)
        changes = {
            "rig": site.rig.model_copy(update={"file": folder / "rig.yaml"}),
            "state_folder": folder / "state",
        }
        self.site = site.model_copy(update=changes)
        save_rig(self.rig, self.site.rig.file)
        self.clock = ReplayClock(START_AT_NS)
        self.alarms: list[tuple[float, Anomaly]] = []
        self._at = 0
        self.start()

    def start(self, *before: Anomaly) -> None:
        """Start the gateway, or start it anew."""
        self.watch = ViewWatch(self.site, self.rig, self.clock)
        assert all(self.watch.adopt(alarm) for alarm in before)

    def run(self, seconds: float, *, step_s: float = 0.5, **spoilt: Spoil) -> None:
        """Film for so long, with the lenses of some cameras spoilt."""
        for _ in range(round(seconds / step_s)):
            self.clock.sleep(step_s)
            self._at = (self._at + 1) % len(film())
            # Both cameras are seen to twice a second: a live gateway gives ten instants.
            for _ in range(2):
                self.watch.look(self.frames(spoilt))
            self.alarms += [(self.now_s, alarm) for alarm in self.watch.changes()]
        assert self.watch.settle(HANG_S)

    @property
    def now_s(self) -> float:
        """Tell the time since the start."""
        return (self.clock.now_ns() - START_AT_NS) / 1e9

    def kinds(self) -> list[tuple[str, str | None, str]]:
        """List what has been said so far."""
        return [(alarm.kind, alarm.camera, alarm.state) for _, alarm in self.alarms]

    def health(self, name: str) -> CameraHealth:
        """Tell a filming camera's health."""
        films = CameraHealth(name=name, state="ok", fps=10.0, last_frame_at_ns=1)
        (judged,) = self.watch.judged([films])
        return judged

    def frames(self, spoilt: dict[str, Spoil]) -> Frames:
        """Take the present pictures, the lenses of some cameras spoilt."""
        return tuple(
            spoilt_film(spoilt[frame.camera], self._at, number) if frame.camera in spoilt else frame
            for number, frame in enumerate(film()[self._at])
        )
