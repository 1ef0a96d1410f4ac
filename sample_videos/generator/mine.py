"""A scene's mine at an instant: its shapes and lamps, where its cameras look, who stands where.

Turns a scene file's places into mine metres. Knows nothing about light or pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from sample_videos.generator.camera import Camera, make_camera
from sample_videos.generator.roadway import Lamp, Layout, roadway
from sample_videos.generator.scene_file import CameraSpec, HappeningSpec, Point3, SceneSpec

NO_TURN: Point3 = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Phase:
    """A stretch of one camera's clip through which neither its pose nor the lamps change."""

    first_frame: int
    camera: Camera
    lamps_out: tuple[int, ...]


def frame_of(scene: SceneSpec, at_s: float) -> int:
    """Give the first frame at or after an instant."""
    return math.ceil(round(at_s * scene.fps, 6))


def camera_of(scene: SceneSpec, spec: CameraSpec, turn_deg: Point3 = NO_TURN) -> Camera:
    """Make the camera that a scene file describes, turned by a knock (yaw, pitch, roll)."""
    axis = scene.axis
    return make_camera(
        spec.id,
        axis.mine([spec.at_m])[0],
        yaw_deg=math.degrees(axis.heading_rad(spec.at_m[0])) + spec.yaw_deg + turn_deg[0],
        pitch_deg=spec.pitch_deg + turn_deg[1],
        hfov_deg=spec.hfov_deg,
        size_px=spec.size_px,
        lens=spec.lens,
        distortion=spec.distortion,
        roll_deg=spec.roll_deg + turn_deg[2],
    )


def phases(scene: SceneSpec, spec: CameraSpec) -> list[Phase]:
    """List the phases of a camera's clip, the first from frame 0."""
    turn, out = NO_TURN, ()
    found = [Phase(first_frame=0, camera=camera_of(scene, spec), lamps_out=())]
    for happening in sorted(scene.happenings, key=lambda h: h.at_s):
        if happening.kind == "camera_knock" and happening.camera == spec.id:
            assert happening.turn_deg is not None
            yaw, pitch, roll = (a + b for a, b in zip(turn, happening.turn_deg, strict=True))
            turn = (yaw, pitch, roll)
        elif happening.kind == "lamp_outage":
            out = tuple(sorted({*out, *happening.lamps}))
        else:
            continue
        phase = Phase(
            first_frame=frame_of(scene, happening.at_s),
            camera=camera_of(scene, spec, turn),
            lamps_out=out,
        )
        if phase.first_frame == found[-1].first_frame:
            found.pop()
        found.append(phase)
    return found


def dead_from(scene: SceneSpec, camera: str) -> int | None:
    """Give the first frame that a camera does not deliver any more."""
    frames = [
        frame_of(scene, h.at_s)
        for h in scene.happenings
        if h.kind == "camera_dead" and h.camera == camera
    ]
    return min(frames, default=None)


def lens_dust_of(scene: SceneSpec, camera: str) -> HappeningSpec | None:
    """Give what dusts a camera's lens, if anything does."""
    found = [h for h in scene.happenings if h.kind == "lens_dust" and h.camera == camera]
    return min(found, key=lambda h: h.at_s) if found else None


def layout_of(scene: SceneSpec, lamps_out: tuple[int, ...] = ()) -> Layout:
    """Build the scene's shapes and the lamps that burn, in mine metres."""
    axis = scene.axis
    if scene.roadway is not None:
        r = scene.roadway
        built = roadway(
            length_m=r.length_m,
            width_m=r.width_m,
            leg_m=r.leg_m,
            lamp_every_m=r.lamp_every_m,
            seed=scene.seed,
        )
    else:
        from sample_videos.generator.longwall import longwall

        assert scene.longwall is not None
        built = longwall(scene.longwall, scene.seed)
    lamps = [
        Lamp(centre_m=axis.mine([lamp.centre_m])[0])
        for i, lamp in enumerate(built.lamps)
        if i not in lamps_out
    ]
    return Layout(
        meshes={material: axis.bend(mesh) for material, mesh in built.meshes.items()}, lamps=lamps
    )


def still_geometry(scene: SceneSpec) -> object:
    """Give all of the scene that the still views depend on, to tell plates apart."""
    still: object
    if scene.roadway is not None:
        still = replace(scene.roadway, belt_m_s=0.0, belt_from_s=0.0)
    else:
        assert scene.longwall is not None
        still = replace(scene.longwall, shearer_at_m=0.0, shearer_m_s=0.0)
    return [still, scene.line_m, scene.cross_fall, scene.seed, scene.samples_per_pixel]


def probe_places(scene: SceneSpec) -> list[tuple[float, float, float]]:
    """Choose where the bounced light is measured: along the walkway, in mine metres."""
    lefts = (-1.3, -0.2, 0.7) if scene.roadway is not None else (1.3, 1.9, 3.3)
    places = [(x, y, 1.1) for x in np.arange(1, scene.mine.length_m, 2.0) for y in lefts]
    return [(float(x), float(y), float(z)) for x, y, z in scene.axis.mine(places)]
