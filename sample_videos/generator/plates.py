"""Still views of the empty mine: path-traced light (Mitsuba 3, denoised by OIDN) and geometry.

Knows nothing about people. Needs the extra `samples`; imported only when something is rendered.
"""

# mypy: ignore-errors

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sample_videos.generator.camera import Camera
from sample_videos.generator.roadway import LAMP_LENGTH_M, LAMP_RADIUS_M, Lamp, Layout
from sample_videos.generator.textures import Texture

Floats = NDArray[np.float32]
LAMP_WATTS = 3000.0
LAMP_COLOUR = (1.0, 0.97, 0.90)
LLVM = "/usr/lib/x86_64-linux-gnu/libLLVM-19.so"


def mitsuba(threads: int = 1):
    """Load Mitsuba with LLVM 19 (14 is refused, 15 aborts the process), on `threads` threads."""
    if Path(LLVM).exists():
        os.environ.setdefault("DRJIT_LIBLLVM_PATH", LLVM)
    import drjit
    import mitsuba as mi

    if mi.variant() is None:
        mi.set_variant("llvm_ad_rgb")
    drjit.set_thread_count(threads)
    return mi


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plate:
    """One camera's still view, all (H, W, ...) on the plate's pixels.

    `radiance` linear RGB; `albedo`; `normal`; `position_m` in the mine; `lamp_seen` (lamps, H, W),
    the share of each lamp's tube that the point sees, 0..255.
    """

    radiance: Floats
    albedo: Floats
    normal: Floats
    position_m: Floats
    lamp_seen: NDArray[np.uint8]

    def save(self, path: Path) -> None:
        """Write to an .npz file, whole or not at all."""
        part = path.with_suffix(".part.npz")
        np.savez(part, **{name: getattr(self, name) for name in Plate.__slots__})
        part.replace(path)

    @staticmethod
    def load(path: Path) -> Plate:
        """Read what `save` wrote."""
        with np.load(path) as stored:
            return Plate(**{name: stored[name] for name in Plate.__slots__})


def _bsdf(mi, texture: Texture):
    scale = 1 / texture.size_m

    def bitmap(values):
        values = values if values.ndim == 3 else values[..., None]
        return {
            "type": "bitmap",
            "bitmap": mi.Bitmap(np.ascontiguousarray(values)),
            "raw": True,
            "to_uv": mi.ScalarTransform4f().scale([scale, scale, 1]),
        }

    surface = {
        "type": "principled",
        "base_color": bitmap(texture.albedo),
        "roughness": bitmap(texture.roughness),
        "specular": 0.35,
    }
    if texture.height.std() > 0:
        bump = bitmap(texture.height)
        surface = {"type": "bumpmap", "arbitrary": bump, "scale": 1.0, "bsdf": surface}
    return mi.load_dict({"type": "twosided", "b": surface})


def build_scene(mi, layout: Layout, textures: dict[str, Texture], power: float = 1.0):
    """Load the layout into Mitsuba."""
    scene = {"type": "scene"}
    for material, (vertices, faces, uv) in layout.meshes.items():
        props = mi.Properties()
        props["bsdf"] = _bsdf(mi, textures[material])
        mesh = mi.Mesh(
            material,
            len(vertices),
            len(faces),
            has_vertex_normals=False,
            has_vertex_texcoords=True,
            props=props,
        )
        params = mi.traverse(mesh)
        params["vertex_positions"] = vertices.ravel()
        params["faces"] = faces.ravel().astype(np.uint32)
        params["vertex_texcoords"] = uv.ravel()
        params.update()
        scene["mesh_" + material] = mesh
    area = 2 * np.pi * LAMP_RADIUS_M * LAMP_LENGTH_M
    radiance = LAMP_WATTS * power / (np.pi * area)
    half = np.array([LAMP_LENGTH_M / 2, 0, 0])
    for i, lamp in enumerate(layout.lamps):
        scene[f"lamp{i}"] = {
            "type": "cylinder",
            "p0": (lamp.centre_m - half).tolist(),
            "p1": (lamp.centre_m + half).tolist(),
            "radius": LAMP_RADIUS_M,
            "bsdf": {"type": "diffuse", "reflectance": {"type": "rgb", "value": 0.6}},
            "emitter": {
                "type": "area",
                "radiance": {"type": "rgb", "value": [radiance * c for c in LAMP_COLOUR]},
            },
        }
    return mi.load_dict(scene)


def _sensor(mi, camera: Camera, samples: int):
    """Aim Mitsuba's camera; its box filter keeps noise uncorrelated, which the denoiser needs."""
    right, down, forward = camera.rotation
    to_world = np.eye(4)
    to_world[:3] = np.stack([-right, -down, forward, camera.centre_m], 1)
    width, height = camera.plate_size_px
    fov = np.degrees(2 * np.arctan(width / 2 / camera.plate_k[0, 0]))
    return mi.load_dict(
        {
            "type": "perspective",
            "fov": float(fov),
            "fov_axis": "x",
            "near_clip": 0.02,
            "far_clip": 200.0,
            "to_world": mi.ScalarTransform4f(to_world),
            "film": {
                "type": "hdrfilm",
                "width": width,
                "height": height,
                "rfilter": {"type": "box"},
                "pixel_format": "rgb",
            },
            "sampler": {"type": "independent", "sample_count": samples},
        }
    )


def render_plate(mi, scene, camera: Camera, lamps: list[Lamp], *, samples: int, seed: int) -> Plate:
    """Path-trace one camera's view; `samples` per pixel in passes of 16, fireflies clamped."""
    import cv2
    import pyoidn

    path = mi.load_dict({"type": "path", "max_depth": 6, "rr_depth": 3})
    passes = max(1, samples // 16)
    sensor = _sensor(mi, camera, samples // passes)
    shots = [
        np.array(mi.render(scene, integrator=path, sensor=sensor, spp=samples // passes, seed=s))
        for s in range(seed, seed + passes)
    ]
    mean = np.mean(shots, 0)
    typical = cv2.medianBlur(np.ascontiguousarray(mean), 5)
    ceiling = 6 * typical + 0.02 * typical.mean()
    clamped = np.mean([np.minimum(shot, ceiling) for shot in shots], 0)
    radiance = np.where(mean > 40, mean, clamped).astype(np.float32)  # keep the lamps themselves

    aov = mi.load_dict({"type": "aov", "aovs": "a:albedo,n:sh_normal,p:position"})
    smooth = np.array(mi.render(scene, integrator=aov, sensor=_sensor(mi, camera, 16), seed=seed))
    albedo = np.ascontiguousarray(smooth[..., :3])
    normal = np.ascontiguousarray(smooth[..., 3:6])
    radiance = np.asarray(
        pyoidn.denoise(np.ascontiguousarray(radiance), albedo=albedo, normal=normal, hdr=True)
    )
    position = _positions(mi, scene, camera)
    to_camera = camera.centre_m - position
    length = np.linalg.norm(normal, axis=2, keepdims=True)
    normal = normal / np.maximum(length, 1e-6)
    normal[(to_camera * normal).sum(-1) < 0] *= -1
    seen = [lamp_seen(mi, scene, position, normal, lamp) for lamp in lamps]
    return Plate(
        radiance=radiance.astype(np.float32),
        albedo=albedo.astype(np.float32),
        normal=normal.astype(np.float32),
        position_m=position.astype(np.float32),
        lamp_seen=np.stack(seen),
    )


def plate_rays(camera: Camera) -> Floats:
    """Give the viewing direction of every plate pixel's centre, (H, W, 3), unit length."""
    u, v = np.meshgrid(*(np.arange(size) for size in camera.plate_size_px))
    pixels = np.stack([u, v], -1)
    x = (pixels - camera.plate_k[:2, 2]) / camera.plate_k[0, 0]
    rays = np.concatenate([x, np.ones((*x.shape[:2], 1))], -1) @ camera.rotation
    return (rays / np.linalg.norm(rays, axis=2, keepdims=True)).astype(np.float32)


def _points(mi, values):
    return mi.Point3f(*[mi.Float(np.ascontiguousarray(values[:, i], np.float32)) for i in range(3)])


def _positions(mi, scene, camera: Camera) -> Floats:
    """Intersect the ray through each pixel's centre: exact points of the mine, (H, W, 3)."""
    rays = plate_rays(camera)
    flat = rays.reshape(-1, 3)
    origin = np.broadcast_to(camera.centre_m, flat.shape)
    hit = scene.ray_intersect(mi.Ray3f(_points(mi, origin), mi.Vector3f(_points(mi, flat))))
    t = np.array(hit.t)
    t = np.where(np.isfinite(t), t, 100.0)
    return (camera.centre_m + t[:, None] * flat).astype(np.float32).reshape(rays.shape)


def visible(mi, scene, points_m: NDArray[np.floating], target_m) -> NDArray[np.bool_]:
    """Tell for points (n, 3) whether nothing static stands between them and the target."""
    import drjit

    origin = _points(mi, points_m)
    away = mi.Point3f(*[float(v) for v in target_m]) - origin
    distance = drjit.norm(away)
    ray = mi.Ray3f(origin, away / distance, maxt=distance * 0.99, time=0.0, wavelengths=[])
    return ~np.array(scene.ray_test(ray), bool)


def lamp_seen(mi, scene, position, normal, lamp: Lamp) -> NDArray[np.uint8]:
    """Give the share of the lamp's tube seen from each point (H, W, 3), as 0..255."""
    points = (position + 0.012 * normal).reshape(-1, 3)
    total = np.zeros(len(points))
    for share in (-0.4, 0.0, 0.4):
        offset = np.array([share * LAMP_LENGTH_M, 0, -LAMP_RADIUS_M - 0.01])
        total += visible(mi, scene, points, lamp.centre_m + offset)
    return (total / 3 * 255).astype(np.uint8).reshape(position.shape[:2])


def indirect_light(mi, scene, points_m, directions: int = 512, seed: int = 0) -> Floats:
    """Give the bounced light at points (n, 3) as ambient cubes (n, 6, 3): +x -x +y -y +z -z."""
    rng = np.random.default_rng(seed)
    d = rng.standard_normal((directions, 3))
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    origins = np.repeat(points_m, directions, 0)
    rays = np.tile(d, (len(points_m), 1))
    path = mi.load_dict({"type": "path", "max_depth": 5, "hide_emitters": True})
    light = np.zeros((len(origins), 3))
    passes = 8
    for k in range(passes):
        sampler = mi.load_dict({"type": "independent"})
        sampler.seed(seed + k, len(origins))
        ray = mi.RayDifferential3f(_points(mi, origins), mi.Vector3f(_points(mi, rays)))
        value = np.array(path.sample(scene, sampler, ray)[0])
        value = value.T if value.shape[0] == 3 else value
        light += np.minimum(value, 5.0) / passes
    axes = np.concatenate([[axis, -axis] for axis in np.eye(3)])
    weights = np.maximum(d @ axes.T, 0)
    cubes = np.einsum("nkc,ka->nac", light.reshape(len(points_m), directions, 3), weights)
    return (cubes * 4 * np.pi / directions).astype(np.float32)
