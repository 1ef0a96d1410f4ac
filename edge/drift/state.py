"""What looks at one camera add up to: hangs as calibrated, moved, or nobody can tell.

Knows nothing about pictures or schedules. One look proves nothing: somebody may be leaning on the
camera, or it sways for a moment.
"""

from collections import deque

import numpy as np

from scene.arrays import Floats
from scene.geometry import CameraModel
from stitching.drift.look import Drift
from stitching.drift.overlap import Miss
from stitching.drift.proposal import Turned, combined, spread_of
from stitching.drift.turn import picture_shift_px

MOVED_LOOKS, MOVED_FOR_S = 3, 1.5
"""So many looks in a row must find the same turn, over so long."""
RUN_LASTS_S = 20.0
"""A turn seen once, and then nothing that tells more, is forgotten."""
STILL_LOOKS = 2
"""So many looks in a row give a camera its trust back."""
GONE_LOOKS, GONE_FOR_S = 7, 6.0
"""The same for a picture that shows nothing of the reference: somebody may stand before it."""
UNSURE_LOOKS = 3
"""Before it is said that nobody can tell."""
SAME_PX, SAME_SHARE = 2.0, 0.15
"""Two turns are the same when they move the picture alike, to so many px or such a share."""
OVERLAP_LOOKS = 3
"""So many misses in a row of an overlap count, where the camera's own picture tells nothing."""
DOUBTED_DEG = 3.0
"""What a camera is taken to be off by of which is only known that it had moved."""
HUNG_ANEW = "hung anew; being checked"
HAD_MOVED = "it had moved when the gateway ran before; being checked"
AS_FAR_AS_KNOWN_DEG = 10.0
"""A camera turned by more than this is left out of location: covariances are for small turns."""


class CameraDrift:
    """One camera's looks, and what they say together."""

    def __init__(self, camera: CameraModel) -> None:
        self.camera = camera
        self.turned: Turned | None = None
        """How it was turned, once that is certain."""
        self.gone = False
        """Whether nothing of its reference has been seen for long."""
        self.off: Miss | None = None
        """A miss in an overlap, where its own picture tells nothing."""
        self.last: Drift | None = None
        self.spread: Floats | None = None
        """(3, 3) rad2 to be added to its pose covariance; meaningful while `moved`."""
        self._run: deque[tuple[float, Drift]] = deque(maxlen=MOVED_LOOKS)
        self.unproven = False
        """Whether nobody knows how it hung when the rig was made: the gateway learned it itself."""
        self._off_from_start = False
        self._misses: dict[str, int] = {}
        self._still = self._unsure = self._gone = 0
        self._gone_since_s = self._run_since_s = 0.0
        self._doubt = ""
        """Why it is not trusted before a look has shown it still; empty when that is so."""
        self._came_together = False
        """Whether all that spoke against it was an overlap, and it does so no more."""

    @property
    def moved(self) -> bool:
        """Whether its positions can't be trusted."""
        return self.turned is not None or self.gone or self.off is not None or bool(self._doubt)

    @property
    def places_nobody(self) -> bool:
        """Whether nobody can say how it hangs, so that location leaves it out."""
        return self.moved and self.spread is None

    @property
    def misfit(self) -> Miss | None:
        """The miss for which it is not trusted, if the rig has not fitted from the start."""
        return self.off if self._off_from_start else None

    @property
    def is_well(self) -> str:
        """Say what shows that it hangs as the rig has it; empty while nothing shows that."""
        if self.last is not None and self.last.verdict == "still":
            return "it hangs as the rig has it"
        return "no overlap speaks against it any more" if self._came_together else ""

    @property
    def known_to_have_moved(self) -> bool:
        """Whether a look, or the run before, found that it itself has moved."""
        return self.turned is not None or self._doubt == HAD_MOVED

    @property
    def may_learn(self) -> bool:
        """Whether what it shows may be learned where nothing is known: the rig is newly made."""
        known_wrong = self.turned is not None or self.gone or self.off is not None
        return not known_wrong and self._doubt in ("", HUNG_ANEW)

    @property
    def suspect(self) -> bool:
        """Whether the next look at it should come soon."""
        going = 0 < self._gone < GONE_LOOKS and not self.unsure
        return going or 0 < len(self._run) < MOVED_LOOKS or (self.moved and self._still > 0)

    @property
    def unsure(self) -> bool:
        """Whether looks have told nothing for a while."""
        return self._unsure >= UNSURE_LOOKS

    @property
    def wants_far(self) -> bool:
        """Whether the next look may search the whole picture: dear, so not at each in vain.

        Only such a look can say that a picture shows nothing of the reference.
        """
        if self._gone > 0 and not self.gone and not self.unsure:
            return True
        return (self._unsure + self._gone) < UNSURE_LOOKS or (self._unsure + self._gone) % 6 == 0

    def add(self, look: Drift, now_s: float) -> None:
        """Take one look."""
        self.last = look
        if look.verdict == "still":
            self._add_still()
        elif look.verdict == "moved":
            self._add_moved(look, now_s)
        elif look.verdict == "gone":
            self._add_gone(now_s)
        else:
            self._still, self._unsure = 0, self._unsure + 1
            if self.turned is None and self._run and now_s - self._run[-1][0] > RUN_LASTS_S:
                self._run.clear()

    def cover(self) -> None:
        """Forget the newest looks: it can't see, and they tell nothing of how it hangs.

        What was certain before stays.
        """
        self.last = None
        self._run.clear()
        self._still = self._unsure = self._gone = 0

    def add_overlap(self, neighbour: str, miss: Miss | None, from_start: bool) -> None:
        """Take a miss beyond what is allowed in the overlap with a neighbour; none: all is well.

        It counts where its own picture tells nothing; and if it has been there from the start and
        its reference was learned by the gateway, that reference is no better than the rig.
        """
        if miss is None:
            self._misses.pop(neighbour, None)
            if self.off is not None and neighbour in (self.off.first, self.off.second):
                self.off, self._came_together = None, True
            return
        self._misses[neighbour] = self._misses.get(neighbour, 0) + 1
        tells_nothing = self.unsure or self._gone > 0 or (self.unproven and from_start)
        if self._misses[neighbour] >= OVERLAP_LOOKS and tells_nothing and not self.moved:
            self._set_off(miss, from_start)

    def rehung(self, camera: CameraModel) -> None:
        """Begin anew under another rig; trust comes back with the first looks that say so."""
        self._doubt = HUNG_ANEW if self.moved else ""
        self._came_together = False
        self.camera, self.turned, self.gone, self.off, self.last = camera, None, False, None, None
        self._run.clear()
        self._misses.clear()
        self._still = self._unsure = self._gone = 0

    def recall(self, *, unproven: bool, misfit: Miss | None) -> None:
        """Take over what was noted of it, before any look under this rig."""
        self.unproven = unproven
        if misfit is not None:
            self._set_off(misfit, from_start=True)

    def doubt(self, *, placed_nobody: bool) -> None:
        """Take it to have moved, as the run before found, until looks show it still.

        Where an overlap is known to speak against it, no look can show that: the overlap must.
        """
        if self.off is not None and not placed_nobody:
            return
        self._doubt = HAD_MOVED
        self._distrust(np.radians(DOUBTED_DEG) ** 2 * np.eye(3), 0.0)
        if placed_nobody:
            self.spread = None

    def _add_still(self) -> None:
        self._run.clear()
        self._unsure = self._gone = 0
        self._still += 1
        if self._still >= STILL_LOOKS:
            self.turned, self.gone, self._doubt = None, False, ""
            self.off = self.off if self.unproven else None

    def _add_moved(self, look: Drift, now_s: float) -> None:
        self._still = self._unsure = self._gone = 0
        if self._run and not self._is_same(look, self._run[-1][1]):
            self._run.clear()
        if not self._run:
            self._run_since_s = now_s
        self._run.append((now_s, look))
        if len(self._run) == MOVED_LOOKS and now_s - self._run_since_s >= MOVED_FOR_S:
            self.turned = combined(self.camera, [one for _, one in self._run])
            self.gone, self.off, self._doubt = False, None, ""
            self._distrust(spread_of(self.turned.turn), self.turned.turn_deg)

    def _add_gone(self, now_s: float) -> None:
        self._still = self._unsure = 0
        if not self._gone:
            self._gone_since_s = now_s
        self._gone += 1
        if self._gone >= GONE_LOOKS and now_s - self._gone_since_s >= GONE_FOR_S:
            self.gone, self.turned, self.spread = True, None, None
            self._came_together = False

    def _set_off(self, miss: Miss, from_start: bool) -> None:
        self.off, self._off_from_start = miss, from_start
        self._distrust((miss.size_px / float(self.camera.k[0, 0])) ** 2 * np.eye(3), 0.0)

    def _distrust(self, spread: Floats, turn_deg: float) -> None:
        self._came_together = False
        self.spread = None if turn_deg > AS_FAR_AS_KNOWN_DEG else spread

    def _is_same(self, look: Drift, other: Drift) -> bool:
        apart_px = picture_shift_px(self.camera, look.turn @ other.turn.T)
        return apart_px <= max(SAME_PX, SAME_SHARE * other.shift_px)

    def detail(self) -> str:
        """Say what is known, in English; empty when it hangs as calibrated."""
        if self.turned is not None:
            one = self.turned
            return (
                f"turned by {one.turn_deg:.2f} degrees, its picture is off by {one.old_px:.1f} px "
                f"({one.points} points agree to {one.new_px:.1f} px)"
                + ("; it seems to have been shifted, too" if one.shifted else "")
            )
        if self.gone:
            return (
                "nothing of what it showed when it was calibrated is in its picture: turned far "
                "away, covered, or in another light"
            )
        if self.off is not None:
            return (
                f"where {self.off.first} and {self.off.second} overlap they miss each other by "
                f"{self.off.size_px:.1f} px, and their own pictures don't tell which has moved"
            )
        unsure = ""
        if self.unsure and self.last is not None:
            unsure = f"whether it has moved can't be told: {self.last.why}"
        return "; ".join(one for one in (self._doubt, unsure) if one)
