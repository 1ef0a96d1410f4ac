"""What a rig file was before, and what is proposed that it become: files beside it.

Knows nothing about how a proposal is found. Beside `rig.yaml` lie `rig.proposed.yaml` and, in
`rig.history/`, each former rig by its id; a rig file names the one before it, so that a step back
is always the right one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scene.errors import RigError
from scene.rig import Rig, load_rig, save_rig
from scene.whole_file import write_whole

MADE_FOR = "made_for"
"""The field in which a rig file says what it was made for."""
ROLLED_BACK_FROM = "rolled_back_from"
"""The field in which a rig file that was put back says which rig was left: somebody decided so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedCamera:
    """How one camera would be hung anew."""

    camera: str
    turn_deg: float
    old_px: float
    """By how much its picture is off under the present rig: the median over it."""
    new_px: float
    """By how much the points it was recognised by would still be off: their median."""
    points: int
    shifted: bool = False
    """Whether it seems to have been shifted, too: only calibration can tell by how much."""
    overlap_old_px: float | None = None
    """By how much it and its neighbours miss each other where they overlap; none where they don't.
    Nothing in the proposal was fitted to this."""
    overlap_new_px: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """A rig that would fit better than the present one."""

    rig: Rig
    of: str
    """Id of the rig that it is meant to follow."""
    found_at_ns: int
    cameras: tuple[TurnedCamera, ...]


def proposal_file(path: Path) -> Path:
    """Tell where the proposal for a rig file lies."""
    return path.with_suffix(".proposed.yaml")


def kept_file(path: Path, id: str) -> Path:
    """Tell where a former rig of a rig file lies."""
    return path.with_suffix(".history") / f"{id}.yaml"


def former_id(path: Path) -> str | None:
    """Tell the id of the rig before the present one; none when there was none, or no file."""
    former = _notes(path).get("former")
    return None if former is None else str(former)


def rolled_back_from(path: Path) -> str | None:
    """Tell the id of the rig that was left for the present one by hand; none when none was.

    While there is one, nothing but a hand changes the rig.
    """
    left = _notes(path).get(ROLLED_BACK_FROM)
    return None if left is None else str(left)


def former_ids(path: Path) -> tuple[str, ...]:
    """List the rigs that one can go back to, step by step, the latest first."""
    ids: list[str] = []
    former = former_id(path)
    while former is not None and former not in ids and kept_file(path, former).exists():
        ids.append(former)
        former = former_id(kept_file(path, former))
    return tuple(ids)


def replace_rig(rig: Rig, path: Path, notes: Mapping[str, Any] | None = None) -> str | None:
    """Write a rig file and keep the one that is there; tells the id of the one before.

    The former one is on the disk before the new one is written. Writing the same rig again changes
    nothing but its quality. Without `notes` the file goes on saying what it was made for. A file
    that is no rig is overwritten. Raises `RigError`.
    """
    told = {key: value for key, value in _notes(path).items() if key == MADE_FOR}
    told = told if notes is None else dict(notes)
    try:
        present = load_rig(path)
    except RigError:
        save_rig(rig, path, told)
        return None
    former = former_id(path) if present.id == rig.id else present.id
    if present.id != rig.id:
        _keep(path, present.id)
    save_rig(rig, path, ({} if former is None else {"former": former}) | told)
    return former


def roll_back(path: Path) -> tuple[str, str]:
    """Put the former rig back; tells the ids of the one left and of the one now in force.

    The file notes which one was left, until another rig is put in its place.

    Raises `RigError` when there is no former rig, or its file is gone or damaged.
    """
    present, former = load_rig(path), former_id(path)
    if former is None:
        raise RigError(f"{path}: there is no rig before {present.id} to go back to")
    kept = kept_file(path, former)
    if not kept.exists():
        raise RigError(
            f"{kept}: the rig before {present.id} is gone; run `lamproom calibrate` instead"
        )
    back = load_rig(kept)
    if back.id != former:
        raise RigError(
            f"{kept}: holds another rig than its name says; run `lamproom calibrate` instead"
        )
    _keep(path, present.id)
    notes = {key: value for key, value in _notes(kept).items() if key in ("former", MADE_FOR)}
    save_rig(back, path, notes | {ROLLED_BACK_FROM: present.id})
    return present.id, former


def save_proposal(proposal: Proposal, path: Path) -> None:
    """Write a proposal beside the rig file `path`. Raises `RigError`."""
    about = {
        "of": proposal.of,
        "id": proposal.rig.id,
        "found_at_ns": proposal.found_at_ns,
        "cameras": [
            {
                "camera": one.camera,
                "turn_deg": round(one.turn_deg, 4),
                "old_px": round(one.old_px, 3),
                "new_px": round(one.new_px, 3),
                "points": one.points,
                "shifted": one.shifted,
                "overlap_old_px": _rounded(one.overlap_old_px),
                "overlap_new_px": _rounded(one.overlap_new_px),
            }
            for one in proposal.cameras
        ],
    }
    save_rig(proposal.rig, proposal_file(path), {"proposal": about})


def load_proposal(path: Path) -> Proposal:
    """Read the proposal for the rig file `path`; raises `RigError` when there is none."""
    file = proposal_file(path)
    if not file.exists():
        raise RigError(f"{file}: there is no proposal; a gateway writes one when a camera moves")
    rig, about = load_rig(file), _notes(file).get("proposal")
    try:
        if not isinstance(about, dict):
            raise TypeError("field proposal is missing")
        proposal = Proposal(
            rig=rig,
            of=str(about["of"]),
            found_at_ns=int(about["found_at_ns"]),
            cameras=tuple(_turned_camera(item) for item in about["cameras"]),
        )
        told = str(about["id"])
    except (KeyError, TypeError, ValueError) as error:
        raise RigError(f"{file}: proposal: {error}; delete it and wait for a new one") from None
    if told != rig.id:
        raise RigError(
            f"{file}: says it is {told} but holds {rig.id}: it was changed by hand; delete it and "
            "wait for a new one"
        )
    return proposal


def apply_proposal(path: Path) -> Proposal:
    """Make the proposal the rig in force and keep the former one. Raises `RigError`."""
    proposal, present = load_proposal(path), load_rig(path)
    if present.id == proposal.rig.id:
        raise RigError(f"{path}: the proposal {present.id} is in force already")
    if present.id != proposal.of:
        raise RigError(
            f"{proposal_file(path)}: was made for rig {proposal.of}, but {path} is {present.id} by "
            "now; delete it and wait for a new one"
        )
    replace_rig(proposal.rig, path)
    drop_proposal(path)
    return proposal


def drop_proposal(path: Path) -> None:
    """Delete the proposal for a rig file, if there is one. Raises `RigError`."""
    try:
        proposal_file(path).unlink(missing_ok=True)
    except OSError as error:
        raise RigError(f"{proposal_file(path)}: can't be deleted: {error.strerror}") from None


def _turned_camera(item: dict[str, Any]) -> TurnedCamera:
    return TurnedCamera(
        camera=str(item["camera"]),
        turn_deg=float(item["turn_deg"]),
        old_px=float(item["old_px"]),
        new_px=float(item["new_px"]),
        points=int(item["points"]),
        shifted=bool(item["shifted"]),
        overlap_old_px=_number(item["overlap_old_px"]),
        overlap_new_px=_number(item["overlap_new_px"]),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _notes(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _keep(path: Path, id: str) -> None:
    _copy(path, kept_file(path, id))


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that the target is the old or the new one, never a part."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, source.read_bytes())
    except OSError as error:
        raise RigError(f"{target}: can't be written: {error.strerror}; see who owns it") from None
