"""One person being followed, and what is kept of everybody over a restart.

Knows nothing about cameras, matching or files.
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import ClassVar

import numpy as np
from pydantic import ConfigDict

from location.agreement import START, START_LOOKS, Evidence
from location.doubt import Doubt, unexplained
from location.foot import STATURE_M
from location.headgear import moved, probability
from location.motion import START_SPEED_SIGMA_M_S, Motion
from scene.messages import WIRE, XY, Covariance

HEIGHTS, STATURES, TRAIL = 30, 60, 64
"""So many of the last heights and places are kept."""
UPRIGHT_M = (1.5, 2.1)
"""Heights of people who stand or walk."""
STATURE_LOOKS = 5
HELMET_M = 0.07
"""So much taller a helmet makes: EN 397 allows its shell to stand 80 mm above the head at most."""
"""What is known of people in general counts as so many looks at one."""
STEADY_S, STEADY_FROM_S = 2.0, 0.6
"""Over so long, and at least so long, a steady walk is measured."""
ALONG_M_S, ACROSS_M_S = 0.6, 0.12
"""How far off a walk is after a second that nobody saw, along and across its way: people stop and
start, but keep their lane. Who stood may be off by the latter any way."""
WALK_M_S = 0.3
LONGEST_LOOK_S = 0.5
"""A look at a head speaks for no longer than this."""


@dataclass(slots=True, kw_only=True, eq=False)
class Person:
    """One person being followed; the only thing in the tracker that changes."""

    motion: Motion
    doubt: Doubt
    """How sure the place is."""
    seen_at_ns: int
    born: int
    """Order of birth."""
    born_at_ns: int
    track: int = 0
    """0 until confirmed."""
    hits: int = 0
    strong_hits: int = 0
    """Instants in which a whole box showed the person."""
    sure_hits: int = 0
    """Instants in which a box of a high score showed the person."""
    scores: tuple[int, float] = (0, 0.0)
    """How many looks there were until the person was confirmed, and the sum of their scores."""
    looked_s: float = 0.0
    """For how long these looks saw the person, all together."""
    sure_cameras: frozenset[str] = frozenset()
    """Which cameras gave looks of a high score until then."""
    joint_hits: int = 0
    """Instants in which two cameras or more saw the person."""
    misses: int = 0
    share: float = 1.0
    """Smoothed share of the covering cameras that saw the person."""
    covering: int = 1
    cameras: tuple[str, ...] = ()
    cameras_at_ns: int = 0
    heights: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=HEIGHTS))
    statures: deque[float] = field(default_factory=lambda: deque(maxlen=STATURES))
    """Heights that whole boxes showed of the person upright, as if with a helmet on."""
    trail: deque[tuple[int, float, float]] = field(default_factory=lambda: deque(maxlen=TRAIL))
    """Where the person was: time, x and y."""
    helmet: float | None = None
    """Log odds of a helmet worn; none before any look showed the head."""
    head_at_ns: int = 0
    """When a look last showed the head."""
    beside_s: float = 0.0
    """For how long an older person has been at this very place."""
    evidence: Evidence = field(default_factory=Evidence)
    """How far off looks at this person are."""
    waited_for_ns: int = 0
    """Until then the person lives on unseen: nobody looked while the process was down."""
    _height: tuple[float, int] | None = None
    """What `height` tells until the next look; it is asked for many times between two."""

    def look_at_head(self, vote_per_s: float, at_ns: int) -> None:
        """Take in what a look shows of the head; looks of one instant share its time."""
        if np.isnan(vote_per_s) or at_ns <= self.head_at_ns:
            return
        step_s = min((at_ns - self.head_at_ns) / 1e9, LONGEST_LOOK_S)
        self.helmet, self.head_at_ns = moved(self.helmet, vote_per_s, step_s), at_ns

    def count_look(
        self, camera: str, score: float, for_s: float, *, sure: bool, whole: bool
    ) -> None:
        """Take in what a camera's look says about whether this is somebody.

        `for_s` is for how long it speaks, `sure` tells of a high score, `whole` if the box is cut
        nowhere.
        """
        self.strong_hits += int(whole)
        self.sure_hits += int(sure)
        if self.track:
            return
        looks, total = self.scores
        self.scores, self.looked_s = (looks + 1, total + score), self.looked_s + for_s
        if sure:
            self.sure_cameras |= {camera}

    @property
    def believed(self) -> bool:
        """Whether enough of the cameras that should see the person do."""
        return self.covering < 3 or self.share >= 0.15

    def height(self) -> tuple[float, int]:
        """Take the middle of the heights of the last second in which looks showed any; say when.

        A stature, at 0 ns, before any.
        """
        if self._height is None:
            self._height = self._middle_height()
        return self._height

    def _middle_height(self) -> tuple[float, int]:
        if not self.heights:
            return STATURE_M, 0
        newest = max(at_ns for at_ns, _ in self.heights)
        recent = [height for at_ns, height in self.heights if newest - at_ns <= 1_000_000_000]
        return min(max(median(recent[-15:]), 0.0), 2.5), newest

    def stature_m(self) -> float:
        """Tell how tall the person is: by whole looks at this very person, and people in general.

        A body whose feet are hidden is placed by it, and being 5 cm wrong moves it by 0.1 to 0.2 m.
        """
        looks = len(self.statures)
        own_m = median(self.statures) - STATURE_M if looks else 0.0
        with_helmet_m = STATURE_M + own_m * looks / (looks + STATURE_LOOKS)
        return with_helmet_m - self._without_helmet_m()

    def show_height(self, at_ns: int, height_m: float, *, whole: bool) -> None:
        """Take in how high a look shows the person; `whole` if the box is cut nowhere."""
        if not np.isfinite(height_m):
            return
        self.heights.append((at_ns, height_m))
        self._height = None
        if whole and UPRIGHT_M[0] < height_m < UPRIGHT_M[1]:
            self.statures.append(height_m + self._without_helmet_m())

    def take_heights(self, other: "Person") -> None:
        """Take over what looks showed of how high another one reaches: it is the same body."""
        self.heights, self.statures = other.heights, other.statures
        self._height = None

    def _without_helmet_m(self) -> float:
        """Tell how much lower the person is for want of a helmet, as far as looks tell."""
        worn = probability(self.helmet)
        return 0.0 if worn is None else (1 - worn) * HELMET_M

    def steady_m_s(self) -> XY:
        """Tell how fast the person has walked over the last seconds: surer than at this moment."""
        if not self.trail:
            return 0.0, 0.0
        from_ns = self.trail[-1][0] - STEADY_S * 1e9
        trail = np.array([spot for spot in self.trail if spot[0] >= from_ns])
        t = (trail[:, 0] - trail[-1, 0]) / 1e9
        if t.max() - t.min() < STEADY_FROM_S:
            return 0.0, 0.0
        t = t - t.mean()
        x, y = (t @ trail[:, 1:]) / (t @ t)
        return float(x), float(y)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPerson:
    """What is kept of one person."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    track: int
    at_ns: int
    xy_m: XY
    covariance_m2: Covariance
    steady_m_s: XY
    seen_at_ns: int
    born_at_ns: int
    share: float
    covering: int
    hits: int
    cameras: tuple[str, ...]
    heights: tuple[tuple[int, float], ...]

    def __post_init__(self) -> None:
        """Refuse what no filter could go on from."""
        (a, b), (c, d) = self.covariance_m2
        if not (a > 0 and d > 0 and a * d - b * c > 0 and self.track > 0):
            raise ValueError(f"person {self.track}: covariance_m2 is none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the next run of a gateway must know so that nobody gets another number."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    at_ns: int
    """Capture time of the last pictures."""
    tracks: int
    """The last number that was given; none is ever given twice."""
    people: tuple[KeptPerson, ...]
    error_factor: float = START
    error_looks: float = START_LOOKS
    """By how much looks really err, and how much evidence that stands on (`agreement.py`)."""

    def __post_init__(self) -> None:
        """Refuse what no ellipse could be drawn with."""
        if not (self.error_factor > 0 and self.error_looks > 0):
            raise ValueError("error_factor and error_looks must be above 0")


def kept(person: Person) -> KeptPerson:
    """Note down a person."""
    (a, b), (c, d) = person.motion.covariance[:2, :2].tolist()
    return KeptPerson(
        track=person.track,
        at_ns=person.motion.at_ns,
        xy_m=(float(person.motion.mean[0]), float(person.motion.mean[1])),
        covariance_m2=((a, b), (c, d)),
        steady_m_s=person.steady_m_s(),
        seen_at_ns=person.seen_at_ns,
        born_at_ns=person.born_at_ns,
        share=person.share,
        covering=person.covering,
        hits=person.hits,
        cameras=person.cameras,
        heights=tuple(person.heights),
    )


def revived(note: KeptPerson, born: int, now_ns: int, waited_for_ns: int) -> Person:
    """Make a person of a note again, where the walk has led by `now_ns`."""
    gap_s = max(0.0, (now_ns - note.at_ns) / 1e9)
    steady = np.array(note.steady_m_s)
    speed = float(np.hypot(*steady))
    doubt = (ACROSS_M_S * gap_s) ** 2 * np.eye(2)
    if speed > WALK_M_S:
        way = steady / speed
        doubt += ((ALONG_M_S * gap_s) ** 2 - (ACROSS_M_S * gap_s) ** 2) * np.outer(way, way)
    covariance = np.diag([0.0, 0.0, START_SPEED_SIGMA_M_S**2, START_SPEED_SIGMA_M_S**2])
    covariance[:2, :2] = np.array(note.covariance_m2) + doubt
    mean = np.concatenate([np.array(note.xy_m) + gap_s * steady, steady])
    return Person(
        motion=Motion(at_ns=max(now_ns, note.at_ns), mean=mean, covariance=covariance),
        doubt=unexplained(covariance),
        seen_at_ns=note.seen_at_ns,
        born=born,
        born_at_ns=note.born_at_ns,
        track=note.track,
        hits=note.hits,
        strong_hits=note.hits,
        sure_hits=note.hits,
        share=note.share,
        covering=note.covering,
        cameras=note.cameras,
        cameras_at_ns=note.seen_at_ns,
        heights=deque(note.heights, maxlen=HEIGHTS),
        waited_for_ns=waited_for_ns,
    )
