"""Where a walking miner puts the feet: footprints that stay while they carry.

Works on a course in steps of time that is known beforehand, so that each foot lands where the body
will be. Knows nothing of scripts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from sample_videos.generator.poses import (
    CARRY,
    REST_HEIGHT_M,
    STANCE_M,
    SWING_LIFT_M,
    Foot,
    carry_pitch_deg,
    ease,
    stride_m,
    swing_pitch_deg,
)

IDLE_HZ = 1.1
"""How fast feet come together after a stop."""
PIVOT_M = 0.20
"""Turning by one radian takes as many steps as walking so far."""
SETTLED_M, SETTLED_RAD = 0.03, math.radians(8)
START_PHASE = 0.55


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Where a body is headed at one instant: place, heading, and how fast both change."""

    x: float
    y: float
    yaw: float
    speed: float = 0.0
    turning: float = 0.0
    on_feet: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """A footprint in the mine: the ankle over it, the foot's heading."""

    x: float
    y: float
    yaw: float


@dataclass(slots=True)
class _Leg:
    """One foot's state: the print it stands on or left, the print it swings to."""

    side: int
    shift: float
    here: Print
    there: Print | None = None
    behind_m: float = 0.0
    ahead_m: float = 0.0
    cycle: int = field(default=0)


class Walker:
    """Sets two feet along a course, tick by tick."""

    def __init__(
        self, course: Sequence[Tick], step_s: float, height_m: float, phase: float
    ) -> None:
        self.course, self.step_s, self.height_m = course, step_s, height_m
        self.scale = height_m / REST_HEIGHT_M
        self.rates = [self._rate(tick) for tick in course]
        moving = course[0].on_feet and self.rates[0] > 0
        self.phase = phase if moving else START_PHASE
        self.legs: list[_Leg] = []
        self._stand(0, moving)

    def _rate(self, tick: Tick) -> float:
        """Give walking cycles a second; 0 stands."""
        pace = tick.speed + PIVOT_M * abs(tick.turning)
        return pace / stride_m(pace, self.height_m) if tick.on_feet and pace > 0.01 else 0.0

    def _print(self, tick: Tick, side: int, on_m: float = 0.0) -> Print:
        """Give the print where a foot stands under the body, or `on_m` further ahead."""
        c, s = math.cos(tick.yaw), math.sin(tick.yaw)
        across = side * STANCE_M * self.scale
        return Print(
            x=tick.x + c * on_m - s * across, y=tick.y + s * on_m + c * across, yaw=tick.yaw
        )

    def _stand(self, at: int, moving: bool) -> None:
        """Put both feet under the body, or where they would be if it came walking."""
        tick = self.course[at]
        stride = stride_m(tick.speed, self.height_m) if moving else 0.0
        self.legs = []
        for side, shift in ((1, 0.0), (-1, 0.5)):
            cycle = math.floor(self.phase + shift)
            since_mid = self.phase + shift - cycle - CARRY / 2
            leg = _Leg(side, shift, self._print(tick, side, -since_mid * stride), cycle=cycle)
            if since_mid > CARRY / 2:
                self._lift(leg, at)
            self.legs.append(leg)

    def _ahead_m(self, spot: Print, tick: Tick) -> float:
        c, s = math.cos(tick.yaw), math.sin(tick.yaw)
        return (c * (spot.x - tick.x) + s * (spot.y - tick.y)) / self.scale

    def _when(self, at: int, phases: float) -> int:
        """Tell at which tick the cycle will be so much further on."""
        while phases > 0 and at < len(self.course) - 1:
            if not self.course[at].on_feet:
                break
            phases -= (self.rates[at] or IDLE_HZ) * self.step_s
            at += 1
        return at

    def _lift(self, leg: _Leg, at: int) -> None:
        """Take a foot off the floor and choose where it lands."""
        left = leg.cycle + 1 - (self.phase + leg.shift)
        land = self._when(at, left)
        middle = self._when(land, CARRY / 2)
        leg.there = self._print(self.course[middle], leg.side)
        leg.behind_m = -self._ahead_m(leg.here, self.course[at])
        leg.ahead_m = self._ahead_m(leg.there, self.course[land])

    def _settled(self, at: int) -> bool:
        """Tell whether both feet stand under the body."""
        for leg in self.legs:
            wanted = self._print(self.course[at], leg.side)
            off = math.hypot(leg.here.x - wanted.x, leg.here.y - wanted.y)
            if leg.there is not None or off > SETTLED_M:
                return False
            if abs(leg.here.yaw - wanted.yaw) > SETTLED_RAD:
                return False
        return True

    def advance(self, at: int) -> None:
        """Go on from tick `at` - 1 to tick `at`."""
        if not self.course[at].on_feet:
            return
        if not self.course[at - 1].on_feet:
            self.phase = START_PHASE
            self._stand(at, False)
        rate = self.rates[at]
        if rate == 0.0:
            if self._settled(at):
                return
            rate = IDLE_HZ
        self.phase += rate * self.step_s
        for leg in self.legs:
            q = self.phase + leg.shift
            if leg.there is not None and q >= leg.cycle + 1:
                leg.here, leg.there = leg.there, None
                leg.cycle += 1
            elif leg.there is None and q >= leg.cycle + CARRY:
                self._lift(leg, at)

    def feet(self, at: int) -> tuple[Foot, Foot]:
        """Give the left and the right foot, from the body's place and heading."""
        left, right = (self._foot(leg, self.course[at]) for leg in self.legs)
        return left, right

    def _foot(self, leg: _Leg, tick: Tick) -> Foot:
        within = self.phase + leg.shift - leg.cycle
        x, y, yaw, lift = leg.here.x, leg.here.y, leg.here.yaw, 0.0
        if leg.there is None:
            pitch = carry_pitch_deg(self._ahead_m(leg.here, tick), within / CARRY)
        else:
            share = (within - CARRY) / (1 - CARRY)
            way = ease(share)
            far = math.hypot(leg.there.x - x, leg.there.y - y) / self.scale
            x, y = x + way * (leg.there.x - x), y + way * (leg.there.y - y)
            yaw += way * (leg.there.yaw - yaw)
            lift = SWING_LIFT_M * min(0.5 + far, 1.0) * math.sin(math.pi * share)
            pitch = swing_pitch_deg(leg.behind_m, leg.ahead_m, share)
        c, s = math.cos(tick.yaw), math.sin(tick.yaw)
        dx, dy = (x - tick.x) / self.scale, (y - tick.y) / self.scale
        return Foot(
            x=c * dx + s * dy,
            y=c * dy - s * dx,
            yaw_rad=yaw - tick.yaw,
            pitch_deg=pitch,
            lift=lift,
        )
