"""The words of the whole mine: a person over all gateways, and what a gateway says of one.

Knows nothing about how it is decided who is who.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from location.motion import Motion
from scene.arrays import Floats
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """What one gateway says of one person, on the listener's clock."""

    carrier: Carrier
    now: Motion
    seen: Motion
    """Where a camera last saw the person."""
    birth: Motion
    """Where the track began, with the speed known now."""
    z_m: float
    worker: str | None
    worker_probability: float | None
    certain: bool

    @property
    def is_seen(self) -> bool:
        """Whether a camera showed them at the instant of `now`, or a moment before."""
        return self.now.at_ns - self.seen.at_ns <= SEEN_NOW_S * 1e9

    @property
    def sure_name(self) -> str | None:
        """The name, if the gateway is sure enough of it."""
        sure = self.worker_probability is None or self.worker_probability >= NAME_SURE
        return self.worker if sure else None


def track_of(
    carrier: Carrier, said: Position, shift_ns: int, at_ns: int, before: Track | None
) -> Track:
    """Read what a gateway says of one person; `before` is what it said last."""
    xy = np.clip(np.array(said.xyz_m[:2]), -MOST_M, MOST_M)
    velocity = np.array(said.velocity_m_s)
    velocity = velocity * min(1.0, MOST_M_S / max(float(np.hypot(*velocity)), 1e-9))
    born_ns = at_ns if before is None else before.birth.at_ns
    known_s = max(0.0, (at_ns - born_ns) / 1e9)
    speed_m2 = max(SPEED_SIGMA_M_S, 1 / (1 + 2 * known_s)) ** 2
    now = _motion(at_ns, xy, velocity, _sound(said.covariance_m2), speed_m2)
    seen_xy = xy if said.seen_xy_m is None else np.clip(said.seen_xy_m, -MOST_M, MOST_M)
    seen_m2 = said.covariance_m2 if said.seen_covariance_m2 is None else said.seen_covariance_m2
    seen_ns = min(at_ns, max(said.seen_at_ns + shift_ns, at_ns - int(SEEN_AGO_S * 1e9)))
    birth = now if before is None else before.birth
    return Track(
        carrier=carrier,
        now=now,
        seen=_motion(seen_ns, np.asarray(seen_xy), velocity, _sound(seen_m2), speed_m2),
        birth=_motion(born_ns, birth.mean[:2], velocity, birth.covariance[:2, :2], speed_m2),
        z_m=said.xyz_m[2],
        worker=said.worker,
        worker_probability=said.worker_probability,
        certain=said.certainty == "certainly",
    )


def _motion(
    at_ns: int, xy_m: Floats, velocity_m_s: Floats, covariance_m2: Floats, speed_m2: float
) -> Motion:
    covariance = np.zeros((4, 4))
    slip = CLOCKS_SIGMA_S * velocity_m_s
    covariance[:2, :2] = covariance_m2 + np.outer(slip, slip)
    covariance[2:, 2:] = speed_m2 * np.eye(2)
    return Motion(at_ns=at_ns, mean=np.concatenate([xy_m, velocity_m_s]), covariance=covariance)


def _sound(covariance_m2: Covariance) -> Floats:
    """Make a covariance symmetric and positive definite, whatever was sent."""
    given = np.clip(np.asarray(covariance_m2, float), -1e6, 1e6)
    values, axes = np.linalg.eigh((given + given.T) / 2)
    values = np.clip(values, LEAST_SIGMA_M**2, MOST_SIGMA_M**2)
    return np.asarray((axes * values) @ axes.T)
