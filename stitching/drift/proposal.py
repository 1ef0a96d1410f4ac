"""Hang a knocked camera anew: from the turns that looks measured, a rig with old and new error.

Knows nothing about files, alarms or when. The camera's centre stays where it was: a turn is all
that features without depth can tell. The panorama's surface stays, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scene.arrays import Bytes, Floats
from scene.geometry import CameraModel
from scene.rig import Rig
from stitching.drift.look import Drift
from stitching.drift.overlap import miss_of, overlap_view
from stitching.drift.reference import Reference
from stitching.drift.turn import picture_shift_px, rotation_of, small_turn

SAME_PLACE_M = 1e-5
NO_SPREAD = np.zeros((3, 3))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turned:
    """How one camera has been turned, from several looks."""

    camera: str
    turn: Floats
    """(3, 3) rotation: the camera as it is from the camera as the rig has it."""
    covariance: Floats
    """(3, 3) rad2, of the turn: of one look, as looks share their errors, plus their spread."""
    turn_deg: float
    old_px: float
    """By how much the picture is off as the rig has it: the median over it, camera px."""
    new_px: float
    """Median miss of the reference's points after the turn, camera px."""
    points: int
    """How many agreed in the worst look."""
    shifted: bool
    """Whether its points say that it was shifted, not only turned."""


def combined(camera: CameraModel, looks: Sequence[Drift]) -> Turned:
    """Put several looks that found the same turn together."""
    base = looks[-1].turn
    off = np.array([small_turn(look.turn @ base.T) for look in looks])
    turn = rotation_of(off.mean(axis=0)) @ base
    spread = off - off.mean(axis=0)
    covariance = np.mean([look.covariance for look in looks], axis=0)
    return Turned(
        camera=camera.name,
        turn=turn,
        covariance=covariance + spread.T @ spread / len(looks),
        turn_deg=float(np.degrees(np.linalg.norm(small_turn(turn)))),
        old_px=picture_shift_px(camera, turn),
        new_px=float(np.median([look.residual_px for look in looks])),
        points=min(look.agreeing for look in looks),
        shifted=sum(look.shifted for look in looks) * 2 > len(looks),
    )


def reregistered(rig: Rig, turned: Sequence[Turned]) -> Rig:
    """Give the rig with knocked cameras turned to where they look now.

    Their pose covariance is the old one, carried into their new axes, plus that of the turn: never
    less than before.
    """
    by_name = {one.camera: one for one in turned}
    cameras = tuple(
        _turned(camera, by_name[camera.name].turn, by_name[camera.name].covariance)
        if camera.name in by_name
        else camera
        for camera in rig.cameras
    )
    quality = dict(rig.quality)
    for one in turned:
        quality[f"{one.camera}_before_px"] = round(one.old_px, 4)
        quality[f"{one.camera}_after_px"] = round(one.new_px, 4)
    return replace(rig, cameras=cameras, quality=quality)


def spread_of(turn: Floats) -> Floats:
    """Give the (3, 3) covariance, rad2, of a camera's pose that is off by a (3, 3) turn.

    A turn is no noise, but about its axis the camera may look anywhere between where the rig has it
    and where it was found; about the others it is half as unsure, for it may have been shifted.
    """
    vector = small_turn(turn)
    return np.outer(vector, vector) + float(vector @ vector) / 4 * np.eye(3)


def distrusted(rig: Rig, spreads: Mapping[str, Floats | None]) -> Rig:
    """Give the rig as location may use it: (3, 3) rad2 on top of some cameras' pose covariance.

    A camera with none instead is left out: nobody can say where it looks.
    """
    cameras = []
    for camera in rig.cameras:
        spread = spreads.get(camera.name, NO_SPREAD)
        if spread is None:
            continue
        covariance = camera.pose_covariance.copy()
        covariance[:3, :3] += spread
        cameras.append(replace(camera, pose_covariance=covariance))
    return replace(rig, cameras=tuple(cameras))


def overlap_px(rig: Rig, name: str, lumas: Mapping[str, Bytes]) -> dict[str, float]:
    """Tell by how much a camera and each neighbour miss each other under a rig, px.

    `lumas` are (H, W) of one instant. Neighbours with which too few points agree are left out.
    """
    own = rig.camera(name)
    found = {}
    for other in rig.cameras:
        if other.name == name or other.name not in lumas or name not in lumas:
            continue
        view = overlap_view(own, other, rig.surface)
        miss = None if view is None else miss_of(view, lumas[name], lumas[other.name])
        if miss is not None:
            found[other.name] = miss.size_px
    return found


def carried(references: Mapping[str, Reference], old: Rig, new: Rig) -> dict[str, Reference]:
    """Carry references over to a rig in which cameras are only turned; others are left out.

    What a camera's features should look like follows from how much the rig says it has turned, so
    that nothing has to be learned again.
    """
    before = {camera.name: camera for camera in old.cameras}
    found = {}
    for camera in new.cameras:
        was, reference = before.get(camera.name), references.get(camera.name)
        if was is None or reference is None or not _only_turned(was, camera):
            continue
        turn = camera.camera_from_mine[:3, :3] @ was.camera_from_mine[:3, :3].T
        found[camera.name] = replace(reference, turn=turn @ reference.turn)
    return found


def _only_turned(was: CameraModel, now: CameraModel) -> bool:
    return (
        was.size_px == now.size_px
        and was.lens == now.lens
        and np.allclose(was.k, now.k, atol=1e-5)
        and np.allclose(was.distortion, now.distortion, atol=1e-8)
        and bool(np.linalg.norm(was.centre_m - now.centre_m) < SAME_PLACE_M)
    )


def _turned(camera: CameraModel, turn: Floats, covariance: Floats) -> CameraModel:
    pose = camera.camera_from_mine.copy()
    pose[:3] = turn @ pose[:3]
    both = np.zeros((6, 6))
    both[:3, :3] = both[3:, 3:] = turn
    spread = both @ camera.pose_covariance @ both.T
    spread[:3, :3] += covariance
    return replace(camera, camera_from_mine=pose, pose_covariance=(spread + spread.T) / 2)
