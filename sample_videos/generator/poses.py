"""How a body is held: gait, standing, crouching, falling, lying, as joint angles in degrees.

A pose maps a joint's name to (pitch, roll, yaw); `root` turns the whole body. Knows no shapes.
"""

from __future__ import annotations

import math

Pose = dict[str, tuple[float, float, float]]


def mix(a: Pose, b: Pose, t: float) -> Pose:
    """Interpolate two poses, t = 0 gives a."""
    zero = (0.0, 0.0, 0.0)
    return {
        joint: tuple(
            (1 - t) * p + t * q for p, q in zip(a.get(joint, zero), b.get(joint, zero), strict=True)
        )
        for joint in sorted(a.keys() | b.keys())
    }  # type: ignore[return-value]


def ease(t: float) -> float:
    """Smooth step from 0 to 1."""
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


def gait(phase: float, amplitude: float = 1.0, head_yaw_deg: float = 0.0) -> Pose:
    """Give the pose at a phase (0..1) of the walking cycle; amplitude 0 stands."""

    def bump(p: float, centre: float, width: float) -> float:
        return math.exp(-((((p - centre + 0.5) % 1 - 0.5) / width) ** 2))

    pose: Pose = {}
    for side, shift, sign in (("L", 0.0, 1), ("R", 0.5, -1)):
        p = (phase + shift) % 1
        hip = amplitude * (7 + 22 * math.cos(2 * math.pi * p))
        knee = amplitude * (7 + 12 * bump(p, 0.13, 0.07) + 54 * bump(p, 0.72, 0.11))
        ankle = amplitude * (-2 + 8 * bump(p, 0.45, 0.12) - 15 * bump(p, 0.63, 0.07))
        swing = math.cos(2 * math.pi * ((p + 0.5) % 1))
        pose["hip" + side] = (-hip, 0, 0)
        pose["kn" + side] = (knee, 0, 0)
        pose["an" + side] = (-ankle, 0, 0)
        pose["sh" + side] = (-amplitude * 24 * swing + 2, sign * -20, 0)
        pose["el" + side] = (-18 - amplitude * 7 * (1 + swing), 0, 0)
    pose["chest"] = (3, 0, 5 * amplitude * math.cos(2 * math.pi * phase))
    pose["spine"] = (3, 2 * amplitude * math.sin(2 * math.pi * phase), 0)
    pose["head"] = (6, 0, head_yaw_deg)
    pose["root"] = (0, 0, 0)
    return pose


STAND: Pose = gait(0.25, 0.0)
CROUCH: Pose = {
    "root": (12, 0, 0),
    "hipL": (-105, 8, 0),
    "hipR": (-62, -6, 0),
    "knL": (118, 0, 0),
    "knR": (128, 0, 0),
    "anL": (-22, 0, 0),
    "anR": (-30, 0, 0),
    "spine": (16, 0, 0),
    "chest": (14, 0, 0),
    "head": (-12, 0, 0),
    "shL": (-58, -14, 0),
    "shR": (-40, 18, 0),
    "elL": (-50, 0, 0),
    "elR": (-65, 0, 0),
}
LIE_ON_SIDE: Pose = {
    "root": (78, 42, 0),
    "hipL": (-42, 4, 0),
    "knL": (62, 0, 0),
    "hipR": (-14, 0, 0),
    "knR": (24, 0, 0),
    "shL": (-70, -14, 0),
    "elL": (-60, 0, 0),
    "shR": (-120, 20, 0),
    "elR": (-30, 0, 0),
    "spine": (12, 0, 0),
    "head": (14, 10, 0),
    "anL": (20, 0, 0),
    "anR": (25, 0, 0),
}
LIE_ON_BACK: Pose = {
    "root": (-88, 0, 0),
    "hipL": (-12, 10, 0),
    "knL": (30, 0, 0),
    "hipR": (2, -12, 0),
    "knR": (4, 0, 0),
    "shL": (10, 40, 0),
    "elL": (-40, 0, 0),
    "shR": (-8, -30, 0),
    "elR": (-70, 0, 0),
    "head": (-5, 0, 25),
    "anL": (25, 0, 0),
    "anR": (25, 0, 0),
}
BUCKLE: Pose = {**CROUCH, "root": (38, 15, 0), "shL": (-75, -20, 0), "shR": (-70, 20, 0)}


def falling(start: Pose, t: float) -> Pose:
    """Give the pose at share t (0..1) of a fall: knees buckle, then the body tips on its side."""
    t = ease(t)
    if t < 0.5:
        return mix(start, BUCKLE, ease(t * 2))
    return mix(BUCKLE, LIE_ON_SIDE, ease(t * 2 - 1))
