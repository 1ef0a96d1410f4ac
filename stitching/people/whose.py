"""Which camera shows whom upright: one that sees the whole body, near and unhidden, and calmly so.

Knows nothing about how they are drawn.
"""

from collections.abc import Sequence

import numpy as np

from scene.arrays import Bools, Floats
from stitching.people.bodies import Bits, Bodies
from stitching.people.companies import Company
from stitching.people.silhouettes import Divided

NOBODY = -1
LEAST_SHOWN = 0.2
"""A camera that has less of a body in its picture doesn't show it."""
LACKING = 12.0
"""For the share of the body that another camera's picture has and this one's lacks."""
UNNOTICED, NOTICED = 0.01, 0.05
"""A share of less is free, one of more costs half at once; the rest grows with the share."""
HIDDEN = 6.0
"""For the share that stands behind somebody nearer."""
CUT, CUT_SHARES = 8.0, (0.04, 0.12)
"""For losing to somebody else what is to be seen of a body: from the first share on, and in full
from the second one on. Of views on the sample sites that cut somebody by 5 %, most have more than
the second share, of others hardly any has (`tests/seams.py`)."""
MORE, MORE_SHARES = 8.0, (0.08, 0.28)
"""The same for shares of others' figures that would be shown with a body."""
COARSE = 1.0
"""For a view without any detail, against the most detailed one."""
NOT_SHOWN = 50.0
"""For a camera that does not show one of those who stand together."""
SWITCH = 0.8
"""Another camera must be better by so much."""
RECENT_NS = 1_500_000_000
LOST_NS = 2_000_000_000
"""Whom no camera has seen for so long is not where they are predicted to be."""
AGAIN_NS = 200_000_000


class Whose:
    """Remembers who is shown by which camera."""

    def __init__(self) -> None:
        self._cameras: dict[int, int] = {}
        self._found_at_ns: dict[tuple[int, int], int] = {}
        self._chosen_at_ns = 0

    def choose(
        self,
        bodies: Bodies,
        present: Sequence[bool],
        at_ns: int,
        companies: Sequence[Company],
    ) -> list[int]:
        """Give each person's camera, `NOBODY` where none will do, in the order of bits.

        A company, bits of people who stand together, gets one for all, if one will do.
        """
        found = self._found(bodies, at_ns)
        fresh = [at_ns - person.seen_at_ns <= LOST_NS for person in bodies.people]
        kept = [self._cameras.get(track, NOBODY) for track in bodies.tracks]
        calm = abs(at_ns - self._chosen_at_ns) < AGAIN_NS
        lost = (camera == NOBODY or not present[camera] for camera in kept)
        if not calm or any(lost):
            kept = self._choice(bodies, np.array(present), found, kept, companies)
            self._cameras = dict(zip(bodies.tracks, kept, strict=True))
            self._chosen_at_ns = at_ns
        return [
            camera if is_fresh else NOBODY for camera, is_fresh in zip(kept, fresh, strict=True)
        ]

    def _found(self, bodies: Bodies, at_ns: int) -> Bools:
        """Tell (P, N) in whose pictures each person was found lately."""
        found = np.zeros((len(bodies.people), len(bodies.cameras)), bool)
        recent = {}
        for bit, person in enumerate(bodies.people):
            for index, camera in enumerate(bodies.cameras):
                key = person.track, index
                seen_at_ns = self._found_at_ns.get(key, 0)
                if len(bodies.boxes(bit, index)):
                    seen_at_ns = at_ns
                elif camera.name in person.cameras and not bodies.searched[index]:
                    seen_at_ns = max(seen_at_ns, person.seen_at_ns)
                if abs(at_ns - seen_at_ns) <= RECENT_NS:
                    recent[key] = seen_at_ns
                    found[bit, index] = True
        self._found_at_ns = recent
        return found

    def _choice(
        self,
        bodies: Bodies,
        present: Bools,
        found: Bools,
        kept: Sequence[int],
        companies: Sequence[Company],
    ) -> list[int]:
        if not bodies.people:
            return []
        # Where the detector has not found somebody lately, a wall may be in the way.
        pictured = np.minimum(bodies.pictured(), bodies.uncut()) * present * found
        most = pictured.max(axis=1, keepdims=True)
        distances_m = bodies.distances_m()[: len(bodies.people)]
        focal_px = np.array([camera.k[0, 0] for camera in bodies.cameras])
        fine = np.where(pictured >= LEAST_SHOWN, focal_px / np.maximum(distances_m, 0.5), 0)
        cost = LACKING * noticed(most - pictured)
        for index in np.flatnonzero((pictured >= LEAST_SHOWN).any(axis=0)).tolist():
            cost[:, index] += _harm(Divided(bodies, index), companies)
        cost += COARSE * (1 - fine / np.maximum(fine.max(axis=1, keepdims=True), 1e-9))
        cost += SWITCH * (np.arange(len(bodies.cameras)) != np.array(kept)[:, None])
        cost = np.where(pictured >= LEAST_SHOWN, cost, np.inf)
        chosen = [NOBODY] * len(bodies.people)
        for company in companies:
            for bit, camera in _together(cost, company):
                chosen[bit] = camera
        return chosen


def _together(cost: Floats, company: Company) -> list[tuple[int, int]]:
    """Give the camera of each of a company: one for all that any camera shows, if one can."""
    some = [bit for bit in company if np.isfinite(cost[bit]).any()]
    if not some:
        return []
    own = [int(cost[bit].argmin()) for bit in some]
    shared = np.where(np.isfinite(cost[some]), cost[some], NOT_SHOWN).sum(axis=0)
    camera = int(shared.argmin())
    return [
        (bit, camera if np.isfinite(cost[bit, camera]) else alone)
        for bit, alone in zip(some, own, strict=True)
    ]


def _harm(divided: Divided, companies: Sequence[Company]) -> Floats:
    """Give what it costs (P,) to show people by a camera in which others stand near them.

    Those of one company are no harm to each other: they are shown together.
    """
    seen, there, whole = divided.mixed()
    others = np.ones(seen.shape, bool)
    others[:, -1] = False
    for company in companies:
        others[np.ix_(company, company)] = False
    whole, visible = (np.maximum(some, 1e-6) for some in (whole, seen.sum(axis=1)))
    cut = (seen * others).sum(axis=1) / visible
    more = (there * others / whole[:, None])[:, :-1].sum(axis=0)
    harm = HIDDEN * (1 - visible / whole)
    for price, (free, full), share in ((CUT, CUT_SHARES, cut), (MORE, MORE_SHARES, more)):
        harm += price * np.clip((share - free) / (full - free), 0, 1)
    return np.asarray(harm[: sum(len(company) for company in companies)])


def hidden(drawn: list[Bits], distances_m: Floats) -> Floats:
    """Give (bits, N) the share of each body, as drawn, that is behind somebody nearer."""
    share = np.zeros(distances_m.shape)
    for index, picture in enumerate(drawn):
        order = np.argsort(-distances_m[:, index], kind="stable").tolist()
        for place, bit in enumerate(order):
            mine = picture[(picture >> bit & 1) > 0]
            nearer = sum(1 << other for other in order[place + 1 :])
            if len(mine) and np.isfinite(distances_m[bit, index]):
                share[bit, index] = float((mine & nearer > 0).mean())
    return share


def noticed(share: Floats) -> Floats:
    """Weigh shares of a body: hardly anything, until one sees that something is wrong."""
    step = np.clip((share - UNNOTICED) / (NOTICED - UNNOTICED), 0, 1)
    return np.asarray((step + np.clip(share, 0, 1)) / 2)
