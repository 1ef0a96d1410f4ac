"""Keeps what each camera usually shows: learned from looks, on disk by the id of the rig.

Knows nothing about verdicts: it is told which looks are as usual. Detail only ever goes up once it
is settled, and light down as well as up: else dust that comes over weeks would become usual. The
file is written beside whoever looks: a disk that hangs keeps nobody.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delivery.aside import Aside, NewestAside, StalledError
from scene.errors import RigError
from scene.rig import Rig, load_rig
from scene.rig_history import former_id, kept_file
from stitching.view import CELLS, Usual, View, mean_view

FIRST_LOOKS = 5
"""With so many something is known..."""
SETTLED_LOOKS = 600
"""... and with so many it is settled, after ten minutes or so."""
DETAIL_LOOKS = 86400.0
"""More detail than usual becomes usual with this time constant, a day or so."""
LIGHT_UP_LOOKS, LIGHT_DOWN_LOOKS = 14400.0, 3600.0
"""Less light becomes usual sooner than more: cap lamps come and go."""
SAVE_EVERY_S = 600.0
STALLED_S = 3.0
"""A disk that has not answered for so long is told of."""
PATIENCE_S = 1.0
"""So long is waited for a disk to tell what cameras usually showed."""
SAME_TURN_DEG, SAME_PLACE_M = 10.0, 0.5
"""A camera that is hung anew by less than this shows about the same."""


def views_file(folder: Path, id: str) -> Path:
    """Tell where the usual views of a rig lie, in a folder of references."""
    return folder / f"{id}.views.npz"


class UsualViews:
    """The usual views of one rig's cameras.

    A file that can't be read is learned anew, and one that can't be written is said in `trouble`.
    """

    def __init__(self, rig: Rig, rig_file: Path, state_folder: Path) -> None:
        self._trouble = ""
        self._aside = NewestAside("usual-views")
        self._folder = state_folder / "references"
        self._saved_s: float | None = None
        self._rig = rig
        self.known = self._stored(rig) or self._former(rig_file)
        """By camera, and from how many looks; replaced as a whole."""

    @property
    def trouble(self) -> str:
        """Why they could not be read or written last; empty when they could."""
        if self._aside.busy_s > STALLED_S:
            return (
                f"{self._folder}: what cameras usually show can't be written: its disk does not "
                "answer; mend it"
            )
        return self._trouble

    def settle(self, limit_s: float) -> bool:
        """Wait until the newest is written; tells whether it was within `limit_s`."""
        return self._aside.settle(limit_s)

    def usual(self, camera: str) -> Usual | None:
        """Give what a camera usually shows; none while that is not known."""
        found, looks = self.known.get(camera, (None, 0))
        return found if found is not None and looks >= FIRST_LOOKS and found.tells else None

    def learn(self, camera: str, view: View, now_s: float) -> None:
        """Take in one look at a camera that is as usual."""
        usual, looks = self.known.get(camera, (None, 0))
        if usual is None or looks < SETTLED_LOOKS:
            mixed = mean_view(usual, view, 1 / (looks + 1))
        else:
            up = np.maximum(view.detail - usual.detail, 0) / DETAIL_LOOKS
            step = view.light - usual.light
            light = np.where(step > 0, step / LIGHT_UP_LOOKS, step / LIGHT_DOWN_LOOKS)
            mixed = Usual(detail=usual.detail + up, light=usual.light + light)
        looks = min(looks + 1, SETTLED_LOOKS)
        self.known = {**self.known, camera: (mixed, looks)}
        overdue = self._saved_s is None or now_s - self._saved_s >= SAVE_EVERY_S
        if looks == FIRST_LOOKS or overdue:
            self._save(now_s)

    def take_light(self, camera: str, view: View, now_s: float) -> None:
        """Take a camera's present light for the usual one."""
        usual, looks = self.known[camera]
        assert usual is not None
        self.known = {**self.known, camera: (Usual(detail=usual.detail, light=view.light), looks)}
        self._save(now_s)

    def rehung(self, rig: Rig, now_s: float) -> None:
        """Go over to another rig; what is known of cameras that look about the same way is kept."""
        self.known = {**_kept(self.known, self._rig, rig), **self._stored(rig)}
        self._rig = rig
        self._save(now_s)

    def _former(self, rig_file: Path) -> "_Known":
        """Give what was known under the rig before."""
        try:
            former = former_id(rig_file)
            old = None if former is None else load_rig(kept_file(rig_file, former))
        except RigError:
            return {}
        return {} if old is None else _kept(self._stored(old), old, self._rig)

    def _stored(self, rig: Rig) -> "_Known":
        path = views_file(self._folder, rig.id)
        sizes = {camera.name: camera.size_px for camera in rig.cameras}
        try:
            read = Aside("usual-views-read").do(lambda: _load(path), PATIENCE_S)
        except FileNotFoundError:
            return {}
        except StalledError:
            self._trouble = (
                f"{path}: can't be read, and is learned anew: its disk does not answer; mend it"
            )
            return {}
        except Exception as error:  # no file may keep a gateway from starting: learn anew
            self._trouble = f"{path}: can't be read, and is learned anew: {type(error).__name__}"
            return {}
        return {name: known for name, (known, size) in read.items() if sizes.get(name) == size}

    def _save(self, now_s: float) -> None:
        self._saved_s = now_s
        sizes = {camera.name: camera.size_px for camera in self._rig.cameras}
        arrays: dict[str, NDArray[np.generic]] = {}
        for name, (usual, looks) in self.known.items():
            if usual is not None and name in sizes:
                arrays |= {
                    f"{name}/detail": usual.detail,
                    f"{name}/light": usual.light,
                    f"{name}/looks": np.array(looks),
                    f"{name}/size_px": np.array(sizes[name]),
                }
        path = views_file(self._folder, self._rig.id)
        self._aside.do(lambda: self._write(path, arrays))

    def _write(self, path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        partial = path.with_suffix(".partial.npz")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            partial.replace(path)
            self._trouble = ""
        except OSError as error:
            self._trouble = f"{path}: what cameras usually show can't be written: {error.strerror}"


_Known = Mapping[str, tuple[Usual | None, int]]
"""What is known by camera, and from how many looks."""


def _kept(known: _Known, old: Rig, new: Rig) -> _Known:
    names = {camera.name for camera in old.cameras}
    kept = {}
    for camera in new.cameras:
        if camera.name not in names or camera.name not in known:
            continue
        before = old.camera(camera.name)
        turn = camera.camera_from_mine[:3, :3] @ before.camera_from_mine[:3, :3].T
        turn_deg = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
        apart_m = np.linalg.norm(camera.centre_m - before.centre_m)
        same_size = camera.size_px == before.size_px
        if same_size and turn_deg <= SAME_TURN_DEG and apart_m <= SAME_PLACE_M:
            kept[camera.name] = known[camera.name]
    return kept


def _load(path: Path) -> dict[str, tuple[tuple[Usual, int], tuple[int, int]]]:
    """Read what cameras usually show, from how many looks, and the size of their pictures."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
        names = sorted({key.rsplit("/", 1)[0] for key in content.files})
        return {name: _read(name, content) for name in names}


def _read(
    name: str, content: Mapping[str, NDArray[np.generic]]
) -> tuple[tuple[Usual, int], tuple[int, int]]:
    detail = np.asarray(content[f"{name}/detail"], float)
    light = np.asarray(content[f"{name}/light"], float)
    shape = CELLS[::-1]
    right = detail.shape == (2, *shape) and light.shape == shape
    if not right or not (np.isfinite(detail).all() and np.isfinite(light).all()):
        raise ValueError(f"{name}: not {shape} finite numbers")
    width, height = (int(value) for value in content[f"{name}/size_px"])
    looks = int(np.asarray(content[f"{name}/looks"]))
    return (Usual(detail=detail, light=light), looks), (width, height)
