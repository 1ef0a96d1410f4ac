"""A gateway that shows a sample clip with a stamp painted all over each frame, and reads it back.

A stamp tells which frame it is and where in the panorama it stands: so a screenshot alone tells
which frame is shown, how large, and where. Knows nothing about the page.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from edge.description import describe
from edge.encoder import PanoramaEncoder
from location.on_panorama import with_panorama
from scene.arrays import Bytes, Floats
from scene.messages import Frame, PanoramaPacket, Positions, YuvImage
from stitching.stitcher import Stitcher
from tests.control_room.fake_gateway import LocalGateway, health
from tests.sample_site import START_AT_NS, instants, read, rig_of, site_of, world
from tests.true_people import finds_at, people_at

BLOCK_PX, BITS, BETWEEN_PX = 10, 18, (240, 60)
COLUMNS = 8
BEGIN, END = (105, 212, 234), (145, 54, 34)
"""Magenta and green, as luma and the two chromas."""
FPS = 10


def stamped(image: YuvImage, number: int) -> YuvImage:
    """Paint the frame's number into every cell of a picture."""
    y, u, v = image.y.copy(), image.u.copy(), image.v.copy()
    for cell, (left, top) in enumerate(_cells(image.size_px)):
        check = (number ^ number >> 4 ^ cell * 5) & 15
        bits = f"{number:08b}{cell:06b}{check:04b}"
        blocks = [BEGIN, *((235 if bit == "1" else 16, 128, 128) for bit in bits), END]
        for i, colour in enumerate(blocks):
            x = left + i * BLOCK_PX
            for plane, value, part in zip((y, u, v), colour, (1, 2, 2), strict=True):
                rows = slice(top // part, (top + BLOCK_PX) // part)
                plane[rows, x // part : (x + BLOCK_PX) // part] = value
    return YuvImage(y=y, u=u, v=v)


def _cells(size_px: tuple[int, int]) -> list[tuple[int, int]]:
    width, height = size_px
    wide = (BITS + 2) * BLOCK_PX
    return [
        (left, top)
        for top in range(10, height - BLOCK_PX, BETWEEN_PX[1])
        for left in range(4, width - wide, BETWEEN_PX[0])
    ][: 1 << 6]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a picture of the canvas tells."""

    frame: int
    scale: float
    """Canvas pixels per panorama pixel."""
    shift: tuple[float, float]
    stamps: int

    def on_canvas(self, panorama_px: Floats) -> Floats:
        """Carry (N, 2) panorama pixels, whole numbers the middles of pixels, to the canvas."""
        found: Floats = (panorama_px + 0.5) * self.scale + np.array(self.shift)
        return found


def read_stamps(canvas: Bytes, size_px: tuple[int, int]) -> Reading:
    """Read a canvas (H, W, 3) BGR; `size_px` is the panorama's. Raises `ValueError` without any."""
    blue, green, red = (canvas[:, :, i].astype(int) for i in range(3))
    begins = _squares((red > 180) & (green < 110) & (blue > 180))
    ends = _squares((green > 150) & (red < 110) & (blue < 110))
    luma = canvas.astype(float).mean(axis=2)
    cells, votes, pairs = _cells(size_px), list[int](), list[tuple[Floats, Floats, int]]()
    for begin in begins:
        for end in ends:
            run = (end - begin)[0] / (BITS + 1)
            if run < 2 or abs(end[1] - begin[1]) > run / 3:
                continue
            xs = begin[0] + run * np.arange(1, BITS + 1)
            values = luma[round(begin[1]), np.round(xs).astype(int)]
            bits = int("".join("1" if value > 125 else "0" for value in values), 2)
            number, cell, check = bits >> 10, bits >> 4 & 63, bits & 15
            if cell >= len(cells) or check != (number ^ number >> 4 ^ cell * 5) & 15:
                continue
            left, top = cells[cell]
            there = np.array([left, top]) + BLOCK_PX / 2
            votes.append(number)
            pairs += [
                (begin, there, number),
                (end, there + np.array([(BITS + 1) * BLOCK_PX, 0.0]), number),
            ]
            break
    if not votes:
        raise ValueError("no stamp can be read")
    frame = max(set(votes), key=votes.count)
    seen = np.array([at for at, _, number in pairs if number == frame])
    there = np.array([at for _, at, number in pairs if number == frame])
    fit = _fit(there, seen)
    # One sign in sixteen that is half covered passes the check all the same.
    off = np.hypot(*(there * fit.scale + fit.shift - seen).T)
    good = off <= max(1.0, 2 * float(np.median(off)))
    fit = _fit(there[good], seen[good])
    return Reading(frame=frame, scale=fit.scale, shift=fit.shift, stamps=int(good.sum()) // 2)


def _squares(mask: np.ndarray) -> list[Floats]:
    """Give the middles of patches that are square: what a tag covers in part is none."""
    _, _, stats, middles = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    found = []
    for (_, _, wide, high, area), middle in zip(stats[1:], middles[1:], strict=True):
        short, long = sorted((wide, high))
        if short >= 3 and long <= 1.34 * short + 1 and area >= 0.8 * wide * high:
            found.append(middle + 0.5)  # edges of canvas pixels, as the page counts
    return found


class _Fit(NamedTuple):
    scale: float
    shift: tuple[float, float]


def _fit(there: Floats, seen: Floats) -> _Fit:
    """Fit one scale for both axes, by least squares."""
    middle_there, middle_seen = there.mean(axis=0), seen.mean(axis=0)
    spread = ((there - middle_there) ** 2).sum()
    scale = ((there - middle_there) * (seen - middle_seen)).sum() / spread
    shift = middle_seen - scale * middle_there
    return _Fit(float(scale), (float(shift[0]), float(shift[1])))


class SampleGateway(LocalGateway):
    """Shows some frames of a clip again and again, with everybody where they truly are."""

    def __init__(self, hear: object, folder: Path, first: int, count: int) -> None:
        super().__init__(hear)  # type: ignore[arg-type]
        self.folder = folder
        self.site, self.rig = site_of(folder), rig_of(folder)
        self.size_px = self.rig.surface.size_px
        self.frames = list(self._stitched(first, count))
        self.frame_of: dict[int, int] = {}
        """Which frame was sent at an instant."""

    def __enter__(self) -> "SampleGateway":
        super().__enter__()
        self.say(describe(self.site, self.rig, "", "ws://gw1:1/panorama"))
        return self

    def _stitched(self, first: int, count: int) -> Iterator[tuple[int, YuvImage, Positions]]:
        stitcher = Stitcher(self.rig, self.site.panorama)
        fps = float(read(self.folder, "scene.json")["fps"])
        for frames in islice(instants(self.site), first, first + count):
            yield self._frame(stitcher, frames, fps)

    def _frame(
        self, stitcher: Stitcher, frames: Sequence[Frame], fps: float
    ) -> tuple[int, YuvImage, Positions]:
        at_ns = max(frame.captured_at_ns for frame in frames)
        number = round((at_ns - START_AT_NS) / 1e9 * fps)
        people = people_at(self.folder, number, at_ns)
        panorama = stitcher.stitch(frames, people, finds_at(self.folder, number, at_ns))
        people = list(with_panorama(tuple(people), self.rig.surface, panorama.insets))
        told = Positions(captured_at_ns=at_ns, people=tuple(people))
        return number, stamped(panorama.image, number), told

    def true_px(self, frame: int) -> dict[int, Floats]:
        """Project where everybody truly stands at a frame: panorama pixels, by track."""
        people = world(self.folder)[frame]["people"]
        feet = self.rig.surface.panorama_from_mine(np.array([one["xyz_m"] for one in people]))
        return {one["id"]: xy for one, xy in zip(people, feet, strict=True)}

    def _run(self) -> None:
        encoder, i = PanoramaEncoder(self.size_px, FPS, 8000), 0
        while not self._stopping.wait(1 / FPS):
            number, image, told = self.frames[i % len(self.frames)]
            at_ns = time.time_ns()
            people = tuple(replace(one, seen_at_ns=at_ns) for one in told.people)
            positions = self.change(Positions(captured_at_ns=at_ns, people=people))
            payload, is_key = encoder.encode(image, at_ns)
            self.frame_of[at_ns] = number
            self.say(positions)
            if i % FPS == 0:
                self.say(health(at_ns))
            i += 1
            self._send(
                PanoramaPacket(
                    captured_at_ns=at_ns, key_frame=is_key, geometry=self.rig.id,
                    size_px=self.size_px, positions=positions, payload=payload,
                )
            )  # fmt: skip
