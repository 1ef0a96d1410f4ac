"""Spoil training pictures as mine cameras do: dark, dusty, grey, blurred, noisy, compressed.

Knows nothing about labels.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def spoil(rng: np.random.Generator, rgb: Pixels) -> Pixels:
    """Darken, tint, grey, blur, add noise and compress at random, as mine cameras do."""
    levels = np.linspace(0, 1, 256)
    gamma = np.exp(rng.normal(0.1, 0.35))
    gain = np.exp(rng.normal(-0.1, 0.3))
    tints = np.exp(rng.normal(0, 0.06, 3))
    table = np.clip(255 * gain * tints * levels[:, None] ** gamma, 0, 255).astype(np.uint8)
    out: Pixels = cv2.LUT(np.ascontiguousarray(rgb), table.reshape(256, 1, 3)).astype(np.uint8)
    if rng.random() < 0.4:
        grey = cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)[:, :, None].repeat(3, axis=2)
        share = 1.0 if rng.random() < 0.3 else float(rng.uniform(0.2, 0.9))
        out = cv2.addWeighted(out, 1 - share, grey, share, 0).astype(np.uint8)
    if rng.random() < 0.15:
        haze = float(rng.uniform(0.05, 0.35))
        out = cv2.addWeighted(
            out, 1 - haze, np.full_like(out, int(rng.integers(60, 200))), haze, 0
        ).astype(np.uint8)
    if rng.random() < 0.15:
        out = glare(rng, out)
    if rng.random() < 0.1:
        out = smear(rng, out)
    if rng.random() < 0.2:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.4, 1.5))).astype(np.uint8)
    if rng.random() < 0.3:
        seed = int(rng.integers(2**31))
        sigma = float(rng.uniform(2, 14))
        noise = np.zeros(out.shape, np.int16)
        cv2.setRNGSeed(seed)
        cv2.randn(noise, np.zeros((4, 1)), np.full((4, 1), sigma))
        out = cv2.add(out, noise, dtype=cv2.CV_8U).astype(np.uint8)
    if rng.random() < 0.25:
        quality = int(rng.integers(20, 80))
        _, code = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, quality])
        again = cv2.imdecode(code, cv2.IMREAD_COLOR)
        out = out if again is None else again.astype(np.uint8)
    return out


def glare(rng: np.random.Generator, rgb: Pixels) -> Pixels:
    """Let one to three lamps shine into the lens: a burnt-out disc with a halo."""
    height, width = rgb.shape[:2]
    light = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        radius = float(np.exp(rng.uniform(np.log(2), np.log(0.06 * max(height, width) + 3))))
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        away = np.hypot(np.arange(width) - x, np.arange(height)[:, None] - y).astype(np.float32)
        reach, power = radius * float(rng.uniform(2, 6)), float(rng.uniform(40, 160))
        light += np.where(away < radius, 400, power * np.exp(-((away / reach) ** 2)))
    tint = np.array([1.0, rng.uniform(0.9, 1.0), rng.uniform(0.75, 1.0)], np.float32)
    return np.clip(rgb + light[..., None] * tint, 0, 255).astype(np.uint8)


def smear(rng: np.random.Generator, rgb: Pixels) -> Pixels:
    """Blur along one direction, as long exposures do with what moves."""
    length, turn = int(rng.integers(3, 10)), rng.uniform(0, np.pi)
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    ends = middle * np.array([np.cos(turn), np.sin(turn)])
    start, stop = np.rint(middle - ends).astype(int), np.rint(middle + ends).astype(int)
    cv2.line(kernel, start.tolist(), stop.tolist(), 1.0)
    return cv2.filter2D(rgb, -1, kernel / kernel.sum()).astype(np.uint8)
