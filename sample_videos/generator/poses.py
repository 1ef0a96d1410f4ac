"""How a body is held: gait, standing, working, falling, lying, as joint angles in degrees.

A pose maps a joint's name to (pitch, roll, yaw); `root` tips the whole body over. Metres are those
of a body 1.82 m tall with its helmet. Knows no shapes and no scripts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Angles = tuple[float, float, float]
Pose = dict[str, Angles]
JOINTS = (
    "pelvis", "spine", "chest", "neck", "head", "shL", "elL", "wrL", "shR", "elR", "wrR",
    "hipL", "knL", "anL", "hipR", "knR", "anR",
)  # fmt: skip
PARENT = (-1, 0, 1, 2, 3, 2, 5, 6, 2, 8, 9, 0, 11, 12, 0, 14, 15)
ID = {name: i for i, name in enumerate(JOINTS)}
REST_HEIGHT_M = 1.82
MIRROR = np.array([1, -1, 1])
ARM = np.array([0, np.sin(np.radians(28)), -np.cos(np.radians(28))])
SHOULDER = np.array([-0.01, 0.175, 1.425])
ELBOW = SHOULDER + 0.29 * ARM
WRIST = ELBOW + 0.255 * ARM
REST = np.array(
    [
        [0, 0, 0.96], [0, 0, 1.12], [0, 0, 1.28], [-0.01, 0, 1.49], [0.01, 0, 1.58],
        SHOULDER, ELBOW, WRIST, SHOULDER * MIRROR, ELBOW * MIRROR, WRIST * MIRROR,
        [0, 0.095, 0.93], [0.015, 0.10, 0.50], [-0.02, 0.105, 0.09],
        [0, -0.095, 0.93], [0.015, -0.10, 0.50], [-0.02, -0.105, 0.09],
    ]
)  # fmt: skip
"""(17, 3) the joints of the body at rest: upright, facing x, its left at +y."""
ANKLE_M = 0.09
STANCE_M = 0.105
TOE, HEEL = np.array([0.185, 0.0, 0.045]), np.array([-0.03, 0.0, 0.05])
"""The middles of the boot's round ends, from the floor under the ankle."""
CARRY = 0.6
"""Share of the walking cycle in which a foot carries."""
SWING_LIFT_M = 0.05
WORK_PERIOD_S = 1.6
PUSH_DEG_M, STRIKE_DEG_M = 85.0, 42.0
"""How steep a foot gets per metre behind and ahead of the pelvis."""


def turn(axis: str, degrees: float) -> Floats:
    """Give the rotation (3, 3) about x, y or z."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    if axis == "x":
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    if axis == "y":
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _axis_turn(axis: Floats, radians: float) -> Floats:
    """Give the rotation (3, 3) about a unit axis, by Rodrigues' formula."""
    x, y, z = axis
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    out: Floats = np.eye(3) + math.sin(radians) * k + (1 - math.cos(radians)) * k @ k
    return out


def root_rotation(pitch: float, roll: float, twist: float) -> Floats:
    """Turn the body by `twist` about its own axis, then tip it over by (pitch, roll) at once.

    Pitch 90 lies head forwards, -90 head backwards, roll 90 head to the right; with twist 0 it is
    face down, and tipping never meets a gimbal lock, so poses may be mixed.
    """
    angle = math.hypot(pitch, roll)
    if angle < 1e-9:
        return turn("z", twist)
    x, y = roll / angle, pitch / angle
    tipped = _axis_turn(np.array([x, y, 0.0]), math.radians(angle))
    return np.asarray(tipped @ turn("z", twist))


def bones_of(pose: Pose, yaw_rad: float = 0.0) -> Floats:
    """Give each joint's transform from the rest pose, (17, 4, 4)."""
    out: list[Floats] = []
    for j, name in enumerate(JOINTS):
        if j == 0:
            rotation = turn("z", math.degrees(yaw_rad)) @ root_rotation(
                *pose.get("root", (0.0, 0.0, 0.0))
            )
        else:
            pitch, roll, yaw = pose.get(name, (0.0, 0.0, 0.0))
            rotation = turn("z", yaw) @ turn("x", roll) @ turn("y", pitch)
        m = np.eye(4)
        m[:3, :3] = rotation
        m[:3, 3] = REST[j] - rotation @ REST[j]
        out.append(m if j == 0 else out[PARENT[j]] @ m)
    return np.array(out)


def rest_to_posed(bones: Floats) -> Floats:
    """Give the joints' places (17, 3) under `bones_of`'s transforms; the pelvis stays at rest."""
    return np.asarray(np.einsum("jab,jb->ja", bones[:, :3], np.c_[REST, np.ones(17)]))


def _angles(rotation: Floats) -> tuple[float, float, float]:
    """Give the (pitch, roll, yaw) of `bones_of` that make a rotation (3, 3)."""
    return (
        math.degrees(math.atan2(-rotation[2, 0], rotation[2, 2])),
        math.degrees(math.asin(min(max(rotation[2, 1], -1.0), 1.0))),
        math.degrees(math.atan2(-rotation[0, 1], rotation[1, 1])),
    )


def _between(a: Angles, b: Angles, t: float) -> Angles:
    """Turn from one joint's rotation to another's by the shortest way."""
    first, second = (turn("z", v[2]) @ turn("x", v[1]) @ turn("y", v[0]) for v in (a, b))
    delta = first.T @ second
    angle = math.acos(min(max((np.trace(delta) - 1) / 2, -1.0), 1.0))
    if angle < 1e-6 or angle > math.pi - 1e-3:
        return tuple((1 - t) * p + t * q for p, q in zip(a, b, strict=True))  # type: ignore[return-value]
    skew = np.array(
        [delta[2, 1] - delta[1, 2], delta[0, 2] - delta[2, 0], delta[1, 0] - delta[0, 1]]
    )
    return _angles(first @ _axis_turn(skew / (2 * math.sin(angle)), t * angle))


def mix(a: Pose, b: Pose, t: float) -> Pose:
    """Turn every joint from pose a (t = 0) towards pose b (t = 1) by the shortest way."""
    if t <= 0 or t >= 1:
        return dict(a if t <= 0 else b)
    zero = (0.0, 0.0, 0.0)
    out: Pose = {}
    for joint in sorted(a.keys() | b.keys()):
        p, q = a.get(joint, zero), b.get(joint, zero)
        if joint == "root" or p == q:
            out[joint] = tuple((1 - t) * u + t * v for u, v in zip(p, q, strict=True))  # type: ignore[assignment]
        else:
            out[joint] = _between(p, q, t)
    return out


def ease(t: float) -> float:
    """Smooth step from 0 to 1."""
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foot:
    """Where a foot is, metres of the 1.82 m body: its ankle is over (x, y) while it is flat.

    `pitch_deg` above 0 stands on the ball of the foot, below 0 on the heel.
    """

    x: float
    y: float
    yaw_rad: float = 0.0
    pitch_deg: float = 0.0
    lift: float = 0.0

    def ankle(self) -> tuple[Floats, Floats]:
        """Give the ankle's place (3,) above the floor and the foot's rotation (3, 3)."""
        heading = turn("z", math.degrees(self.yaw_rad))
        rotation = heading @ turn("y", self.pitch_deg)
        pivot = TOE if self.pitch_deg > 0 else HEEL
        at = heading @ pivot + rotation @ (np.array([0.0, 0.0, ANKLE_M]) - pivot)
        return at + np.array([self.x, self.y, self.lift]), rotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Carriage:
    """How one is held on one's feet: the trunk and arms, and where the pelvis is.

    `pelvis_m` is forwards, to the left and above the floor, from the middle between the feet as
    they would stand; `back_m` and `heel_deg` draw the right foot back and both heels up.
    """

    upper: Pose
    pelvis_m: tuple[float, float, float] = (0.0, 0.0, 0.952)
    back_m: float = 0.0
    heel_deg: tuple[float, float] = (0.0, 0.0)


def mix_carriages(a: Carriage, b: Carriage, t: float) -> Carriage:
    """Change from one carriage (t = 0) to another (t = 1)."""

    def between(p: float, q: float) -> float:
        return (1 - t) * p + t * q

    (ax, ay, az), (bx, by, bz) = a.pelvis_m, b.pelvis_m
    return Carriage(
        upper=mix(a.upper, b.upper, t),
        pelvis_m=(between(ax, bx), between(ay, by), between(az, bz)),
        back_m=between(a.back_m, b.back_m),
        heel_deg=(between(a.heel_deg[0], b.heel_deg[0]), between(a.heel_deg[1], b.heel_deg[1])),
    )


def on_feet(upper: Pose, pelvis_m: tuple[float, float, float], left: Foot, right: Foot) -> Pose:
    """Bend the legs so that a body with its pelvis there stands on these feet."""
    pose = dict(upper)
    root = root_rotation(*pose.get("root", (0.0, 0.0, 0.0)))
    for side, foot in (("L", left), ("R", right)):
        hip, knee, ankle = (ID[name + side] for name in ("hip", "kn", "an"))
        target, sole = foot.ankle()
        way = root.T @ (target - np.asarray(pelvis_m)) - (REST[hip] - REST[0])
        thigh, shin = REST[knee] - REST[hip], REST[ankle] - REST[knee]
        beside = thigh[1] + shin[1]
        across = math.hypot(way[1], way[2])
        roll = math.atan2(way[1], -way[2]) - math.asin(beside / across)
        down = math.sqrt(across**2 - beside**2)
        a, b = math.hypot(thigh[0], thigh[2]), math.hypot(shin[0], shin[2])
        reach = min(max(math.hypot(way[0], down), 0.2), a + b - 2e-4)
        bend = math.acos((a * a + reach * reach - b * b) / (2 * a * reach))
        ahead = math.atan2(way[0], down)
        turned = math.atan2(thigh[0], -thigh[2]) - (ahead + bend)
        shin_x = reach * math.sin(ahead) - a * math.sin(ahead + bend)
        shin_z = reach * math.cos(ahead) - a * math.cos(ahead + bend)
        lower = math.atan2(shin[0], -shin[2]) - math.atan2(shin_x, shin_z)
        roll_deg, lower_deg = math.degrees(roll), math.degrees(lower)
        pose["hip" + side] = (math.degrees(turned), roll_deg, 0.0)
        pose["kn" + side] = (math.degrees(lower - turned), 0.0, 0.0)
        leg = root @ turn("x", roll_deg) @ turn("y", lower_deg)
        pose["an" + side] = _angles(leg.T @ sole)
    return pose


def hold(carriage: Carriage, left: Foot | None = None, right: Foot | None = None) -> Pose:
    """Give a carriage's pose on its own feet, or on these (relative to where one stands)."""
    left, right = left or Foot(x=0.0, y=STANCE_M), right or Foot(x=0.0, y=-STANCE_M)
    right = replace(
        right,
        x=right.x - carriage.back_m * math.cos(right.yaw_rad),
        y=right.y - carriage.back_m * math.sin(right.yaw_rad),
        pitch_deg=right.pitch_deg + carriage.heel_deg[1],
    )
    left = replace(left, pitch_deg=left.pitch_deg + carriage.heel_deg[0])
    return on_feet(carriage.upper, carriage.pelvis_m, left, right)


def aim(pose: Pose, joint: str, way: tuple[float, float, float]) -> None:
    """Turn an arm's joint so that its bone points that way (x ahead of the feet, y left, z up)."""
    parent = PARENT[ID[joint]]
    wanted = bones_of(pose)[parent][:3, :3].T @ np.asarray(way)
    wanted = wanted / np.linalg.norm(wanted)
    rest = ARM if joint.endswith("L") else ARM * MIRROR
    axis = np.cross(rest, wanted)
    sine = float(np.linalg.norm(axis))
    angle = math.atan2(sine, float(rest @ wanted))
    pose[joint] = _angles(_axis_turn(axis / sine, angle) if sine > 1e-9 else np.eye(3))


def _stretch(
    pose: Pose,
    side: str,
    thigh: tuple[float, float, float],
    shin: tuple[float, float, float],
    ankle_deg: float,
) -> None:
    """Point a leg's thigh and shin, the knee bending as knees do."""
    u, low = (np.asarray(v) / np.linalg.norm(v) for v in (thigh, shin))
    hinge = np.cross(u, low)
    hinge = hinge / np.linalg.norm(hinge)
    world = np.stack([np.cross(hinge, -u), hinge, -u], 1)
    root = root_rotation(*pose.get("root", (0.0, 0.0, 0.0)))
    pose["hip" + side] = _angles(root.T @ world)
    pose["kn" + side] = (math.degrees(math.acos(float(u @ low))), 0.0, 0.0)
    pose["an" + side] = (ankle_deg, 0.0, 0.0)


def _posture(trunk: Pose, **limbs: tuple[float, ...]) -> Pose:
    """Make a pose from its trunk and the ways its limbs point: armL=(6), legR=(7 numbers) ..."""
    pose = dict(trunk)
    for name, v in limbs.items():
        if name.startswith("arm"):
            aim(pose, "sh" + name[-1], (v[0], v[1], v[2]))
            aim(pose, "el" + name[-1], (v[3], v[4], v[5]))
        else:
            _stretch(pose, name[-1], (v[0], v[1], v[2]), (v[3], v[4], v[5]), v[6])
    return pose


def mirrored(pose: Pose) -> Pose:
    """Swap left and right."""
    other = {"L": "R", "R": "L"}
    out: Pose = {}
    for joint, (pitch, roll, yaw) in pose.items():
        swapped = joint[:-1] + other[joint[-1]] if joint[-1] in other else joint
        out[swapped] = (pitch, -roll, -yaw)
    return out


def stride_m(speed_m_s: float, height_m: float = REST_HEIGHT_M) -> float:
    """Give the length of two steps at a speed."""
    return height_m * (0.30 + 0.32 * math.pow(min(max(speed_m_s, 0.0), 1.6), 0.8))


def swing_upper(phase: float, amplitude: float, head_yaw_deg: float) -> Pose:
    """Give trunk and arms at a phase of the walking cycle; amplitude 0 stands."""
    pose: Pose = {}
    for side, shift, sign in (("L", 0.0, 1), ("R", 0.5, -1)):
        swing = math.cos(2 * math.pi * (phase + shift + 0.45))
        pose["sh" + side] = (-amplitude * 22 * swing + 2, sign * -19.0, 0.0)
        pose["el" + side] = (-14 - amplitude * 9 * (1 + swing), 0.0, 0.0)
    pose["spine"] = (2.0, 1.5 * amplitude * math.sin(2 * math.pi * phase), 0.0)
    pose["chest"] = (2.0, 0.0, 6 * amplitude * math.cos(2 * math.pi * (phase - 0.05)))
    pose["head"] = (5.0, 0.0, head_yaw_deg)
    pose["root"] = (2.5 * amplitude, 0.0, 0.0)
    return pose


def pelvis_height_m(phase: float, reach_m: float) -> float:
    """Give the pelvis' height on feet that carry from `reach_m` ahead to as much behind."""
    low = math.sqrt(max(0.835**2 - reach_m**2, 0.3)) + 0.122
    dip = min(0.952, low)
    return dip + max(0.938 - dip, 0.0) * (0.5 - 0.5 * math.cos(4 * math.pi * (phase - 0.05)))


def carry_pitch_deg(ahead_m: float, share: float) -> float:
    """Give the pitch of a carrying foot `ahead_m` of the pelvis, share 0..1 of its time over."""
    push = PUSH_DEG_M * max(-ahead_m, 0.0) * ease((share - 0.45) / 0.55)
    return push - STRIKE_DEG_M * max(ahead_m, 0.0) * (1 - ease(share / 0.2))


def swing_pitch_deg(behind_m: float, ahead_m: float, share: float) -> float:
    """Give the pitch of a foot that swings from behind to ahead of the pelvis, share 0..1."""
    push = PUSH_DEG_M * max(behind_m, 0.0) * (1 - ease(share / 0.6))
    return push - STRIKE_DEG_M * max(ahead_m, 0.0) * ease((share - 0.45) / 0.55)


def gait(phase: float, amplitude: float = 1.0, head_yaw_deg: float = 0.0) -> Pose:
    """Give the pose at a phase (0..1) of the walking cycle; amplitude 0 stands."""
    stride = amplitude * stride_m(1.05)
    feet = []
    for shift, sign in ((0.0, 1), (0.5, -1)):
        p = (phase + shift) % 1
        reach = CARRY * stride / 2
        if p < CARRY:
            share = p / CARRY
            x, lift = reach * (1 - 2 * share), 0.0
            pitch = carry_pitch_deg(x, share)
        else:
            share = (p - CARRY) / (1 - CARRY)
            x = reach * (2 * ease(share) - 1)
            lift = SWING_LIFT_M * min(amplitude, 1.0) * math.sin(math.pi * share)
            pitch = swing_pitch_deg(reach, reach, share)
        feet.append(Foot(x=x, y=sign * STANCE_M, pitch_deg=pitch, lift=lift))
    pelvis = (0.0, 0.0, pelvis_height_m(phase, CARRY * stride / 2))
    return on_feet(swing_upper(phase, amplitude, head_yaw_deg), pelvis, *feet)


STANDING = Carriage(upper=swing_upper(0.0, 0.0, 0.0))
CROUCHING = Carriage(
    upper=_posture(
        {"root": (16, 0, 0), "spine": (14, 0, 0), "chest": (12, 0, 0), "head": (-10, 0, 0)},
        armL=(0.75, 0.16, -0.65, 0.80, -0.30, -0.35),
        armR=(0.45, -0.20, -0.85, 0.85, 0.25, -0.30),
    ),
    pelvis_m=(-0.10, 0.0, 0.47),
    back_m=0.30,
    heel_deg=(0.0, 50.0),
)
DIGGING = Carriage(
    upper=_posture(
        {"root": (34, 0, 0), "spine": (22, 0, -6), "chest": (14, 4, -16), "head": (-22, 0, 10)},
        armL=(0.55, -0.25, -0.80, 0.62, -0.42, -0.55),
        armR=(-0.10, -0.35, -0.95, 0.75, 0.20, -0.62),
    ),
    pelvis_m=(-0.13, -0.03, 0.80),
)
LIFTING = Carriage(
    upper=_posture(
        {"root": (18, 0, 0), "spine": (12, 0, 10), "chest": (8, -3, 28), "head": (-6, 0, -8)},
        armL=(0.45, 0.60, -0.55, 0.55, 0.45, 0.10),
        armR=(0.55, 0.15, -0.80, 0.62, 0.62, -0.05),
    ),
    pelvis_m=(-0.05, 0.05, 0.88),
)
HANDS_AT_HEAD = Carriage(
    upper=_posture(
        {"root": (0, 0, 0), "spine": (0, 0, 0), "chest": (0, 0, 0), "head": (10, 0, 0)},
        armL=(0.78, 0.55, 0.22, -0.52, -0.46, 0.72),
        armR=(0.78, -0.55, 0.22, -0.52, 0.46, 0.72),
    ),
)
STAND: Pose = hold(STANDING)
CROUCH: Pose = hold(CROUCHING)

LIE_ON_SIDE: Pose = _posture(  # on the right, half over on the chest, as one is laid
    {
        "root": (89, 0, 58),
        "spine": (3, 2, 0),
        "chest": (3, 0, 0),
        "neck": (4, 12, 0),
        "head": (2, 12, 0),
    },
    armR=(0.50, 0.86, 0.02, 0.80, 0.58, 0.0),
    armL=(0.10, 0.76, -0.62, 0.55, 0.78, -0.30),
    legR=(-0.98, 0.14, -0.08, -0.98, -0.14, 0.0, 45),
    legL=(-0.66, 0.62, -0.40, -0.97, -0.14, -0.04, 40),
)
LIE_ON_FRONT: Pose = _posture(
    {"root": (90, 0, 0), "neck": (-2, 0, 20), "head": (-6, 0, 42)},
    armL=(0.45, 0.89, -0.20, 0.92, -0.38, -0.04),
    armR=(-0.62, -0.76, -0.24, -0.95, 0.28, -0.04),
    legR=(-0.98, -0.17, -0.09, -0.98, -0.20, -0.0, 62),
    legL=(-0.82, 0.56, -0.13, -0.97, -0.20, -0.0, 58),
)
LIE_ON_BACK: Pose = _posture(  # the battery on the belt keeps one off the middle of the back
    {"root": (-92, 0, 32), "neck": (-9, 8, 0), "head": (-16, 8, 16)},
    armL=(0.30, 0.94, -0.16, -0.35, 0.93, -0.02),
    armR=(0.70, -0.52, -0.08, 0.42, 0.82, 0.30),
    legL=(0.93, 0.30, -0.10, 0.98, -0.12, -0.04, 40),
    legR=(0.88, 0.14, 0.14, 0.88, -0.10, -0.44, 25),
)
STUMBLE: Pose = hold(
    Carriage(
        upper=_posture(
            {"root": (26, 8, 12), "spine": (10, 0, 0), "chest": (8, 0, 0), "head": (-8, 0, 0)},
            armL=(0.80, 0.22, -0.50, 0.92, -0.05, -0.20),
            armR=(0.75, -0.40, -0.60, 0.92, 0.00, -0.35),
        ),
        pelvis_m=(0.06, -0.02, 0.66),
        heel_deg=(32.0, 36.0),
    )
)
ON_KNEES: Pose = _posture(
    {"root": (58, 10, 34), "spine": (8, 0, 0), "chest": (6, 0, 0), "head": (-10, 0, 0)},
    armL=(0.82, 0.38, -0.42, 0.80, 0.20, -0.55),
    armR=(0.75, -0.05, -0.66, 0.85, 0.10, -0.50),
    legR=(-0.42, 0.02, -0.90, -0.93, -0.02, 0.30, -5),
    legL=(-0.25, 0.22, -0.92, -0.93, -0.05, 0.28, -5),
)
ALL_FOURS: Pose = _posture(
    {"root": (74, 0, 0), "neck": (-8, 0, 0), "head": (-14, 0, 0)},
    armL=(0.10, 0.22, -0.97, 0.16, -0.04, -0.98),
    armR=(0.10, -0.22, -0.97, 0.16, 0.04, -0.98),
    legL=(-0.05, 0.08, -0.99, -1.0, 0.0, -0.02, 55),
    legR=(-0.05, -0.08, -0.99, -1.0, 0.0, -0.02, 55),
)
KNEEL: Pose = _posture(
    {"root": (12, 0, 0), "spine": (8, 0, 0), "chest": (6, 0, 0), "head": (0, 0, 0)},
    armL=(0.20, 0.14, -0.95, 0.55, -0.10, -0.80),
    armR=(0.20, -0.14, -0.95, 0.55, 0.10, -0.80),
    legL=(0.16, 0.05, -0.98, -1.0, 0.0, 0.02, 40),
    legR=(0.16, -0.05, -0.98, -1.0, 0.0, 0.02, 40),
)
KNEE_UP: Pose = _posture(  # between kneeling and half kneeling the foot must clear the floor
    {"root": (8, 6, 0), "spine": (7, 3, 0), "chest": (5, 0, 0), "head": (2, 0, 0)},
    armL=(0.30, 0.30, -0.90, 0.70, 0.05, -0.60),
    armR=(0.25, -0.30, -0.90, 0.65, 0.10, -0.65),
    legL=(0.62, 0.42, -0.55, -0.96, -0.15, -0.10, 25),
    legR=(0.06, -0.05, -0.99, -0.99, 0.0, 0.10, 30),
)
FOOT_UP: Pose = _posture(
    {"root": (8, 7, 0), "spine": (6, 3, 0), "chest": (4, 0, 0), "head": (4, 0, 0)},
    armL=(0.40, 0.30, -0.85, 0.80, 0.05, -0.50),
    armR=(0.30, -0.30, -0.90, 0.70, 0.10, -0.60),
    legL=(0.86, 0.42, 0.12, -0.60, -0.22, -0.76, 5),
    legR=(0.06, -0.05, -0.99, -0.99, 0.0, 0.10, 30),
)
HALF_KNEEL: Pose = _posture(
    {"root": (18, 0, 0), "spine": (10, 0, 0), "chest": (8, 0, 0), "head": (-4, 0, 0)},
    armL=(0.50, 0.12, -0.85, 0.85, 0.00, -0.50),
    armR=(0.42, -0.10, -0.90, 0.80, 0.35, -0.45),
    legL=(0.97, 0.10, -0.20, -0.02, 0.0, -1.0, 0),
    legR=(-0.06, -0.04, -0.99, -0.98, 0.0, 0.16, 25),
)
PUSH_UP: Pose = on_feet(
    _posture(
        {"root": (36, 0, 0), "spine": (12, 0, 0), "chest": (6, 0, 0), "head": (-14, 0, 0)},
        armL=(0.15, 0.12, -0.97, 0.50, -0.05, -0.86),
        armR=(0.10, -0.20, -0.97, 0.50, 0.10, -0.85),
    ),
    (0.0, 0.0, 0.74),
    Foot(x=0.12, y=STANCE_M),
    Foot(x=-0.34, y=-STANCE_M, pitch_deg=42.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A pose that a motion passes at `share` of its time; on the way there `still` stays put."""

    share: float
    pose: Pose
    still: tuple[str, ...]


class Motion:
    """A motion through key poses, and how it carries the pelvis over the floor."""

    def __init__(self, keys: tuple[Key, ...], *, smooth: float) -> None:
        self.keys, self.smooth = keys, smooth

    def pose(self, start: Pose, share: float) -> Pose:
        """Give the pose at a share 0..1 of the time, from any start."""
        number, within = self._segment(share)
        before = start if number == 0 else self.keys[number - 1].pose
        return mix(before, self.keys[number].pose, within)

    def travel_m(self, start: Pose, share: float) -> tuple[float, float]:
        """Tell how far the pelvis has moved (forwards, left), metres of the 1.82 m body."""
        number, within = self._segment(share)
        way = np.zeros(2)
        before = start
        for i, key in enumerate(self.keys[: number + 1]):
            now = mix(before, key.pose, within if i == number else 1.0)
            way = way + _middle(before, key.still) - _middle(now, key.still)
            before = key.pose
        return float(way[0]), float(way[1])

    def _segment(self, share: float) -> tuple[int, float]:
        share = min(max(share, 0.0), 1.0)
        number = next(i for i, key in enumerate(self.keys) if share <= key.share)
        first = 0.0 if number == 0 else self.keys[number - 1].share
        within = (share - first) / (self.keys[number].share - first)
        eased = ease(within)
        if self.smooth == 0.0:  # falling: slow at first, braked by the floor
            if number == 0:
                eased = within**1.5
            elif number == len(self.keys) - 1:
                eased = 1 - (1 - within) ** 1.4
            else:
                eased = within
            return number, eased
        return number, self.smooth * eased + (1 - self.smooth) * within


def _middle(pose: Pose, joints: tuple[str, ...]) -> Floats:
    """Give the middle of some joints over the floor, (2,), from the pelvis."""
    at = rest_to_posed(bones_of(pose))
    return np.asarray(at[[ID[j] for j in joints], :2].mean(0) - at[0, :2])


def fall_to(lying: Pose) -> Motion:
    """Give the fall that ends in a lying pose: knees buckle, hands reach, the body tips over."""
    to_left = lying.get("root", (0.0, 0.0, 0.0))[2] < 0
    stumble, knees = (mirrored(p) if to_left else p for p in (STUMBLE, ON_KNEES))
    return Motion(
        (
            Key(share=0.38, pose=stumble, still=("anL", "anR")),
            Key(share=0.66, pose=knees, still=("anL", "anR")),
            Key(share=1.0, pose=lying, still=("knL" if to_left else "knR",)),
        ),
        smooth=0.0,
    )


FALL = fall_to(LIE_ON_SIDE)
RISE = Motion(
    (
        Key(share=0.34, pose=ALL_FOURS, still=("knR", "knL")),
        Key(share=0.50, pose=KNEEL, still=("knR", "knL")),
        Key(share=0.57, pose=KNEE_UP, still=("knR",)),
        Key(share=0.63, pose=FOOT_UP, still=("knR",)),
        Key(share=0.72, pose=HALF_KNEEL, still=("knR",)),
        Key(share=0.86, pose=PUSH_UP, still=("anL",)),
        Key(share=1.0, pose=STAND, still=("anL",)),
    ),
    smooth=0.6,
)


def falling(start: Pose, t: float) -> Pose:
    """Give the pose at share t (0..1) of a fall: knees buckle, then the body tips on its side."""
    return FALL.pose(start, t)


def rising(lying: Pose, t: float) -> Pose:
    """Give the pose at share t (0..1) of getting up: hands and knees, one knee, the feet."""
    return RISE.pose(lying, t)


def work_carriage(at_s: float) -> Carriage:
    """Give how one is held while shovelling, `at_s` after the first stroke."""
    share = at_s / WORK_PERIOD_S % 1
    stroke = ease(share / 0.42) if share < 0.55 else 1 - ease((share - 0.55) / 0.45)
    return mix_carriages(DIGGING, LIFTING, stroke)


def working(at_s: float) -> Pose:
    """Give the pose while shovelling: bent over, both arms at it, the feet stay."""
    return hold(work_carriage(at_s))


WORK: Pose = working(0.0)
