"""A miner's body: signed distances, marching cubes, a skeleton that bends it; no image assets.

The rest pose faces +x with its left at +y, 1.82 m tall with the helmet. Knows no light or camera.
"""

# mypy: ignore-errors

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sample_videos.generator.poses import (
    ARM,
    ELBOW,
    ID,
    MIRROR,
    REST,
    REST_HEIGHT_M,
    SHOULDER,
    WRIST,
    Pose,
    bones_of,
    rest_to_posed,
)  # fmt: skip

Floats = NDArray[np.float64]
CLOTH, SKIN, HELMET, LAMP, BOOT, GLOVE, BELT, HAIR = range(8)
LIMBS = (  # joint, joint, radius: the capsules that cast a miner's shadow
    (0, 2, 0.14), (2, 3, 0.13), (5, 6, 0.06), (6, 7, 0.05), (8, 9, 0.06), (9, 10, 0.05),
    (11, 12, 0.085), (12, 13, 0.07), (14, 15, 0.085), (15, 16, 0.07),
)  # fmt: skip
FACE = np.array(  # nose, left and right eye, left and right ear, on the resting head
    [
        [0.126, 0, 1.642], [0.095, 0.033, 1.674], [0.095, -0.033, 1.674],
        [0.010, 0.076, 1.655], [0.010, -0.076, 1.655],
    ]
)  # fmt: skip
KEYPOINT_JOINTS = [
    ID[name + side] for name in ("sh", "el", "wr", "hip", "kn", "an") for side in "LR"
]
"""The twelve COCO keypoints after the face's five."""
HIDES = {True: (HAIR,), False: (HELMET, LAMP)}
"""Parts that are not there with the helmet on, with it off."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """The rest mesh: vertices, normals (n, 3), faces (m, 3), skin weights (n, 17), part (n,)."""

    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]
    faces: NDArray[np.int32]
    weights: NDArray[np.float32]
    part: NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """One miner's size and colours (linear RGB)."""

    height_m: float
    suit: tuple[float, float, float]
    helmet: tuple[float, float, float]
    stripe: tuple[float, float, float] = (0.55, 0.60, 0.06)
    vest: tuple[float, float, float] | None = None
    helmet_on: bool = True
    lamp_on: bool = True
    dirt: float = 0.35

    def parameters(self) -> NDArray[np.float32]:
        """Give the (14,) row that the shader reads."""
        vest = (0.0, 0.0, 0.0) if self.vest is None else self.vest
        worn = float(self.vest is not None)
        return np.array(
            [*self.suit, *self.helmet, *self.stripe, worn, *vest, self.dirt], np.float32
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posed:
    """A miner in the mine: mesh, shadow capsules (k, 7), feet, head and cap lamp, metres.

    `keypoints_m` (17, 3) are COCO's, in its order; `height_m` is the body's top above the floor.
    `lamp_lit`: the helmet is worn and its lamp is on.
    """

    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]
    faces: NDArray[np.int32]
    head_faces: NDArray[np.bool_]
    capsules: NDArray[np.float32]
    joints_m: Floats
    keypoints_m: Floats
    feet_m: Floats
    head_m: Floats
    height_m: float
    lamp_m: Floats
    lamp_direction: Floats
    lamp_lit: bool


def _cone(p, a, b, r1, r2):
    axis = b - a
    t = np.clip(((p - a) @ axis) / (axis @ axis), 0, 1)
    return np.linalg.norm(p - a - t[..., None] * axis, axis=-1) - (r1 + (r2 - r1) * t)


def _ellipsoid(p, centre, radii):
    return (np.linalg.norm((p - centre) / radii, axis=-1) - 1) * min(radii)


def _blend(a, b, k):
    h = np.clip(0.5 + 0.5 * (b - a) / k, 0, 1)
    return b + (a - b) * h - k * h * (1 - h)


def _block(p, centre, half, radius=0.01):
    q = np.abs(p - centre) - (np.asarray(half) - radius)
    return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0) - radius


def _distance_fields(p, seed):
    """Give the signed distance of each part on the grid p (..., 3)."""
    from scipy.ndimage import gaussian_filter

    x, y, z = p[..., 0], p[..., 1], p[..., 2]
    rng = np.random.default_rng(seed)
    creases = 0
    for size, sigma in ((0.5, (2, 2, 1.2)), (0.7, (4, 4, 2)), (0.6, (6, 6, 4))):
        noise = gaussian_filter(rng.standard_normal(x.shape), sigma)
        creases = creases + size * noise / noise.std()
    levels = [0.80, 0.90, 0.98, 1.08, 1.20, 1.32, 1.42, 1.50]
    wide = np.interp(z, levels, [0.15, 0.178, 0.180, 0.168, 0.176, 0.186, 0.160, 0.07])
    deep = np.interp(z, levels, [0.10, 0.128, 0.130, 0.125, 0.135, 0.138, 0.110, 0.07])
    torso = (np.sqrt(((x + 0.01) / deep) ** 2 + (y / wide) ** 2) - 1) * np.minimum(deep, wide)
    torso = np.maximum(torso, np.maximum(0.84 - z, z - 1.50))
    cloth, boots, gloves = torso, None, None
    for s in (1, -1):
        m = np.array([1, s, 1])
        shin = np.array([-0.01, 0.105, 0.24]) * m
        leg = _blend(
            _cone(p, REST[11] * m, REST[12] * m, 0.103, 0.079),
            _cone(p, REST[12] * m, shin, 0.079, 0.075),
            0.03,
        )
        arm = _blend(
            _cone(p, SHOULDER * m, ELBOW * m, 0.068, 0.060),
            _cone(p, ELBOW * m, WRIST * m, 0.062, 0.050),
            0.02,
        )
        cloth = _blend(_blend(cloth, leg, 0.035), arm, 0.04)
        boot = _blend(
            _cone(p, [-0.02, 0.105, 0.27] * m, [-0.025, 0.105, 0.07] * m, 0.062, 0.056),
            _cone(p, [-0.05, 0.105, 0.05] * m, [0.165, 0.118, 0.045] * m, 0.048, 0.046),
            0.035,
        )
        boot = np.maximum(boot, 0.002 - z)
        boots = boot if boots is None else np.minimum(boots, boot)
        w, d = WRIST * m, ARM * m
        palm = _blend(
            _cone(p, w, w + 0.085 * d, 0.036, 0.044),
            _cone(p, w + 0.07 * d, w + 0.15 * d + [0.02, 0, 0], 0.036, 0.026),
            0.02,
        )
        thumb = _cone(p, w + np.array([0.02, 0, -0.02]), w + 0.09 * d + [0.055, 0, 0], 0.018, 0.015)
        glove = _blend(palm, thumb, 0.015)
        gloves = glove if gloves is None else np.minimum(gloves, glove)
    collar = _cone(p, np.array([-0.01, 0, 1.46]), np.array([0, 0, 1.53]), 0.075, 0.07)
    cloth = _blend(cloth, collar, 0.03)
    cloth = cloth - 0.0055 * creases * np.clip(1.2 - np.abs(z - 1.3) * 0.4, 0.5, 1)

    skin = _blend(
        _ellipsoid(p, [0.015, 0, 1.655], (0.095, 0.077, 0.118)),
        _cone(p, np.array([-0.005, 0, 1.48]), np.array([0.01, 0, 1.60]), 0.058, 0.056),
        0.03,
    )
    skin = _blend(skin, _ellipsoid(p, [0.105, 0, 1.645], (0.025, 0.016, 0.026)), 0.02)
    skin = _blend(skin, _ellipsoid(p, [0.055, 0, 1.575], (0.05, 0.045, 0.035)), 0.03)

    crown = np.array([0.005, 0, 1.695])
    dome = np.maximum(_ellipsoid(p, crown, (0.137, 0.115, 0.125)), crown[2] - 0.012 - z)
    brim = np.sqrt(((x - 0.022) / 0.175) ** 2 + (y / 0.131) ** 2) * 0.131 - 0.131
    brim = np.maximum(brim, np.abs(z - crown[2] + 0.006) - 0.010)
    ridge = np.abs(np.abs(y) - 0.028) - 0.010
    ridge = np.maximum(ridge, _ellipsoid(p, crown, (0.146, 0.124, 0.136)))
    ridge = np.maximum(ridge, crown[2] - z)
    helmet = _blend(_blend(dome, brim, 0.01), ridge, 0.008)
    lamp = _blend(
        _cone(p, np.array([0.135, 0, 1.762]), np.array([0.172, 0, 1.768]), 0.030, 0.032),
        _block(p, [0.128, 0, 1.76], (0.02, 0.022, 0.032)),
        0.005,
    )
    belt = np.maximum(np.maximum(torso - 0.014, np.abs(z - 1.03) - 0.025), -(torso + 0.01))
    battery = _block(p, [-0.175, -0.05, 1.03], (0.045, 0.085, 0.075), 0.015)
    rescuer = _block(p, [0.02, 0.215, 0.99], (0.06, 0.045, 0.085), 0.02)
    belt = np.minimum(belt, np.minimum(battery, rescuer))
    hair = _ellipsoid(p, [0.008, 0, 1.662], (0.104, 0.087, 0.125))
    hairline = np.interp(x, [-0.06, 0.0, 0.03, 0.09], [1.585, 1.66, 1.70, 1.735])
    hair = np.maximum(hair + 0.0012 * creases, hairline - z)
    return [cloth, skin, helmet, lamp, boots, gloves, belt, hair]


def build_body(seed: int = 0, voxel_m: float = 0.014) -> Body:
    """Build the rest mesh (43 000 triangles at 14 mm) and its skin weights."""
    from skimage.measure import marching_cubes

    low = np.array([-0.32, -0.62, -0.04])
    n = np.ceil((np.array([0.36, 0.62, 1.92]) - low) / voxel_m).astype(int)
    axes = [low[i] + voxel_m * np.arange(n[i]) for i in range(3)]
    p = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    vertices, faces, part, count = [], [], [], 0
    for k, field in enumerate(_distance_fields(p, seed)):
        v, f, _, _ = marching_cubes(field, 0.0, spacing=(voxel_m,) * 3)
        vertices.append(v + low)
        faces.append(f + count)
        part.append(np.full(len(v), k))
        count += len(v)
    v, f, part = np.concatenate(vertices), np.concatenate(faces), np.concatenate(part)
    face_normal = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    normal = np.zeros_like(v)
    np.add.at(normal, f.ravel(), face_normal.repeat(3, 0))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    chest = (part == CLOTH) & (np.abs(v[:, 2] - 1.25) < 0.1) & (np.abs(v[:, 1]) < 0.15)
    if (normal[chest, 0] * v[chest, 0]).mean() < 0:
        normal, f = -normal, f[:, ::-1]
    return Body(
        vertices=v.astype(np.float32),
        normals=normal.astype(np.float32),
        faces=np.ascontiguousarray(f, np.int32),
        weights=_skin_weights(v, part).astype(np.float32),
        part=part.astype(np.int32),
    )


def _skin_weights(v, part):
    """Weigh each vertex by its distance to the bones, (n, 17); rigid parts follow one bone."""
    tips = {
        ID["head"]: REST[4] + [0, 0, 0.2],
        ID["wrL"]: REST[7] + 0.12 * ARM,
        ID["wrR"]: REST[10] + 0.12 * ARM * MIRROR,
        ID["anL"]: REST[13] + [0.15, 0, -0.04],
        ID["anR"]: REST[16] + [0.15, 0, -0.04],
    }
    child = {0: 1, 1: 2, 2: 3, 3: 4, 5: 6, 6: 7, 8: 9, 9: 10, 11: 12, 12: 13, 14: 15, 15: 16}
    ends = [tips[j] if j in tips else REST[child[j]] for j in range(17)]
    distance = np.stack([_cone(v, REST[j], ends[j], 0, 0) for j in range(17)], 1)
    distance = np.maximum(distance, 0.012)
    distance[:, ID["neck"]] *= 1.5
    w = distance**-4.5
    left = v[:, 1] > 0.0

    def ids(names, side):
        return [ID[name + side] for name in names]

    limbs = ("sh", "el", "wr", "hip", "kn", "an")
    w[np.ix_(~left, ids(limbs, "L"))] = 0
    w[np.ix_(left, ids(limbs, "R"))] = 0
    trunk = np.abs(v[:, 1]) < 0.15  # it must not follow the forearms
    w[np.ix_(trunk, ids(("el", "wr"), "L") + ids(("el", "wr"), "R"))] = 0
    for side in "LR":  # nor must the flanks follow a raised arm
        near = distance[:, ID["sh" + side]]
        w[:, ID["sh" + side]] *= np.clip((0.125 - near) / 0.045, 0, 1)
    above = v[:, 2] > 1.02
    w[np.ix_(above, ids(("hip", "kn", "an"), "L") + ids(("hip", "kn", "an"), "R"))] = 0
    head = np.isin(part, (HELMET, LAMP, HAIR)) | ((part == SKIN) & (v[:, 2] > 1.56))
    w[head] = np.eye(17)[ID["head"]]
    w[part == BELT] = np.eye(17)[0]
    boot = (part == BOOT) | ((part == CLOTH) & (v[:, 2] < 0.36))
    shaft = np.clip((v[:, 2] - 0.12) / 0.12, 0, 1)
    for side, knee, ankle in ((left, "knL", "anL"), (~left, "knR", "anR")):
        mine = boot & side
        w[mine] = 0
        w[mine, ID[knee]] = shaft[mine]
        w[mine, ID[ankle]] = 1 - shaft[mine]
    return w / w.sum(1, keepdims=True)


def pose_miner(
    body: Body,
    look: Look,
    pose: Pose,
    xy_m: tuple[float, float],
    *,
    yaw_rad: float,
    floor_z_m: float,
    helmet_on: bool | None = None,
) -> Posed:
    """Bend the body and stand it on the floor: pelvis over xy, lowest point on the floor.

    `helmet_on` tells whether the helmet is worn now; None takes it from the look.
    """
    worn = look.helmet_on if helmet_on is None else helmet_on
    bones = bones_of(pose, yaw_rad)
    scale = look.height_m / REST_HEIGHT_M
    skin = np.einsum("vj,jab->vab", body.weights, bones[:, :3].astype(np.float32))
    v = (np.einsum("vab,vb->va", skin[..., :3], body.vertices) + skin[..., 3]) * scale
    normals = np.einsum("vab,vb->va", skin[..., :3], body.normals)
    joints = rest_to_posed(bones) * scale
    head = bones[ID["head"]]
    gone = np.isin(body.part, HIDES[worn])
    v[gone] = joints[ID["head"]]  # inside the head, so that boxes and the floor do not see it
    shift = np.array([xy_m[0], xy_m[1], floor_z_m - v[:, 2].min()])
    shift[:2] -= joints[0, :2]
    joints = joints + shift

    def on_head(points):
        return (np.asarray(points) @ head[:3, :3].T + head[:3, 3]) * scale + shift

    direction = head[:3, :3] @ np.array([0.985, 0, -0.17])
    capsules = [np.r_[joints[a], joints[b], r] for a, b, r in LIMBS]
    capsules.append(np.r_[joints[ID["head"]], on_head([0.01, 0, 1.74]), 0.11])
    part = body.part[body.faces[:, 0]]
    keep = ~np.isin(part, HIDES[worn])
    vertices = (v + shift).astype(np.float32)
    return Posed(
        vertices=vertices,
        normals=normals.astype(np.float32),
        faces=np.ascontiguousarray(body.faces[keep]),
        head_faces=np.isin(part[keep], (SKIN, HELMET, LAMP, HAIR)),
        capsules=np.array(capsules, np.float32),
        joints_m=joints,
        keypoints_m=np.r_[on_head(FACE), joints[KEYPOINT_JOINTS]],
        feet_m=np.array([xy_m[0], xy_m[1], floor_z_m]),
        head_m=on_head([0.01, 0, 1.66]),
        height_m=float(vertices[:, 2].max() - floor_z_m),
        lamp_m=on_head([0.20, 0, 1.765]),
        lamp_direction=direction / np.linalg.norm(direction),
        lamp_lit=worn and look.lamp_on,
    )
