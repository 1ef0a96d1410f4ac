"""A long roadway with people, and what its gateways would publish of them.

Knows nothing about cameras: each gateway sees a stretch, with the errors, delays and drop-outs of
a real one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge.acceptance.scoring import Instant
from scene.messages import Position, Positions
from scene.topics import Address
from scene.wire import Envelope

START_NS = 1_790_000_000_000_000_000
SITE = "long"
STEP_S = 0.2
OVERLAPPING = ((0.0, 72.0), (64.0, 136.0), (128.0, 200.0))
WITH_GAPS = ((0.0, 60.0), (70.0, 130.0), (140.0, 200.0))

Stretches = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message, as it comes to a listener."""

    heard_at_ns: int
    address: Address
    envelope: Envelope


def ns(t_s: float) -> int:
    return START_NS + round(t_s * 1e9)


def said(
    gateway: str,
    t_s: float,
    people: tuple[Position, ...],
    *,
    late_s: float = 0.05,
    off_s: float = 0.0,
) -> Said:
    """One gateway's positions at `t_s`, its clock fast by `off_s`, heard `late_s` later."""
    at_ns = ns(t_s + off_s)
    return Said(
        heard_at_ns=ns(t_s + late_s),
        address=Address(prefix="mine", site=SITE, gateway=gateway, topic="positions"),
        envelope=Envelope(
            type="positions",
            gateway=gateway,
            seq=1,
            sent_at_ns=at_ns,
            body=Positions(captured_at_ns=at_ns, people=people),
        ),
    )


def position(
    track: int,
    t_s: float,
    xy_m: tuple[float, float],
    velocity_m_s: tuple[float, float] = (0.0, 0.0),
    *,
    sigma_m: float = 0.2,
    seen_s: float | None = None,
    worker: str | None = None,
) -> Position:
    return Position(
        track=track,
        xyz_m=(*xy_m, 0.0),
        covariance_m2=((sigma_m**2, 0.0), (0.0, sigma_m**2)),
        velocity_m_s=velocity_m_s,
        height_m=1.75,
        posture="upright",
        certainty="certainly",
        seen_at_ns=ns(t_s if seen_s is None else seen_s),
        cameras=("c1",),
        worker=worker,
        worker_probability=None if worker is None else 0.97,
    )


def walks(rng: np.random.Generator, people: int, steps: int) -> np.ndarray:
    """(steps, people, 4) x, y, vx, vy: both ways, some in pairs, some stop to talk, all turn."""
    state = np.zeros((steps, people, 4))
    x, y = rng.uniform(5, 195, people), rng.uniform(-1.6, 1.6, people)
    way = rng.choice([-1.0, 1.0], people)
    speed = rng.uniform(0.8, 1.6, people)
    for second in range(1, people, 4):  # every fourth walks beside the one before
        x[second], way[second] = x[second - 1], way[second - 1]
        speed[second], y[second] = speed[second - 1], y[second - 1] - np.sign(y[second - 1]) * 0.9
    rest_s, sway = np.zeros(people), np.zeros((people, 2))
    for step in range(steps):
        # Whoever meets somebody may stop for a talk.
        near = np.abs(x[:, None] - x[None]) < 1.5
        np.fill_diagonal(near, False)
        talks = (rng.random(people) < 0.02) & near.any(axis=1) & (rest_s <= -20)
        rest_s = np.where(talks, rng.uniform(4, 15, people), rest_s - STEP_S)
        sway += rng.normal(0, 0.15 * np.sqrt(STEP_S), (people, 2)) - 0.5 * STEP_S * sway
        vx = np.where(rest_s > 0, 0.0, way * speed) + sway[:, 0]
        vy = 0.3 * sway[:, 1]
        x, y = x + vx * STEP_S, np.clip(y + vy * STEP_S, -2.0, 2.0)
        way = np.where(x < 3, 1.0, np.where(x > 197, -1.0, way))
        state[step] = np.column_stack([x, y, vx, vy])
    return state


class _Eye:
    """One gateway: who it follows by which number, with what error."""

    def __init__(self, rng: np.random.Generator, name: str, stretch: tuple[float, float]) -> None:
        self._rng = rng
        self.name, self._stretch = name, stretch
        self.off_s = float(rng.uniform(-0.05, 0.05))
        self._track: dict[int, int] = {}
        self._since: dict[int, float] = {}
        self._seen: dict[int, tuple[float, np.ndarray]] = {}
        self._error: dict[int, np.ndarray] = {}
        self._hidden_till: dict[int, float] = {}
        self._last = 0

    def look(self, t_s: float, state: np.ndarray) -> tuple[tuple[Position, ...], set[int]]:
        """What it publishes, and whom it sees (not only foretells)."""
        rng, published, seen = self._rng, [], set()
        for person, (x, y, vx, vy) in enumerate(state):
            inside = self._stretch[0] <= x <= self._stretch[1]
            if inside and rng.random() < 0.004:
                self._hidden_till[person] = t_s + float(rng.uniform(0.5, 5.0))
            if inside and t_s >= self._hidden_till.get(person, 0.0):
                self._since.setdefault(person, t_s)
                if t_s - self._since[person] < 0.4:
                    continue
                edge = min(x - self._stretch[0], self._stretch[1] - x)
                sigma = 0.12 + 0.2 * np.exp(-edge / 6)
                keep = np.exp(-STEP_S / 0.6)
                scale = np.array([sigma, sigma, 0.2, 0.2])
                fresh = rng.normal(0, 1, 4) * scale
                before = self._error.get(person)
                error = fresh if before is None else keep * before + np.sqrt(1 - keep**2) * fresh
                self._error[person] = error
                if person not in self._track:
                    self._last += 1
                    self._track[person] = self._last
                self._seen[person] = (t_s, np.array([x, y, vx, vy]) + error)
                seen.add(person)
            else:
                sigma = 0.2
                self._since.pop(person, None)
            if person not in self._track:
                continue
            at_s, place = self._seen[person]
            gap_s = t_s - at_s
            if gap_s > (3.0 if inside else 1.0):
                for known in (self._track, self._seen, self._error):
                    known.pop(person, None)
                continue
            xy = place[:2] + gap_s * place[2:]
            sigma = float(np.hypot(sigma, 0.25 * gap_s))
            published.append(
                position(
                    self._track[person],
                    t_s,
                    (float(xy[0]), float(xy[1])),
                    (float(place[2]), float(place[3])),
                    sigma_m=sigma,
                    seen_s=at_s + self.off_s,
                )
            )
        return tuple(published), seen


def day(
    seed: int, stretches: Stretches, *, people: int = 12, seconds: float = 180.0
) -> Iterator[tuple[float, Instant, list[Said]]]:
    """Give, step by step, the time, where those are who are seen, and what is published."""
    rng = np.random.default_rng(seed)
    states = walks(rng, people, round(seconds / STEP_S))
    eyes = [_Eye(rng, f"gw{number}", stretch) for number, stretch in enumerate(stretches, 1)]
    for step, state in enumerate(states):
        t_s, truth, messages = step * STEP_S, {}, []
        for eye in eyes:
            published, seen = eye.look(t_s, state)
            truth.update({person: tuple(state[person, :2].tolist()) for person in seen})
            late_s = float(rng.uniform(0.02, 0.15))
            messages.append(said(eye.name, t_s, published, late_s=late_s, off_s=eye.off_s))
        yield t_s, truth, sorted(messages, key=lambda one: one.heard_at_ns)
