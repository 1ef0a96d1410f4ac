"""What each miner does at every instant: scripts become places, headings and poses.

Plain arithmetic, so the same scene gives the same truth everywhere. Knows nothing of light.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sample_videos.generator.poses import CROUCH, LIE_ON_SIDE, STAND, Pose, ease, falling, gait, mix
from sample_videos.generator.scene_file import MinerSpec, Point, StepSpec

STEP_S = 0.01
TURN_RAD_S = math.radians(150)
ACCELERATION_M_S2 = 1.5
CROUCH_S = 0.8
FALL_SLIDE_M = 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One miner at one instant; `state` is walk, stand, crouch, fall or lie."""

    xy_m: Point
    yaw_rad: float
    state: str
    pose: Pose


class _Actor:
    """Plays one script in steps of 10 ms."""

    def __init__(self, spec: MinerSpec) -> None:
        self.spec = spec
        self.x, self.y = spec.at_m
        self.yaw = math.radians(spec.face_deg)
        self.speed = 0.0
        self.walked = 0.0
        self.index = 0
        self.since = 0.0
        self.steps = spec.script
        self.fall_from: tuple[float, float, Pose] | None = None
        first = self.step
        if first is not None and first.walk_to is not None:
            self.speed = first.speed_m_s
            self.yaw = self._heading_to(first.walk_to)

    @property
    def step(self) -> StepSpec | None:
        return self.steps[self.index] if self.index < len(self.steps) else None

    def _heading_to(self, target: Point) -> float:
        return math.atan2(target[1] - self.y, target[0] - self.x)

    def _turn_to(self, yaw: float) -> float:
        """Turn towards `yaw` as fast as a person does; give what is left to turn."""
        left = (yaw - self.yaw + math.pi) % (2 * math.pi) - math.pi
        most = TURN_RAD_S * STEP_S
        self.yaw += min(max(left, -most), most)
        return abs(left)

    def _next(self) -> None:
        self.index += 1
        self.since = 0.0

    def advance(self) -> None:
        """Play 10 ms."""
        step = self.step
        self.since += STEP_S
        wanted = 0.0
        if step is not None and step.walk_to is not None:
            left = self._turn_to(self._heading_to(step.walk_to))
            distance = math.hypot(step.walk_to[0] - self.x, step.walk_to[1] - self.y)
            following = self.steps[self.index + 1] if self.index + 1 < len(self.steps) else None
            onwards = following is not None and (
                following.fall_s is not None or self._goes_straight_on(step.walk_to, following)
            )
            stopping = 0.0 if onwards else self.speed**2 / (2 * ACCELERATION_M_S2)
            wanted = step.speed_m_s if left < math.radians(40) and distance > stopping else 0.0
            if distance < max(self.speed, 0.3) * STEP_S + 0.02:
                self._next()
        elif step is not None and step.stand_s is not None:
            if step.face_deg is not None:
                self._turn_to(math.radians(step.face_deg))
            if self.since >= step.stand_s:
                self._next()
        elif step is not None and step.crouch_s is not None:
            if self.since >= step.crouch_s:
                self._next()
        elif step is not None and step.fall_s is not None:
            if self.fall_from is None:
                self.fall_from = (self.x, self.y, self._walking_pose())
            share = ease(min(self.since / step.fall_s, 1.0))
            slide = FALL_SLIDE_M * share * min(self.speed_at_fall, 1.0)
            self.x = self.fall_from[0] + slide * math.cos(self.yaw)
            self.y = self.fall_from[1] + slide * math.sin(self.yaw)
            return
        change = ACCELERATION_M_S2 * STEP_S
        self.speed += min(max(wanted - self.speed, -2 * change), change)
        self.speed_at_fall = self.speed
        self.x += self.speed * math.cos(self.yaw) * STEP_S
        self.y += self.speed * math.sin(self.yaw) * STEP_S
        self.walked += self.speed * STEP_S

    speed_at_fall = 0.0

    def _goes_straight_on(self, corner: Point, following: StepSpec) -> bool:
        if following.walk_to is None:
            return False
        after = math.atan2(following.walk_to[1] - corner[1], following.walk_to[0] - corner[0])
        turn = (after - self.yaw + math.pi) % (2 * math.pi) - math.pi
        return abs(turn) < math.radians(40)

    def _walking_pose(self) -> Pose:
        stride_m = 0.74 * self.spec.height_m * (0.7 + 0.3 * min(self.speed, 1.2))
        head = 14 * math.sin(self.walked * 0.8 + self.spec.id)
        return gait(self.walked / stride_m % 1, min(self.speed / 1.05, 1.05), head)

    def moment(self) -> Moment:
        """Tell how things stand now."""
        step = self.step
        state, pose = "stand", self._walking_pose()
        if self.speed > 0.15:
            state = "walk"
        if step is not None and step.crouch_s is not None:
            down = min(ease(self.since / CROUCH_S), ease((step.crouch_s - self.since) / CROUCH_S))
            state, pose = "crouch", mix(STAND, CROUCH, down)
        if step is not None and step.fall_s is not None and self.fall_from is not None:
            share = self.since / step.fall_s
            state = "fall" if share < 1 else "lie"
            pose = falling(self.fall_from[2], share) if share < 1 else LIE_ON_SIDE
        return Moment(xy_m=(self.x, self.y), yaw_rad=self.yaw, state=state, pose=pose)


def play(spec: MinerSpec, fps: int, frames: int) -> list[Moment]:
    """Play a miner's script: one moment per frame.

    >>> from sample_videos.generator.scene_file import MinerSpec, StepSpec
    >>> walk = MinerSpec(id=1, at_m=(0.0, 0.0), script=(StepSpec(walk_to=(9.0, 0.0)),))
    >>> moments = play(walk, 10, 41)
    >>> [round(m.xy_m[0], 2) for m in moments[::20]], moments[20].state
    ([0.0, 2.0, 4.0], 'walk')
    """
    actor = _Actor(spec)
    out = []
    done = 0
    for frame in range(frames):
        while done < round(frame / fps / STEP_S):
            actor.advance()
            done += 1
        out.append(actor.moment())
    return out
