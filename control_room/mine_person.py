"""The words of the whole mine: a person over all gateways, and what a gateway says of one.

Knows nothing about how it is decided who is who.
"""

from dataclasses import dataclass
from math import hypot
from typing import Literal

import numpy as np

from location.motion import Motion
from scene.messages import XY, XYZ, Certainty, Covariance, Position

Whereabouts = Literal["in_view", "out_of_view", "unknown"]
Carrier = tuple[str, int]
"""A gateway and the number of one of its tracks."""

NAME_SURE = 0.9
"""A name that a gateway is less sure of decides nothing."""
CLOCKS_SIGMA_S = 0.05
"""How far the clocks of gateways may be apart."""
SPEED_SIGMA_M_S = 0.25
"""How well a gateway knows a speed, once it has followed somebody for a while."""
SEEN_NOW_S = 1.0
"""Who was not seen for longer is not seen now (`PREDICTED_AFTER_S` of the page)."""
SEEN_AGO_S = 60.0
"""A gateway's word that it saw somebody longer ago than this is not believed."""
MOST_M, MOST_M_S, LEAST_SIGMA_M, MOST_SIGMA_M = 1e6, 10.0, 0.01, 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MinePerson:
    """One person of the mine, whichever gateways speak of them."""

    id: int
    """Of the whole site; never used again for another one."""
    state: Whereabouts
    """`in_view`: a gateway follows them now; `out_of_view`: none does, `xyz_m` is where they were
    seen last; `unknown`: the gateway that followed them is silent, or tells of no places now."""
    since_ns: int
    """When that began."""
    seen_at_ns: int
    """When a camera last saw them."""
    xyz_m: XYZ
    covariance_m2: Covariance
    """Of `xyz_m[:2]`."""
    velocity_m_s: XY
    tracks: tuple[Carrier, ...]
    """Who speaks of them now; the last who did when nobody does."""
    worker: str | None
    worker_probability: float | None
    certainty: Certainty
    """`possibly`: may be nobody, or one of `perhaps`."""
    perhaps: tuple[int, ...] = ()
    """Other people, by `id`, of whom this may be one."""
    seen_now: bool = True
    """Whether a camera shows them: else, in view though, their place is only foretold."""


Spread = tuple[float, float, float]
"""A covariance of a place, square metres: xx, xy and yy."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """What one gateway says of one person, on the listener's clock."""

    carrier: Carrier
    now: Motion
    seen_ns: int
    seen_xy_m: XY
    seen_m2: Spread
    born_ns: int
    born_xy_m: XY
    born_m2: Spread
    z_m: float
    worker: str | None
    worker_probability: float | None
    certain: bool

    @property
    def seen(self) -> Motion:
        """Where a camera last saw the person, with the speed known now."""
        return self._with_speed(self.seen_ns, self.seen_xy_m, self.seen_m2)

    @property
    def birth(self) -> Motion:
        """Where the track began, with the speed known now."""
        return self._with_speed(self.born_ns, self.born_xy_m, self.born_m2)

    def _with_speed(self, at_ns: int, xy_m: XY, spread_m2: Spread) -> Motion:
        vx, vy = self.now.mean[2:].tolist()
        return _motion(at_ns, xy_m, (vx, vy), spread_m2, float(self.now.covariance[2, 2]))

    @property
    def is_seen(self) -> bool:
        """Whether a camera showed them at the instant of `now`, or a moment before."""
        return self.now.at_ns - self.seen_ns <= SEEN_NOW_S * 1e9

    @property
    def sure_name(self) -> str | None:
        """The name, if the gateway is sure enough of it."""
        sure = self.worker_probability is None or self.worker_probability >= NAME_SURE
        return self.worker if sure else None


def track_of(
    carrier: Carrier, said: Position, shift_ns: int, at_ns: int, before: Track | None
) -> Track:
    """Read what a gateway says of one person; `before` is what it said last."""
    x, y = _clip(said.xyz_m[0], MOST_M), _clip(said.xyz_m[1], MOST_M)
    vx, vy = said.velocity_m_s
    slower = min(1.0, MOST_M_S / max(hypot(vx, vy), 1e-9))
    velocity = (vx * slower, vy * slower)
    born_ns = at_ns if before is None else before.born_ns
    known_s = max(0.0, (at_ns - born_ns) / 1e9)
    speed_m2 = max(SPEED_SIGMA_M_S, 1 / (1 + 2 * known_s)) ** 2
    spread = _sound(said.covariance_m2)
    seen_x, seen_y = (x, y) if said.seen_xy_m is None else said.seen_xy_m
    seen_m2 = said.seen_covariance_m2
    return Track(
        carrier=carrier,
        now=_motion(at_ns, (x, y), velocity, spread, speed_m2),
        seen_ns=min(at_ns, max(said.seen_at_ns + shift_ns, at_ns - int(SEEN_AGO_S * 1e9))),
        seen_xy_m=(_clip(seen_x, MOST_M), _clip(seen_y, MOST_M)),
        seen_m2=spread if seen_m2 is None else _sound(seen_m2),
        born_ns=born_ns,
        born_xy_m=(x, y) if before is None else before.born_xy_m,
        born_m2=spread if before is None else before.born_m2,
        z_m=said.xyz_m[2],
        worker=said.worker,
        worker_probability=said.worker_probability,
        certain=said.certainty == "certainly",
    )


def _motion(at_ns: int, xy_m: XY, velocity_m_s: XY, spread_m2: Spread, speed_m2: float) -> Motion:
    """Put a state together, in plain numbers: of a whole mine thousands are made a second."""
    (x, y), (vx, vy), (a, b, d) = xy_m, velocity_m_s, spread_m2
    slip_s2 = CLOCKS_SIGMA_S**2
    b += slip_s2 * vx * vy
    rows = (
        (a + slip_s2 * vx * vx, b, 0.0, 0.0),
        (b, d + slip_s2 * vy * vy, 0.0, 0.0),
        (0.0, 0.0, speed_m2, 0.0),
        (0.0, 0.0, 0.0, speed_m2),
    )
    return Motion(at_ns=at_ns, mean=np.array((x, y, vx, vy)), covariance=np.array(rows))


def _sound(covariance_m2: Covariance) -> Spread:
    """Make a covariance symmetric and positive definite, whatever was sent."""
    (a, b), (c, d) = covariance_m2
    least, most = LEAST_SIGMA_M**2, MOST_SIGMA_M**2
    middle, half = (a + d) / 2, hypot((a - d) / 2, b)
    if b == c and least <= middle - half and middle + half <= most:
        return a, b, d
    a, d, b = _clip(a, 1e6), _clip(d, 1e6), (_clip(b, 1e6) + _clip(c, 1e6)) / 2
    middle, half = (a + d) / 2, hypot((a - d) / 2, b)
    low, high = (min(most, max(least, value)) for value in (middle - half, middle + half))
    if half == 0.0:
        return low, 0.0, low
    shrink = (high - low) / 2 / half  # of both eigenvalues, about their middle
    return (
        (low + high) / 2 + shrink * (a - middle),
        shrink * b,
        (low + high) / 2 + shrink * (d - middle),
    )


def _clip(value: float, most: float) -> float:
    return min(most, max(-most, value))
