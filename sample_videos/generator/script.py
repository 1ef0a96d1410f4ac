"""What each miner does at every instant: scripts become places, headings and poses.

Plain arithmetic, so the same scene gives the same truth everywhere. Knows nothing of light.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sample_videos.generator.poses import (
    CARRY,
    CROUCHING,
    HANDS_AT_HEAD,
    LIE_ON_FRONT,
    LIE_ON_SIDE,
    REST_HEIGHT_M,
    RISE,
    STAND,
    Carriage,
    Foot,
    Pose,
    ease,
    fall_to,
    hold,
    mirrored,
    mix_carriages,
    pelvis_height_m,
    stride_m,
    swing_upper,
    work_carriage,
)
from sample_videos.generator.scene_file import ACTIONS, MinerSpec, Point, StepSpec
from sample_videos.generator.steps import Tick, Walker

STEP_S = 0.01
AHEAD_S = 3.0
"""How far beyond the clip a course is played, so that the last steps know where they lead."""
TURN_RAD_S, TURN_RAD_S2 = math.radians(150), math.radians(500)
ACCELERATION_M_S2 = 1.5
STRAIGHT_ON_RAD = math.radians(40)
CROUCH_S, WORK_IN_S = 0.9, 0.6
HELMET_UP_S, HELMET_DOWN_S = 0.6, 0.5
SLIDE_S = 0.18
"""A falling walker's speed dies away within this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One miner at one instant; `state` is walk, stand, crouch, work, fall, lie or rise.

    `xy_m` (along, left) is under the pelvis, `yaw_rad` the heading from the line's direction.
    """

    xy_m: Point
    yaw_rad: float
    state: str
    pose: Pose
    helmet_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Now:
    """One tick of a played script: the body's place, the action and how long it has lasted."""

    tick: Tick
    action: str | None
    since: float
    length: float
    walked: float
    helmet_on: bool
    turned_at: float


def _angle(radians: float) -> float:
    """Bring an angle into -pi..pi."""
    return (radians + math.pi) % (2 * math.pi) - math.pi


class _Actor:
    """Plays one script in steps of 10 ms: place, heading, action; no limbs."""

    def __init__(self, spec: MinerSpec) -> None:
        self.spec = spec
        self.x, self.y = spec.at_m
        self.yaw = math.radians(spec.face_deg)
        self.speed = self.turning = self.walked = self.since = self.turned_at = 0.0
        self.index = 0
        self.steps = spec.script
        self.helmet_on = spec.helmet_on
        self.lying = lying_pose(spec.id)
        self.fall = fall_to(self.lying)
        self.scale = spec.height_m / REST_HEIGHT_M
        self.down = False
        self.start = (self.x, self.y, 0.0)
        first = self.step
        if first is not None and first.walk_to is not None:
            self.speed = first.speed_m_s
            self.yaw = self._heading_to(first.walk_to)

    @property
    def step(self) -> StepSpec | None:
        return self.steps[self.index] if self.index < len(self.steps) else None

    @property
    def action(self) -> str | None:
        """The current step's action; after the last one, None."""
        step = self.step
        if step is None:
            return None
        return next(name for name in ACTIONS if getattr(step, name) is not None)

    def length(self) -> float:
        """Tell how long the current step lasts; a walk, until it arrives."""
        action = self.action
        if action is None or action == "walk_to":
            return math.inf
        if action == "helmet_on":
            return HELMET_UP_S + HELMET_DOWN_S
        return float(getattr(self.step, action))

    def _heading_to(self, target: Point) -> float:
        return math.atan2(target[1] - self.y, target[0] - self.x)

    def _turn_to(self, yaw: float) -> float:
        """Turn towards `yaw` as fast as a person does; give what is left to turn."""
        left = _angle(yaw - self.yaw)
        most = min(math.sqrt(2 * TURN_RAD_S2 * abs(left)), TURN_RAD_S, abs(left) / STEP_S)
        wanted = math.copysign(most, left)
        change = TURN_RAD_S2 * STEP_S
        self.turning += min(max(wanted - self.turning, -2 * change), change)
        if abs(left) < 1e-3:
            self.turning, self.yaw = 0.0, self.yaw + left
        self.yaw += self.turning * STEP_S
        return abs(left)

    def _next(self) -> None:
        self.index += 1
        self.since = self.turned_at = 0.0
        self.start = (self.x, self.y, self.speed)

    def advance(self) -> None:
        """Play 10 ms."""
        self.since += STEP_S
        step, action, length = self.step, self.action, self.length()
        if action in ("fall_s", "rise_s"):
            self._move(action, length)
        elif step is not None and step.walk_to is not None:
            self._walk(step, step.walk_to)
            return
        elif step is not None and step.face_deg is not None:
            if self._turn_to(math.radians(step.face_deg)) > 0.05:
                self.turned_at = self.since
        else:
            self.turning = 0.0
        if step is not None and step.helmet_on is not None and self.since >= HELMET_UP_S:
            self.helmet_on = step.helmet_on
        if self.since >= length - 1e-9:
            self._next()

    def _move(self, action: str, length: float) -> None:
        """Carry the pelvis through a fall or through getting up."""
        self.down = True
        x, y, speed = self.start
        share = self.since / length
        self.speed = self.turning = 0.0
        if action == "fall_s":
            ahead, left = self.fall.travel_m(STAND, share)
            ahead += speed * SLIDE_S * (1 - math.exp(-self.since / SLIDE_S)) / self.scale
        else:
            ahead, left = RISE.travel_m(self.lying, share)
            self.down = share < 1 - 1e-9
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        self.x = x + self.scale * (c * ahead - s * left)
        self.y = y + self.scale * (s * ahead + c * left)

    def _walk(self, step: StepSpec, target: Point) -> None:
        """Walk for 10 ms; arrive exactly on the target, or pass it where the way goes on."""
        distance = math.dist(target, (self.x, self.y))
        left = self._turn_to(self._heading_to(target)) if distance > 0.05 else 0.0
        if distance <= 0.05:
            self.turning = 0.0
        onwards = self._goes_on(target)
        wanted = step.speed_m_s if left < STRAIGHT_ON_RAD else 0.0
        if not onwards:
            wanted = min(wanted, math.sqrt(2 * ACCELERATION_M_S2 * distance))
        change = ACCELERATION_M_S2 * STEP_S
        self.speed += min(max(wanted - self.speed, -2 * change), change)
        if not onwards:
            self.speed = min(self.speed, math.sqrt(2 * ACCELERATION_M_S2 * distance))
        ahead = self.speed * STEP_S
        if distance <= max(ahead, 0.002):
            (self.x, self.y), self.speed = target, self.speed if onwards else 0.0
            self.walked += distance
            self._next()
            return
        way = self._heading_to(target) if distance < 0.3 else self.yaw
        self.x += ahead * math.cos(way)
        self.y += ahead * math.sin(way)
        self.walked += ahead

    def _goes_on(self, corner: Point) -> bool:
        """Tell whether the way goes on at a corner without a stop."""
        if self.index + 1 >= len(self.steps):
            return False
        following = self.steps[self.index + 1]
        if following.walk_to is None:
            return following.fall_s is not None
        after = math.atan2(following.walk_to[1] - corner[1], following.walk_to[0] - corner[0])
        return abs(_angle(after - self.yaw)) < STRAIGHT_ON_RAD

    def now(self) -> _Now:
        """Tell how things stand."""
        action = self.action
        if self.down and action not in ("fall_s", "rise_s"):
            action = "lie_s"
        on_feet = action not in ("fall_s", "lie_s", "rise_s")
        return _Now(
            tick=Tick(
                x=self.x,
                y=self.y,
                yaw=self.yaw,
                speed=self.speed if on_feet else 0.0,
                turning=self.turning if on_feet else 0.0,
                on_feet=on_feet,
            ),
            action=action,
            since=self.since,
            length=self.length(),
            walked=self.walked,
            helmet_on=self.helmet_on,
            turned_at=self.turned_at,
        )


def lying_pose(miner: int) -> Pose:
    """Tell how a miner lies after a fall: on the right, the left, or the face, by their number."""
    return (LIE_ON_SIDE, mirrored(LIE_ON_SIDE), LIE_ON_FRONT)[(miner - 1) % 3]


def _carriage(spec: MinerSpec, now: _Now, phase: float) -> tuple[str, Carriage]:
    """Give state and carriage of a miner on their feet."""
    speed = now.tick.speed
    amplitude = min(speed / 1.05, 1.05)
    reach = CARRY / 2 * stride_m(speed) * ease(speed / 0.5)
    head = 14 * math.sin(now.walked * 0.8 + spec.id)
    carriage = Carriage(
        upper=swing_upper(phase % 1, amplitude, head),
        pelvis_m=(0.0, 0.0, pelvis_height_m(phase, reach)),
    )
    since, left = now.since, now.length - now.since
    if now.action == "crouch_s":
        share = min(ease(since / CROUCH_S), ease(left / CROUCH_S))
        return "crouch", mix_carriages(carriage, CROUCHING, share)
    if now.action == "work_s":
        at = since - now.turned_at
        share = min(ease(at / WORK_IN_S), ease(left / WORK_IN_S))
        return "work", mix_carriages(carriage, work_carriage(max(at - WORK_IN_S, 0.0)), share)
    if now.action == "helmet_on":
        share = min(ease(since / HELMET_UP_S), ease(left / HELMET_DOWN_S))
        return "stand", mix_carriages(carriage, HANDS_AT_HEAD, share)
    return ("walk" if speed > 0.15 else "stand"), carriage


def _lifted(foot: Foot, carriage: Carriage) -> Foot:
    """Lift the right foot on its way back into a crouch."""
    share = carriage.back_m / CROUCHING.back_m
    lift = foot.lift + 0.05 * math.sin(math.pi * share)
    return Foot(x=foot.x, y=foot.y, yaw_rad=foot.yaw_rad, pitch_deg=foot.pitch_deg, lift=lift)


def play(spec: MinerSpec, fps: int, frames: int) -> list[Moment]:
    """Play a miner's script: one moment per frame.

    Who starts with a walk is already walking; a walk ends on its point to the millimetre.

    >>> from sample_videos.generator.scene_file import MinerSpec, StepSpec
    >>> walk = MinerSpec(id=1, at_m=(0.0, 0.0), script=(StepSpec(walk_to=(9.0, 0.0)),))
    >>> moments = play(walk, 10, 41)
    >>> [round(m.xy_m[0], 2) for m in moments[::20]], moments[20].state
    ([0.0, 2.0, 4.0], 'walk')
    """
    actor = _Actor(spec)
    ticks = [round(frame / fps / STEP_S) for frame in range(frames)]
    course = [actor.now()]
    for _ in range(ticks[-1] + round(AHEAD_S / STEP_S)):
        actor.advance()
        course.append(actor.now())
    walker = Walker([now.tick for now in course], STEP_S, spec.height_m, spec.id * 0.37 % 1)
    wanted = set(ticks)
    poser = _Poser(spec, actor, walker)
    moments = {}
    for at in range(ticks[-1] + 1):
        if at > 0:
            walker.advance(at)
        starts_fall = course[at].action != "fall_s" and course[at + 1].action == "fall_s"
        if at in wanted or starts_fall:
            moments[at] = poser.moment(course[at], at)
    return [moments[at] for at in ticks]


class _Poser:
    """Gives the limbs to a played course."""

    def __init__(self, spec: MinerSpec, actor: _Actor, walker: Walker) -> None:
        self.spec, self.walker = spec, walker
        self.fall, self.lying = actor.fall, actor.lying
        self.scale = spec.height_m / REST_HEIGHT_M
        self.before_fall: Pose = STAND

    def moment(self, now: _Now, at: int) -> Moment:
        """Tell what is seen at tick `at`."""
        x, y, yaw = now.tick.x, now.tick.y, now.tick.yaw
        share = now.since / now.length if now.tick.on_feet is False else 0.0
        if now.action == "fall_s":
            state, pose = "fall", self.fall.pose(self.before_fall, share)
        elif now.action == "lie_s":
            state, pose = "lie", self.lying
        elif now.action == "rise_s":
            state, pose = "rise", RISE.pose(self.lying, share)
        else:
            state, carriage = _carriage(self.spec, now, self.walker.phase)
            left, right = self.walker.feet(at)
            pose = hold(carriage, left, _lifted(right, carriage))
            self.before_fall = pose
            ahead, beside = (self.scale * v for v in carriage.pelvis_m[:2])
            c, s = math.cos(yaw), math.sin(yaw)
            x, y = x + c * ahead - s * beside, y + s * ahead + c * beside
        return Moment(xy_m=(x, y), yaw_rad=yaw, state=state, pose=pose, helmet_on=now.helmet_on)
