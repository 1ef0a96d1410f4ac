"""What looks at one camera's picture add up to: it sees, it sees badly, or it can't see.

Knows nothing about pictures or alarms. Intervals come from the monotonic clock only.
"""

from typing import Literal

from edge.view.held import Held, since
from scene.limits import CameraLimits
from stitching.view import GONE, WHITE, Left, View

Blind = Literal["obscured", "dark"]

BLIND_SHARE, SEEING_SHARE = 0.5, 0.35
"""With so many cells gone a camera can't see; with fewer than the second it does again. (Measured
on the sample clips: 0.2 at most without a fault, 0.7 and more when covered.)"""
SPOILT_SHARE = 0.3
"""With so many cells gone the lens needs cleaning: mud on a part of it."""
NOTHING_SHOWS, SOMETHING_SHOWS = 0.15, 0.2
"""Where it is not known what a camera usually shows: it can't see when no larger share of its
cells shows anything at all."""
BLACK, NOT_BLACK = 45.0, 55.0
"""Luma of the brightest hundredth of a black picture: people are mostly missed in it."""
DARK_LUMA = 34.0
"""What is gone and no lighter than this has gone in the dark."""
BLIND_AFTER_S, BLINDED_AFTER_S = 2.0, 7.0
"""The second for a camera that is blinded: a cap lamp mostly turns away again."""
SEES_AFTER_S = 10.0
DIM_AFTER_S, LIT_AFTER_S = 3.0, 10.0
FADED_AFTER_S = CLEAN_AFTER_S = 60.0
"""Dust in the air and steam mostly pass."""
ENOUGH_LIGHT = 0.65
"""With less of the usual light less detail is no wonder."""
MARGIN = 0.1
"""So much more of light and detail than the limits ask for ends what they began."""
COVERED_AFTER_S = 5.0
"""A part of the picture that is gone for so long covers what it used to look at."""
WELL = 0.75
"""A picture with so much of the usual detail and light is as usual."""
SUDDEN_S = 60.0
"""What went in less than this was covered; dust takes longer."""


class CameraView:
    """The state of one camera."""

    def __init__(self, limits: CameraLimits) -> None:
        self.left: Left | None = None
        """What the newest look found; none while it is not known what is usual."""
        self.cause = ""
        self._limits = limits
        self._kind: Blind = "obscured"
        self._blind = Held(SEES_AFTER_S)
        self._faded = Held(CLEAN_AFTER_S)
        self._dim = Held(LIT_AFTER_S)
        self._clear_s: float | None = None
        self._dim_since_s: float | None = None
        self._gone_since_s: dict[tuple[int, int], float] = {}
        self._looked_s = 0.0

    @property
    def blind(self) -> Blind | None:
        """Why it can't see; none when it can."""
        return self._kind if self._blind.on else None

    @property
    def faded(self) -> bool:
        """Whether the lens needs cleaning, though it sees."""
        return self._faded.on and not self._blind.on

    @property
    def dim(self) -> bool:
        """Whether it has lost much of its usual light."""
        return self._dim.on

    @property
    def gone(self) -> frozenset[tuple[int, int]]:
        """Which cells of its picture, (row, column), have shown nothing for `COVERED_AFTER_S`."""
        since_s = self._looked_s - COVERED_AFTER_S
        return frozenset(cell for cell, at_s in self._gone_since_s.items() if at_s <= since_s)

    @property
    def suspect(self) -> bool:
        """Whether the next look should come soon."""
        return self._blind.suspect or self._dim.suspect

    @property
    def may_learn(self) -> bool:
        """Whether what the newest look saw is as usual, or may become it."""
        if self._blind.on or self._blind.suspect or self._faded.on or self._dim.on:
            return False
        left = self.left
        return left is None or (left.gone < SEEING_SHARE and min(left.detail, left.light) >= WELL)

    def take_back(self, kind: Blind | None, *, faded: bool = False, dim: bool = False) -> None:
        """Go on as the run before left off, until looks show that all is well."""
        if kind is not None:
            self._kind, self._blind.on = kind, True
            self.cause = "as before the gateway was started anew / 网关重启前即如此"
        self._faded.on |= faded
        self._dim.on |= dim

    def dim_for_s(self, now_s: float) -> float:
        """Tell for how long it has had little light; 0 when it has not."""
        return 0.0 if self._dim_since_s is None else now_s - self._dim_since_s

    def used_to_it(self) -> None:
        """Take the present light for the usual one."""
        self._dim, self._dim_since_s = Held(LIT_AFTER_S), None

    def look(self, view: View, left: Left | None, now_s: float) -> None:
        """Take one look; `left` is none while it is not known what is usual."""
        self.left = left
        self._looked_s = now_s
        gone = frozenset[tuple[int, int]]() if left is None else left.gone_cells
        self._gone_since_s = {cell: self._gone_since_s.get(cell, now_s) for cell in gone}
        shows = 1 - view.shows if left is None else left.gone
        bad_share = 1 - NOTHING_SHOWS if left is None else BLIND_SHARE
        good_share = 1 - SOMETHING_SHOWS if left is None else SEEING_SHARE
        bad = shows >= bad_share or view.brightest < BLACK
        good = shows < good_share and view.brightest >= NOT_BLACK
        white = left is not None and 255 > left.gone_luma >= WHITE
        after_s = BLINDED_AFTER_S if white else BLIND_AFTER_S
        began_s = self._blind.bad_since_s
        if self._blind.look(bad=bad, good=good, after_s=after_s, now_s=now_s):
            self._kind, self.cause = self._why(view, left, began_s or now_s)
        if good and left is None:
            self._clear_s = now_s
        if bad or left is None or self._blind.on:
            return
        limits = self._limits
        detail, light = limits.usual_detail, limits.usual_light
        part = left.gone >= SPOILT_SHARE
        unlit = part and left.gone_luma < DARK_LUMA
        self._dim.look(
            bad=light > 0 and (left.light < light or unlit),
            good=left.light >= light + MARGIN and not unlit,
            after_s=DIM_AFTER_S,
            now_s=now_s,
        )
        # From the first look on that this run has had: it can't say of before it.
        self._dim_since_s = since(self._dim_since_s, now_s, self._dim.on)
        spoilt = detail > 0 and (left.detail < detail or (part and not unlit))
        self._faded.look(
            # Less light leaves less detail: that is no dirt.
            bad=spoilt and left.light >= ENOUGH_LIGHT,
            good=left.detail >= detail + MARGIN and left.gone < SPOILT_SHARE - MARGIN,
            after_s=FADED_AFTER_S,
            now_s=now_s,
        )
        if not spoilt:
            self._clear_s = now_s

    def _why(self, view: View, left: Left | None, began_s: float) -> tuple[Blind, str]:
        """Say what kind of blindness has come over it, in English and Chinese."""
        gone_luma = float("nan") if left is None else left.gone_luma
        if view.brightest < BLACK or gone_luma < DARK_LUMA:
            return "dark", (
                "its picture is black: the light is out, or its lens is covered "
                "/ 画面全黑：照明熄灭或镜头被遮挡"
            )
        if self._clear_s is None:
            return "obscured", (
                "it has shown hardly anything since the gateway started: covered or dirty "
                "/ 网关启动以来画面几乎无内容：镜头被遮挡或脏污"
            )
        if 255 > gone_luma >= WHITE:
            return "obscured", "a light blinds it / 强光直射镜头"
        took_s = began_s - self._clear_s
        if took_s <= SUDDEN_S and not self._faded.on:
            return "obscured", f"covered suddenly, within {took_s:.0f} s / 突然被遮挡"
        long = f"{took_s / 60:.0f} min" if took_s < 7200 else f"{took_s / 3600:.0f} h"
        return "obscured", f"covered slowly, in {long}: dust or dirt / 逐渐被粉尘或污物遮挡"

    def text(self) -> str:
        """Say how it sees, with figures; empty when it sees as usual."""
        said = []
        if self._blind.on:
            said.append(f"{self.cause}; nobody can be seen there / 该处人员不可见")
        elif self._faded.on:
            said.append("its view fades: clean the lens / 画面变模糊：请清洁镜头")
        if self._dim.on:
            said.append("less light than usual / 照明比平时弱")
        if said and self.left is not None:
            left = self.left
            said.append(
                f"of its usual picture it shows {left.detail:.2f} of the detail, {left.light:.2f} "
                f"of the light; {left.gone:.0%} is gone (less than {GONE:g} of its detail)"
            )
        return "; ".join(said)
