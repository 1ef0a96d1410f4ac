"""Keeps over a restart what no look can find again: how far cameras' own pictures can be believed.

Knows nothing about looks. A reference that the gateway itself learned says nothing of how its
camera hung when the rig was made; without the notes a camera would get trust back for a restart.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from delivery.aside import Aside, StalledError
from edge.drift.state import CameraDrift
from scene.errors import RigError
from stitching.drift.overlap import Miss

PATIENCE_S = 1.0
"""So long is waited for a disk to tell what was noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What is known of the cameras under one rig."""

    unproven: frozenset[str] = frozenset()
    """Those of which nobody knows how they hung when the rig was made."""
    off: Mapping[str, Miss] = field(default_factory=dict)
    """Misses for which cameras are not trusted, and which were there from the start, by camera."""


def noted_of(states: Mapping[str, CameraDrift]) -> Noted:
    """Gather what a restart must not forget of cameras, by name."""
    misfits = {name: one.misfit for name, one in states.items()}
    return Noted(
        unproven=frozenset(name for name, one in states.items() if one.unproven),
        off={name: miss for name, miss in misfits.items() if miss is not None},
    )


def recall(states: Mapping[str, CameraDrift], noted: Noted) -> None:
    """Give cameras back what was noted of them, before any look at them under that rig."""
    for name, state in states.items():
        state.recall(unproven=name in noted.unproven, misfit=noted.off.get(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Off:
    first: str
    second: str
    shift_px: tuple[float, float]
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    version: int
    unproven: tuple[str, ...]
    off: dict[str, _Off]


FILE, VERSION = TypeAdapter(_File), 1


class DriftNotes:
    """The notes on each rig, by its id, in memory and in a folder."""

    def __init__(self, folder: Path, cameras: Iterable[str]) -> None:
        self.trouble = ""
        """Why notes can't be kept; empty when they can."""
        self._folder, self._cameras = folder, frozenset(cameras)
        self._noted: dict[str, Noted] = {}

    def of(self, rig_id: str) -> Noted | None:
        """Give what was noted under a rig, none when nothing was; from a damaged file the worst."""
        if rig_id not in self._noted:
            try:
                file = notes_file(self._folder, rig_id)
                noted = Aside("drift-notes").do(partial(_load, file), PATIENCE_S)
            except (OSError, ValueError, StalledError):  # no file may keep a gateway from starting
                return Noted(unproven=self._cameras)
            if noted is None:
                return None
            self._noted[rig_id] = noted
        return self._noted[rig_id]

    def keep(self, rig_id: str, noted: Noted) -> None:
        """Note it, on disk too if it is new or could not be written before."""
        if self._noted.get(rig_id) == noted and not self.trouble:
            return
        self._noted[rig_id] = noted
        try:
            _save(noted, notes_file(self._folder, rig_id))
            self.trouble = ""
        except RigError as error:
            self.trouble = str(error)


def notes_file(folder: Path, rig_id: str) -> Path:
    """Tell where the notes on a rig lie, in a folder of references."""
    return folder / f"{rig_id}.notes.json"


def noted_fields(noted: Noted) -> dict[str, Any]:
    """Write notes as an object of a JSON file."""
    off = {name: _written(miss) for name, miss in sorted(noted.off.items())}
    content = _File(version=VERSION, unproven=tuple(sorted(noted.unproven)), off=off)
    return dict(FILE.dump_python(content, mode="json"))


def _save(noted: Noted, path: Path) -> None:
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(noted_fields(noted), indent=1), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise RigError(
            f"{path}: what is known of the cameras can't be written: {error.strerror}"
        ) from None


def _written(miss: Miss) -> _Off:
    x, y = (float(value) for value in miss.shift_px)
    return _Off(first=miss.first, second=miss.second, shift_px=(x, y), points=miss.points)


def _load(path: Path) -> Noted | None:
    """Read the notes; none when there are none. Raises OSError, ValueError."""
    if not path.exists():
        return None
    return read_noted(json.loads(path.read_bytes()))


def read_noted(fields: Any) -> Noted:
    """Read notes again; raises ValueError."""
    content = FILE.validate_python(fields)
    off = {
        name: Miss(
            first=one.first,
            second=one.second,
            shift_px=np.array(one.shift_px),
            points=one.points,
        )
        for name, one in content.off.items()
    }
    return Noted(unproven=frozenset(content.unproven), off=off)
