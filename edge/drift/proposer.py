"""Writes down how knocked cameras would be hung anew, beside the rig file, and what to say of it.

Knows nothing about looks, alarms or who applies it.
"""

from collections.abc import Mapping
from pathlib import Path

from scene.arrays import Bytes
from scene.errors import RigError
from scene.rig import Rig
from scene.rig_history import (
    Proposal,
    TurnedCamera,
    drop_proposal,
    proposal_file,
    save_proposal,
)
from stitching.drift.proposal import Turned, overlap_px, reregistered
from stitching.drift.turn import picture_shift_px

AGAIN_PX = 1.0
"""A proposal is written anew when a camera has moved on by so much."""


class Proposer:
    """The proposal for one rig."""

    def __init__(self, rig: Rig, file: Path) -> None:
        self._rig, self._file = rig, file
        self._turned: dict[str, Turned] = {}
        self._is_old = proposal_file(file).exists()
        """Whether one lies there that an earlier run wrote, or that is for another rig."""
        self.said = ""
        """What there is to say of it; empty when nothing is proposed."""
        self.since_s: float | None = None
        """When the proposal that lies there was written, monotonic; none when there is none."""

    @property
    def shifted(self) -> bool:
        """Whether a camera of it seems to have been shifted, too, so that a turn is not all."""
        return any(one.shifted for one in self._turned.values())

    def update(
        self, turned: Mapping[str, Turned], lumas: Mapping[str, Bytes], at_ns: int, now_s: float
    ) -> None:
        """Write a proposal if cameras have moved, or moved on; delete it when none has any more.

        `lumas` are the present (H, W) pictures, by camera; `at_ns` is when they were taken.
        """
        same = turned.keys() == self._turned.keys() and not self._is_old
        if same and not any(self._has_moved_on(one) for one in turned.values()):
            return
        self._turned, self._is_old = dict(turned), False
        try:
            if not turned:
                drop_proposal(self._file)
                self.said, self.since_s = "", None
                return
            proposal = self._proposal(lumas, at_ns)
            save_proposal(proposal, self._file)
        except RigError as error:
            self.said, self.since_s = f"nothing is proposed: {error}", None
            return
        self.since_s = now_s
        how = "`lamproom rig apply` puts it in force"
        self.said = f"proposed: {proposal_file(self._file)}, {how}" + "".join(
            f"; {_errors(one)}" for one in proposal.cameras
        )

    def _has_moved_on(self, one: Turned) -> bool:
        known = self._turned[one.camera]
        if one is known:
            return False
        return picture_shift_px(self._rig.camera(one.camera), one.turn @ known.turn.T) > AGAIN_PX

    def _proposal(self, lumas: Mapping[str, Bytes], at_ns: int) -> Proposal:
        rig = reregistered(self._rig, list(self._turned.values()))
        return Proposal(
            rig=rig,
            of=self._rig.id,
            found_at_ns=at_ns,
            cameras=tuple(self._camera(one, rig, lumas) for one in self._turned.values()),
        )

    def _camera(self, one: Turned, rig: Rig, lumas: Mapping[str, Bytes]) -> TurnedCamera:
        old = overlap_px(self._rig, one.camera, lumas)
        new = overlap_px(rig, one.camera, lumas)
        both = [name for name in old if name in new]
        return TurnedCamera(
            camera=one.camera,
            turn_deg=one.turn_deg,
            old_px=one.old_px,
            new_px=one.new_px,
            points=one.points,
            shifted=one.shifted,
            overlap_old_px=max((old[name] for name in both), default=None),
            overlap_new_px=max((new[name] for name in both), default=None),
        )


def _errors(one: TurnedCamera) -> str:
    text = f"{one.camera} is off by {one.old_px:.1f} px now and {one.new_px:.1f} px then"
    if one.overlap_old_px is None or one.overlap_new_px is None:
        return text
    return f"{text}, from its neighbours by {one.overlap_old_px:.1f} and {one.overlap_new_px:.1f}"
