"""One frame of one camera: people drawn into the still view, with who is where in the picture.

Knows nothing about scripts, files or video.
"""

# mypy: ignore-errors

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sample_videos.generator import plates
from sample_videos.generator.camera import Camera
from sample_videos.generator.coco import Keypoint, encode_rle, keypoints_seen
from sample_videos.generator.light import glow, relight
from sample_videos.generator.miner import Body, Look, Posed
from sample_videos.generator.movers import Moved
from sample_videos.generator.plates import LAMP_WATTS, Plate
from sample_videos.generator.raster import empty_buffers, rasterise, shade_people
from sample_videos.generator.roadway import Lamp

Floats = NDArray[np.float32]
OVERSAMPLE = 2
COARSE = 4
CAP_LAMP_CANDELA = 1300.0
CAP_LAMP_SPILL = 26.0
BOUNCE_CANDELA = 38 * 0.12 / np.pi
HEAD_ID = 64
FAR_M = 60.0
FORWARD = 0.55


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lighting:
    """How a frame's people are lit and what they light; arrays as `raster.shade_people` says."""

    lamps: Floats
    lamp_share: Floats
    ambient: Floats
    beams: Floats
    bounces: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """One person in one picture: boxes x1 y1 x2 y2 in delivered pixels, edges at half pixels.

    `full_box` is the whole body cut at the picture's border, `visible_box` what is seen of it;
    `visibility` is the share of the body's area that is seen, `head_*` the same for the head.
    `mask_rle` is the mask of what is seen and `keypoints` are u, v, flag, both as COCO has them.
    """

    person: int
    full_box: tuple[float, float, float, float]
    visible_box: tuple[int, int, int, int] | None
    visible_px: int
    visibility: float
    unhidden: float
    head_box: tuple[int, int, int, int] | None
    head_px: int
    head_unhidden: float
    mask_rle: str
    keypoints: tuple[Keypoint, ...]


class Stage:
    """The loaded mine: asks Mitsuba what sees what."""

    def __init__(self, mi, scene, lamps: list[Lamp], probes_m, probe_light) -> None:
        self.mi, self.scene, self.lamps = mi, scene, lamps
        self.probes_m, self.probe_light = probes_m, probe_light
        self._stations = None

    def lighting(
        self,
        looks: list[Look],
        posed: list[Posed],
        power: float = 1.0,
        moved: Sequence[Moved] = (),
    ) -> Lighting:
        """Find how people and movers are lit, and where the people's cap lamps shine."""
        mi = self.mi
        below = np.array([0, 0, 0.08])
        share = np.zeros((len(posed), len(self.lamps)), np.float32)
        ambient = np.zeros((len(posed), 6, 3), np.float32)
        beams = np.zeros((len(posed), 9), np.float32)
        bounces = np.zeros((len(posed), 7), np.float32)
        if posed:
            heads = np.array([p.head_m for p in posed])
            waists = np.array([p.joints_m[0] for p in posed])
            for i, lamp in enumerate(self.lamps):
                for points in (heads, waists):
                    seen = plates.visible(mi, self.scene, points, lamp.centre_m - below)
                    share[:, i] += 0.5 * seen
        for i, (look, p) in enumerate(zip(looks, posed, strict=True)):
            ambient[i] = self._ambient(p.feet_m)
            if not (look.helmet_on and look.lamp_on):
                beams[i, 8] = i
                continue
            at, way = p.lamp_m, p.lamp_direction
            beams[i] = [*at, *way, CAP_LAMP_CANDELA, CAP_LAMP_SPILL, i]
            hit = self.scene.ray_intersect(
                mi.Ray3f(mi.Point3f(*at.tolist()), mi.Vector3f(*way.tolist()))
            )
            spot, normal = np.array(hit.p).ravel(), np.array(hit.n).ravel()
            if np.isfinite(spot).all() and np.isfinite(hit.t[0]):
                normal = normal if normal @ way < 0 else -normal
                bounces[i] = [*(spot + 0.05 * normal), *normal, BOUNCE_CANDELA]
        candela = LAMP_WATTS * power / np.pi**2
        lamps = [[*(lamp.centre_m - [0, 0, 0.03]), candela] for lamp in self.lamps]
        if moved:
            station_share, station_ambient = self._station_light(moved)
            share = np.concatenate([share, station_share])
            ambient = np.concatenate([ambient, station_ambient])
        return Lighting(
            lamps=np.array(lamps, np.float32).reshape(-1, 4),
            lamp_share=share,
            ambient=ambient,
            beams=beams,
            bounces=bounces,
        )

    def _ambient(self, place_m) -> Floats:
        """Give the bounced light (6, 3) near a place, between the four nearest probes."""
        distance = np.linalg.norm(self.probes_m[:, :2] - place_m[:2], axis=1)
        near = np.argsort(distance, kind="stable")[:4]
        weight = 1 / (distance[near] + 0.1) ** 2
        return np.einsum("k,kac->ac", weight / weight.sum(), self.probe_light[near])

    def _station_light(self, moved: Sequence[Moved]) -> tuple[Floats, Floats]:
        """Give the share of each lamp (s, l) and the bounced light (s, 6, 3) at the stations."""
        places = [place for m in moved for place in m.stations_m]  # each (asked, 3)
        asked = np.concatenate(places)
        if self._stations is not None and np.array_equal(self._stations[0], asked):
            return self._stations[1:]
        first = np.r_[0, np.cumsum([len(p) for p in places])][:-1]
        count = np.array([len(p) for p in places])
        share = np.zeros((len(places), len(self.lamps)), np.float32)
        for i, lamp in enumerate(self.lamps):
            target = lamp.centre_m - [0, 0, 0.08]
            seen = plates.visible(self.mi, self.scene, asked, target)
            share[:, i] = np.add.reduceat(seen.astype(np.float32), first) / count
        ambient = np.array([self._ambient(p.mean(0)) for p in places], np.float32)
        self._stations = asked, share, ambient
        return share, ambient


class View:
    """One camera's plate, ready to have people drawn into it."""

    def __init__(self, camera: Camera, plate: Plate, stage: Stage, dust_per_m: float) -> None:
        self.camera, self.plate, self.stage, self.dust = camera, plate, stage, dust_per_m
        offset = plate.position_m - camera.centre_m
        self.depth = (offset @ camera.rotation[2]).astype(np.float32)
        self.distance = np.linalg.norm(offset, axis=2).astype(np.float32)
        h, w = self.depth.shape
        size = (OVERSAMPLE * w, OVERSAMPLE * h)
        self.fine_depth = cv2.resize(self.depth, size, interpolation=cv2.INTER_NEAREST)
        half = COARSE // 2
        self.coarse_rays = np.ascontiguousarray(
            plates.plate_rays(camera)[half::COARSE, half::COARSE][: h // COARSE, : w // COARSE]
        )
        self.jitter = np.random.default_rng(0).random((64, 64)).astype(np.float32)
        self._still_reach = self._coarse(np.minimum(self.distance, FAR_M))
        self._still_glow = None

    def _coarse(self, values: Floats) -> Floats:
        h, w = self.coarse_rays.shape[:2]
        half = COARSE // 2
        return np.ascontiguousarray(values[half::COARSE, half::COARSE][:h, :w])

    def _beam_seen(self, beams: Floats) -> NDArray[np.uint8]:
        """Tell which points of the still view each cap lamp reaches, (m, H, W) 0 or 255."""
        out = np.zeros((len(beams), *self.depth.shape), np.uint8)
        points, normals = self.plate.position_m, self.plate.normal
        for i, beam in enumerate(beams):
            if beam[6] <= 0:
                continue
            offset = points - beam[:3]
            distance = np.linalg.norm(offset, axis=2)
            cosine = (offset @ beam[3:6]) / (distance + 1e-3)
            lit = ((cosine > 0.93) & (distance < 45)) | ((cosine > 0.35) & (distance < 5))
            ys, xs = np.nonzero(lit)
            if len(ys):
                raised = (points + 0.012 * normals)[ys, xs]
                seen = plates.visible(self.stage.mi, self.stage.scene, raised, beam[:3])
                out[i, ys, xs] = seen * np.uint8(255)
        return out

    def draw(
        self,
        body: Body,
        looks: list[Look],
        posed: list[Posed],
        lighting: Lighting,
        moved: Sequence[Moved] = (),
    ) -> tuple[Floats, NDArray[np.uint8]]:
        """Give radiance (H, W, 3) and ids (H, W) on the plate: person + 1, + 64 on the head.

        Movers hide what is behind them, and have no id.
        """
        h, w = self.depth.shape
        camera, plate = self.camera, self.plate
        groups = [p.capsules for p in posed] + [c for m in moved for c in m.capsules]
        limbs = np.concatenate(groups or [np.zeros((0, 7), np.float32)])
        limb_start = np.r_[0, np.cumsum([len(g) for g in groups])].astype(np.int64)
        middles = [g[:, :6].reshape(-1, 3).mean(0) for g in groups[len(posed) :]]
        centres = np.array([p.feet_m for p in posed] + middles, np.float32).reshape(-1, 3)
        light = np.empty((h, w, 3), np.float32)
        relight(
            plate.radiance, plate.albedo, plate.normal, plate.position_m, plate.lamp_seen,
            lighting.lamps, limbs.astype(np.float32), limb_start, centres,
            lighting.beams, self._beam_seen(lighting.beams), lighting.bounces, light,
        )  # fmt: skip
        ids = np.zeros((h, w), np.uint8)
        distance = self.distance
        depth = self.fine_depth.copy()
        winner = np.full(depth.shape, -1, np.int32)
        screens, faces, first_face, first_vertex = [], [], 0, 0
        for p in [*posed, *moved]:
            uv, z = camera.plate_pixels(p.vertices)
            screen = np.c_[(uv + 0.5) * OVERSAMPLE - 0.5, z].astype(np.float32)
            rasterise(screen, p.faces, depth, winner, first_face)
            screens.append(screen)
            faces.append(p.faces + first_vertex)
            first_face += len(p.faces)
            first_vertex += len(p.vertices)
        ys, xs = np.nonzero(winner >= 0)
        if len(ys):
            triangle = winner[ys, xs]
            drawn = [*posed, *moved]
            owner = np.concatenate([np.full(len(p.faces), i) for i, p in enumerate(drawn)])
            on_head = np.concatenate(
                [p.head_faces for p in posed] + [np.zeros(len(m.faces), bool) for m in moved]
            )
            stations = np.cumsum([len(posed)] + [len(m.stations_m) for m in moved])
            colour = np.empty((len(ys), 3), np.float32)
            shade_people(
                ys, xs, triangle, np.concatenate(screens),
                np.concatenate([p.vertices for p in drawn]),
                np.concatenate([p.normals for p in drawn]),
                np.concatenate([body.vertices] * len(posed) + [m.rest for m in moved]),
                np.concatenate(
                    [body.weights[:, 5:11].sum(1)] * len(posed)
                    + [m.station + np.float32(k) for m, k in zip(moved, stations, strict=False)]
                ),
                np.concatenate([body.part] * len(posed) + [m.part for m in moved]),
                np.concatenate(faces), owner.astype(np.int32),
                np.array([look.parameters() for look in looks] + [m.look for m in moved]),
                camera.centre_m.astype(np.float32), lighting.lamps, lighting.lamp_share,
                lighting.ambient, limbs.astype(np.float32), limb_start,
                lighting.beams, lighting.bounces, colour,
            )  # fmt: skip
            y, x = ys // OVERSAMPLE, xs // OVERSAMPLE
            part = 1 / OVERSAMPLE**2
            people = np.zeros((h, w, 3), np.float32)
            np.add.at(people, (y, x), np.minimum(colour, 2e4) * np.float32(part))
            cover = np.bincount(y * w + x, minlength=h * w).reshape(h, w) * np.float32(part)
            light = light * (1 - cover[..., None]) + people
            whose = owner[triangle]
            ids[y, x] = np.where(whose < len(posed), whose + 1 + HEAD_ID * on_head[triangle], 0)
            ids[cover < 0.5] = 0
            z = np.zeros((h, w), np.float32)
            z[y, x] = depth[ys, xs]
            along = self.distance / np.maximum(self.depth, 1e-3)
            distance = np.where(cover > 0.5, z * along, self.distance)
        haze = self._glow(distance, lighting)
        clear = np.exp(-self.dust * distance)[..., None].astype(np.float32)
        return light * clear + haze, ids

    def _glow(self, distance: Floats, lighting: Lighting) -> Floats:
        """Give the light scattered by dust towards the camera, (H, W, 3)."""
        h, w = distance.shape
        camera = self.camera.centre_m.astype(np.float32)
        no_beams = np.zeros((0, 9), np.float32)
        no_lamps = np.zeros((0, 4), np.float32)
        reach = self._coarse(np.minimum(distance, FAR_M).astype(np.float32))
        if self._still_glow is None:
            self._still_glow = np.empty((*reach.shape, 3), np.float32)
            glow(
                self.coarse_rays, self._still_reach, camera, lighting.lamps, no_beams,
                self.dust, FORWARD, 32, self.jitter, self._still_glow,
            )  # fmt: skip
        out = np.empty_like(self._still_glow)
        glow(
            self.coarse_rays, reach, camera, no_lamps, lighting.beams,
            self.dust, FORWARD, 16, self.jitter, out,
        )  # fmt: skip
        out += self._still_glow
        ys, xs = np.nonzero(np.abs(reach - self._still_reach) > 0.05)
        if len(ys):  # a person stops the ray earlier
            nearer = np.empty((1, len(ys), 3), np.float32)
            glow(
                np.ascontiguousarray(self.coarse_rays[ys, xs])[None],
                np.ascontiguousarray(reach[ys, xs])[None], camera, lighting.lamps, no_beams,
                self.dust, FORWARD, 20, self.jitter, nearer,
            )  # fmt: skip
            out[ys, xs] += nearer[0] - self._still_glow[ys, xs]
        return cv2.resize(
            cv2.GaussianBlur(out, (0, 0), 1.5), (w, h), interpolation=cv2.INTER_LINEAR
        )


def person_seen(
    camera: Camera, sensor, person: int, posed: Posed, ids: NDArray[np.uint8]
) -> Seen | None:
    """Measure one person in the delivered id map (H, W); None where nothing of them is in it."""
    h, w = ids.shape
    uv, z = camera.plate_pixels(posed.vertices)
    front = z > 0.2
    if not front.any():
        return None
    corners = camera.delivered_from_plate(uv[front])
    x1, y1 = corners.min(0)
    x2, y2 = corners.max(0)
    full = (max(x1, -0.5), max(y1, -0.5), min(x2, w - 0.5), min(y2, h - 0.5))
    if full[2] - full[0] < 1 or full[3] - full[1] < 1:
        return None
    winner = _silhouette(camera, posed, uv, z)
    alone = sensor.deliver_ids(np.uint8(winner >= 0) + np.uint8(_is_head(winner, posed)))
    mine = (ids & (HEAD_ID - 1)) == person + 1
    head = mine & (ids >= HEAD_ID)
    seen, whole = int(mine.sum()), int((alone > 0).sum())
    head_seen, head_whole = int(head.sum()), int((alone > 1).sum())
    if whole == 0:
        return None
    unhidden = min(1.0, seen / whole)
    return Seen(
        person=person,
        full_box=full,
        visible_box=_box(mine),
        visible_px=seen,
        visibility=unhidden * share_in_picture(camera, posed),
        unhidden=unhidden,
        head_box=_box(head),
        head_px=head_seen,
        head_unhidden=min(1.0, head_seen / max(head_whole, 1)),
        mask_rle=encode_rle(mine),
        keypoints=keypoints_seen(camera, posed.keypoints_m, mine),
    )


def share_in_picture(camera: Camera, posed: Posed) -> float:
    """Tell which share of a body's area lies inside the delivered picture, hidden or not."""
    uv, z = camera.plate_pixels(posed.vertices)
    inside = (_silhouette(camera, posed, uv, z) >= 0) & camera.plate_delivered()
    # The whole body at half size, on a canvas twice as wide and high as the plate.
    middle = np.array(camera.plate_size_px) / 4
    whole = _silhouette(camera, posed, (uv + 0.5) / 2 + middle - 0.5, z) >= 0
    return min(1.0, float(inside.sum()) / max(4.0 * float(whole.sum()), 1.0))


def _silhouette(camera: Camera, posed: Posed, uv, z) -> NDArray[np.int32]:
    """Draw one person alone: the winning face per plate pixel, -1 where there is none."""
    width, height = camera.plate_size_px
    depth, winner = empty_buffers(height, width)
    rasterise(np.c_[uv, z].astype(np.float32), posed.faces, depth, winner, 0)
    return winner


def _is_head(winner: NDArray[np.int32], posed: Posed) -> NDArray[np.bool_]:
    return (winner >= 0) & posed.head_faces[np.maximum(winner, 0)]


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Give the first and last+1 column and row of a mask, or None."""
    ys, xs = np.nonzero(mask)
    if not len(ys):
        return None
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
