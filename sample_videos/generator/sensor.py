"""From light to a picture: bloom, lens, vignette, Bayer noise, exposure, tone, noise reduction.

Knows nothing about the scene.
"""

# mypy: ignore-errors

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sample_videos.generator.camera import Camera

Floats = NDArray[np.float32]
TONE = 1.9
VEIL_CEILING = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorSettings:
    """What differs between cameras of one make.

    `keep` is the share of the last picture that temporal noise reduction keeps where nothing moves,
    as surveillance cameras do in the dark; 0 is none.
    """

    exposure: float
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    full_well: float = 4000.0
    read_noise: float = 3.0
    vignette: float = 0.35
    keep: float = 0.0


def auto_exposure(radiance: Floats, bias: float = 1.0) -> float:
    """Expose so that the 60th percentile of brightness comes out a bit below middle grey."""
    bright = np.percentile(radiance.mean(2), 60)
    return float(np.clip(0.085 * bias / max(bright, 1e-3), 0.02, 0.6))


def bloom(radiance: Floats) -> Floats:
    """Spread bright light as a dirty lens does."""
    h, w = radiance.shape[:2]
    small = np.minimum(radiance, 4e3)
    small = cv2.resize(small, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    halo = np.zeros_like(small)
    for sigma, weight in ((1.2, 0.030), (5, 0.010), (18, 0.004), (55, 0.0022)):
        halo += weight * cv2.GaussianBlur(small, (0, 0), sigma)
    return radiance + cv2.resize(halo, (w, h), interpolation=cv2.INTER_LINEAR)


class Sensor:
    """Turns plate radiance (H, W, 3) RGB into the delivered picture (H, W, 3) BGR, 8 bit."""

    def __init__(self, camera: Camera, settings: SensorSettings, seed: int) -> None:
        self.settings = settings
        self.maps = camera.plate_from_delivered()
        self.seed = seed
        h, w = camera.height_px, camera.width_px
        yy, xx = np.mgrid[:h, :w].astype(np.float32)
        r2 = ((xx - (w - 1) / 2) ** 2 + (yy - (h - 1) / 2) ** 2) / (w / 2) ** 2
        self.falloff = (1 / (1 + settings.vignette * r2) ** 2)[..., None]
        self.gain = np.random.default_rng(seed).normal(1, 0.01, (h, w)).astype(np.float32)
        self._held: Floats | None = None

    def deliver_ids(self, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Distort a map of ids as the picture is distorted, nearest pixel."""
        return cv2.remap(ids, *self.maps, cv2.INTER_NEAREST)

    def expose(
        self,
        radiance: Floats,
        frame: int,
        *,
        exposure: float | None = None,
        lens_dust: tuple[Floats, Floats] | None = None,
    ) -> NDArray[np.uint8]:
        """Take the picture; its noise depends on the seed and the frame's number alone.

        `exposure` overrides the settings' one; `lens_dust` is its cover (H, W) and colour (3,).
        With noise reduction, frames must come in order.
        """
        s = self.settings
        gain = s.exposure if exposure is None else exposure
        light = cv2.remap(
            bloom(radiance), *self.maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        if lens_dust is not None:
            cover, colour = lens_dust
            # Without a ceiling one cap lamp would whiten half of the picture.
            dimmed = np.minimum(light, VEIL_CEILING / gain)
            veil = cv2.GaussianBlur(dimmed, (0, 0), light.shape[1] / 11) * colour
            light = light * (1 - cover[..., None]) + veil * cover[..., None]
        picture = self._develop(light, gain, frame)
        ycc = cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb)
        ycc[..., 1:] = cv2.GaussianBlur(ycc[..., 1:], (0, 0), 1.6)
        luma = np.ascontiguousarray(ycc[..., 0])
        luma += 0.5 * (luma - cv2.GaussianBlur(luma, (0, 0), 1.3))
        ycc[..., 0] = cv2.bilateralFilter(luma, 5, 0.025, 1.5)
        if s.keep > 0:
            ycc = self._reduce_noise(ycc)
        return np.clip(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2BGR) * 255, 0, 255).astype(np.uint8)

    def _reduce_noise(self, ycc: Floats) -> Floats:
        """Mix with the last picture where nothing moves."""
        if self._held is None:
            self._held = ycc
        change = np.abs(cv2.GaussianBlur(ycc[..., 0] - self._held[..., 0], (0, 0), 1.5))
        moves = np.clip(change / 0.02 - 0.5, 0, 1)
        moves = cv2.GaussianBlur(cv2.dilate(moves, np.ones((5, 5), np.uint8)), (0, 0), 2.0)
        share = (1 - self.settings.keep * (1 - np.minimum(moves, 1)))[..., None]
        self._held = self._held + share * (ycc - self._held)
        return self._held

    def _develop(self, light: Floats, exposure: float, frame: int) -> Floats:
        """Turn light (H, W, 3) into a colour picture 0..1 through a Bayer sensor with noise."""
        s = self.settings
        light = cv2.GaussianBlur(np.minimum(light, 60 / exposure), (0, 0), 0.6)
        light = light * self.falloff * np.float32(s.white_balance) * exposure
        raw = np.empty(light.shape[:2], np.float32)  # RGGB
        raw[0::2, 0::2] = light[0::2, 0::2, 0]
        raw[0::2, 1::2] = light[0::2, 1::2, 1]
        raw[1::2, 0::2] = light[1::2, 0::2, 1]
        raw[1::2, 1::2] = light[1::2, 1::2, 2]
        well = s.full_well * min(0.07 / exposure, 2.0)
        raw = np.minimum(raw, 1.3) * well
        noise = np.random.default_rng([self.seed, frame]).standard_normal(raw.shape, np.float32)
        raw = raw * self.gain + noise * np.sqrt(raw + s.read_noise**2)
        raw = np.clip(raw / well, 0, 1)
        picture = cv2.cvtColor((raw * 65535).astype(np.uint16), cv2.COLOR_BayerBG2BGR)
        picture = 1 - np.exp(-picture.astype(np.float32) / 65535 * TONE)
        picture = np.clip(picture / (1 - math.exp(-TONE)), 0, 1) ** (1 / 2.2)
        return np.asarray(picture, np.float32)
