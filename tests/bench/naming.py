"""How often people get the right name from their tags: on the sample sites, and in a crowd.

Knows nothing about pictures. Rendered scores and simulated tags are not a real mine's accuracy.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge.acceptance.scoring import score
from location.naming import Naming
from scene.arrays import Floats
from scene.limits import TagLimits
from scene.messages import Position, Positions, TagFix, Tags
from tests.sample_site import START_AT_NS, read, run, sites
from tests.site_scores import followed

BEGINS_S = 3.0
"""Nobody can be named before some places have come."""
LATE_S = 0.7
"""So late do the sites' tags come."""
LENGTH_M, WIDTH_M = 20.0, 4.0
HZ = 10
GROSS_M = (2.0, 6.0)
SWAP_SHARE = 0.1
"""In so many meetings the tracker swaps two people."""
SEEDS = 3
OFF_M, OFF_S = 0.1, 1.0
"""Sigma of a track's error, and for how long it lasts."""


def measure() -> dict[str, float]:
    """Measure every site that is there, and the crowd with two kinds of tags."""
    figures: dict[str, float] = {}
    for folder in sites():
        if (folder / "tags.jsonl").exists():
            figures |= _shares(f"naming.{folder.name}", site_names(folder))
    for sigma_m in (0.3, 1.0):
        for name, swap_share in (("crowd", 0.0), ("crowd_swapped", SWAP_SHARE)):
            pairs = [
                pair
                for seed in range(SEEDS)
                for pair in crowd_names(sigma_m=sigma_m, seed=seed, swap_share=swap_share)
            ]
            figures |= _shares(f"naming.{name}_{round(sigma_m * 100)}cm", pairs)
    return figures


def _shares(name: str, pairs: list[tuple[str, str | None]]) -> dict[str, float]:
    right, wrong, none = shares(pairs)
    return {
        f"{name}_right_share": right,
        f"{name}_wrong_share": wrong,
        f"{name}_none_share": none,
    }


def shares(pairs: list[tuple[str, str | None]]) -> tuple[float, float, float]:
    """Tell which share of (tag worn, name given) is right, wrong, and without a name.

    >>> shares([("a", "a"), ("a", "b"), ("a", None), ("a", "a")])
    (0.5, 0.25, 0.25)
    """
    if not pairs:
        return float("nan"), float("nan"), float("nan")
    right = float(np.mean([worn == given for worn, given in pairs]))
    none = float(np.mean([given is None for _, given in pairs]))
    return right, 1 - right - none, none


def site_names(folder: Path) -> list[tuple[str, str | None]]:
    """Name the people of a site's run; gives (tag worn, name given) of those matched with truth."""
    people, fps = followed(folder), read(folder, "scene.json")["fps"]
    person_of = {
        (people.frames[match.instant], match.track): match.person
        for match in score(people.truth, people.found).matches
    }
    positions = [output.positions for output in run(folder).outputs]

    def matched(at_s: float, track: int) -> int | None:
        return person_of.get((round(at_s * fps), track))

    return site_names_of(folder, positions, matched)


def site_names_of(
    folder: Path, moments: Iterable[Positions], person_of: Callable[[float, int], int | None]
) -> list[tuple[str, str | None]]:
    """Name people by a site's tags; `person_of` tells who a track is, by seconds.

    Gives (tag worn, name given) of all whom it knows, and who wear a tag.
    """
    worn = {miner["id"]: miner["tag"] for miner in read(folder, "scene.json")["miners"]}
    lines = (folder / "tags.jsonl").read_text(encoding="utf-8").splitlines()
    fixes = [_fix(json.loads(line)) for line in lines]
    naming, pairs = Naming(TagLimits()), list[tuple[str, str | None]]()
    for positions in moments:
        now_ns = positions.captured_at_ns
        at_s = (now_ns - START_AT_NS) / 1e9
        due = [fix for fix in fixes if fix.at_ns <= now_ns - LATE_S * 1e9]
        fixes = fixes[len(due) :]
        naming.hear(Tags(captured_at_ns=now_ns, fixes=tuple(due)))
        for track, name in _names(naming.named(positions)).items():
            person = person_of(at_s, track)
            if at_s >= BEGINS_S and person is not None and worn[person]:
                pairs.append((worn[person], name))
    return pairs


def _fix(row: Mapping[str, Any]) -> TagFix:
    x, y = row["xy_m"]
    at_ns = START_AT_NS + round(row["t_s"] * 1e9)
    return TagFix(tag=row["tag"], xy_m=(x, y), sigma_m=row["sigma_m"], at_ns=at_ns)


def _names(positions: Positions) -> dict[int, str | None]:
    return {person.track: person.worker for person in positions.people}


def crowd_names(
    *,
    sigma_m: float,
    seed: int,
    people: int = 10,
    seconds: float = 60.0,
    every_s: float = 1.0,
    gross_share: float = 0.05,
    swap_share: float = SWAP_SHARE,
) -> list[tuple[str, str | None]]:
    """Let people cross each other in a roadway; gives (tag worn, name given) by instants.

    Tracks are 0.1 m off, swap people in `swap_share` of their meetings (less than 0.6 m apart),
    and end every half minute or so, to begin anew a second later. Tags' places come 0.3 to 1.5 s
    late, in any order, and some never.
    """
    rng = np.random.default_rng([seed, people])
    naming = Naming(TagLimits())
    ways = _ways(rng, people, round(seconds * HZ))
    fixes = sorted(_fixes(rng, ways, sigma_m, every_s, gross_share), key=lambda one: one[0])
    pairs: list[tuple[str, str | None]] = []
    for number, tracks in enumerate(_tracks(rng, ways, swap_share)):
        now_ns = START_AT_NS + number * 1_000_000_000 // HZ
        due = [fix for arrives_ns, fix in fixes if arrives_ns <= now_ns]
        fixes = fixes[len(due) :]
        naming.hear(Tags(captured_at_ns=now_ns, fixes=tuple(due)))
        seen = tuple(_person(track, xy, now_ns) for _, track, xy in tracks)
        names = _names(naming.named(Positions(captured_at_ns=now_ns, people=seen)))
        if number >= BEGINS_S * HZ:
            pairs += [(f"tag-{person}", names[track]) for person, track, _ in tracks]
    return pairs


def _ways(rng: np.random.Generator, people: int, instants: int) -> Floats:
    """Walk from one random place to the next, with rests: (instants, people, 2)."""
    ways = np.zeros((instants, people, 2))
    for person in range(people):
        spots = rng.uniform(0, 1, (instants, 2)) * [LENGTH_M, WIDTH_M]
        place, left, rest = spots[0], 0, 0
        for number in range(instants):
            ways[number, person] = place
            step = spots[left] - place
            far = float(np.hypot(*step))
            speed = rng.uniform(0.8, 1.2)
            if rest > 0:
                rest -= 1
            elif far < 0.2:
                left, rest = left + 1, int(rng.integers(0, 3 * HZ))
            else:
                place = place + step / far * min(speed / HZ, far)
    return ways


def _fixes(
    rng: np.random.Generator, ways: Floats, sigma_m: float, every_s: float, gross_share: float
) -> Iterator[tuple[int, TagFix]]:
    """Give every place that a tag system sends, with the instant at which it comes."""
    at_s = np.arange(len(ways)) / HZ
    for person in range(ways.shape[1]):
        for t in np.arange(rng.uniform(0, every_s), at_s[-1], every_s).tolist():
            xy = np.array([np.interp(t, at_s, ways[:, person, axis]) for axis in (0, 1)])
            off = rng.normal(0, sigma_m, 2)
            if rng.random() < gross_share:
                turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(*GROSS_M)
                off = far * np.array([np.cos(turn), np.sin(turn)])
            x, y = (xy + off).tolist()
            at_ns = START_AT_NS + round(t * 1e9)
            if rng.random() >= 0.05:
                late_ns = round(rng.uniform(0.3, 1.5) * 1e9)
                fix = TagFix(tag=f"tag-{person}", xy_m=(x, y), sigma_m=sigma_m, at_ns=at_ns)
                yield at_ns + late_ns, fix


def _tracks(
    rng: np.random.Generator, ways: Floats, swap_share: float
) -> Iterator[list[tuple[int, int, tuple[float, float]]]]:
    """Follow people as a tracker does: (person, track, place) of each instant."""
    people = ways.shape[1]
    track = list(range(people))
    newest, back_at, off = people, [0] * people, rng.normal(0, OFF_M, (people, 2))
    met: set[tuple[int, int]] = set()
    fade = np.exp(-1 / (HZ * OFF_S))
    for number, now in enumerate(ways):
        off = off * fade + rng.normal(0, OFF_M * np.sqrt(1 - fade**2), (people, 2))
        for a in range(people):
            for b in range(a):
                near = bool(np.hypot(*(now[a] - now[b])) < 0.6)
                if near and (a, b) not in met and rng.random() < swap_share:
                    track[a], track[b] = track[b], track[a]
                met = met | {(a, b)} if near else met - {(a, b)}
            if back_at[a] <= number and rng.random() < 1 / (30 * HZ):
                back_at[a], track[a], newest = number + HZ, newest, newest + 1
        shown = now + off
        yield [
            (person, track[person], (float(shown[person, 0]), float(shown[person, 1])))
            for person in range(people)
            if back_at[person] <= number
        ]


def _person(track: int, xy_m: tuple[float, float], at_ns: int) -> Position:
    return Position(
        track=track,
        xyz_m=(*xy_m, 0.0),
        covariance_m2=((0.0144, 0.0), (0.0, 0.0144)),
        velocity_m_s=(0.0, 0.0),
        height_m=1.75,
        posture="upright",
        certainty="certainly",
        seen_at_ns=at_ns,
        cameras=("c1",),
    )
