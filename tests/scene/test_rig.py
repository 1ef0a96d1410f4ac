import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from scene.errors import RigError, SiteError
from scene.geometry import CameraModel, pose_from_mount
from scene.ribbon import Ribbon
from scene.rig import Rig, load_rig, parse_rig, save_rig
from scene.site import parse_site
from scene.surface import Cylinder

BOMB = "b0: &b0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]\n" + "".join(
    f"b{i + 1}: &b{i + 1} [{', '.join([f'*b{i}'] * 10)}]\n" for i in range(12)
)
"""Twelve lines that stand for ten million million numbers."""


def rig() -> Rig:
    camera = CameraModel(
        name="cam1",
        size_px=(1280, 720),
        lens="brown",
        k=np.array([[914.0, 0, 639.5], [0, 914.0, 359.5], [0, 0, 1]]),
        distortion=np.array([-0.18, 0.04, 0, 0, 0]),
        camera_from_mine=pose_from_mount(np.array([20, -2.05, 2.55]), 65, -16, 0),
        pose_covariance=np.eye(6) * 1e-6,
        max_angle_rad=0.8,
    )
    surface = Cylinder(
        centre_m=(20.0, -2.05, 2.55),
        azimuth_left_rad=3.0,
        tan_top=0.2,
        px_per_rad=700.0,
        size_px=(2400, 600),
    )
    return Rig(cameras=(camera,), surface=surface, anchor="survey", quality={"median_px": 0.3})


def test_a_rig_file_reads_back_as_it_was_and_byte_for_byte(tmp_path: Path) -> None:
    save_rig(rig(), tmp_path / "rig.yaml")
    again = load_rig(tmp_path / "rig.yaml")
    assert again.id == rig().id
    assert np.allclose(again.camera("cam1").camera_from_mine, rig().cameras[0].camera_from_mine)
    save_rig(again, tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_bytes() == (tmp_path / "rig.yaml").read_bytes()


def test_a_strip_rig_reads_back_as_it_was(tmp_path: Path) -> None:
    ribbon = Ribbon(
        line_m=((0.0, 0.0, 0.0), (20.0, 0.0, 1.0)),
        cross_fall=0.02,
        section_m=((2.5, 2.6), (2.5, 0.0), (-2.5, 0.0)),
        chainage_left_m=3.25,
        px_per_m=61.234567,
        mirrored=True,
        size_px=(2400, 600),
    )
    strip = replace(rig(), surface=ribbon)
    save_rig(strip, tmp_path / "rig.yaml")
    again = load_rig(tmp_path / "rig.yaml")
    assert again.surface == ribbon and again.id == strip.id != rig().id


def test_the_id_changes_with_the_geometry_only() -> None:
    assert replace(rig(), quality={"median_px": 9.0}).id == rig().id
    moved = replace(rig().cameras[0], max_angle_rad=0.7)
    assert replace(rig(), cameras=(moved,)).id != rig().id


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("version: 1", "version: 2", "version"),
        ("anchor: survey\n", "", "'anchor' is missing"),
        ("lens: brown", "lens: pinhole", "cameras.cam1.lens"),
        ("name: cam1", "nome: cam1", "'name' is missing"),
        ("kind: cylinder", "kind: ball", "surface.kind"),
        ("- [914.0, 0.0, 639.5]", "- [914.0, 0.0]", "rig.yaml"),
    ],
)
def test_a_damaged_rig_file_is_named(
    tmp_path: Path, before: str, after: str, expected: str
) -> None:
    path = tmp_path / "rig.yaml"
    save_rig(rig(), path)
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(RigError, match=expected):
        load_rig(path)


def test_no_rig_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="lamproom calibrate"):
        load_rig(tmp_path / "rig.yaml")
    with pytest.raises(RigError, match="cam7"):
        rig().camera("cam7")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RigError, match=r"nowhere/rig\.yaml: the rig can't be written"):
        save_rig(rig(), tmp_path / "nowhere" / "rig.yaml")


def _with(changes: str, value: object) -> dict[str, Any]:
    """Give a good rig's content with one field changed; `cameras.0.k` is a place in it."""
    save_rig(rig(), path := Path(tempfile.mkdtemp()) / "rig.yaml")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    place = content
    *way, last = [int(part) if part.isdigit() else part for part in changes.split(".")]
    for part in way:
        place = place[part]
    place[last] = value
    return dict(content)


@pytest.mark.parametrize(
    "field, value, expected",
    [
        ("cameras.0.size_px", [1280, -720], "cam1.size_px: expected width and height"),
        ("cameras.0.size_px", [1280.5, 720], "cam1.size_px"),
        ("cameras.0.k.0.0", 0, "cam1.k: expected"),
        ("cameras.0.k.1.1", 1e-320, "cam1.k: expected"),
        ("cameras.0.k.0.2", 1e300, "cam1.k: expected"),
        ("cameras.0.k.0.0", float("nan"), "cam1.k: expected a number"),
        ("cameras.0.k.0.0", 10**400, "cam1.k: expected a number"),
        ("cameras.0.k.0.0", "914", "cam1.k: expected a number"),
        ("cameras.0.k.0.0", True, "cam1.k: expected a number"),
        ("cameras.0.k.2", [0, 0, 2], "cam1.k: expected"),
        ("cameras.0.camera_from_mine.0", [2, 0, 0, 0], "no rigid transform"),
        ("cameras.0.pose_covariance.0.0", -1.0, "no covariance"),
        ("cameras.0.pose_covariance.0.1", 1.0, "no covariance"),
        ("cameras.0.distortion", [0, 0, 0, 0], "cam1.distortion"),
        ("cameras.0.max_angle_rad", 0, "cam1.max_angle_rad"),
        ("cameras.0.name", "", "needs a name"),
        ("cameras", [], "there is none"),
        ("surface.px_per_rad", 0, "surface.px_per_rad"),
        ("surface.size_px", [200_000, 200_000], "too large"),
        ("surface.kind", "sphere", "sphere"),
        ("quality", [1], "quality"),
        ("quality.median_px", "x", "median_px"),
        ("anchor", 5, "anchor"),
    ],
)
def test_a_rig_that_is_nearly_right_is_refused(field: str, value: object, expected: str) -> None:
    with pytest.raises(RigError, match=expected) as told:
        parse_rig(yaml.safe_dump(_with(field, value)), name="mine/rig.yaml")
    assert str(told.value).startswith("mine/rig.yaml: ") and "\n" not in str(told.value)


def test_a_camera_that_stands_there_twice_is_refused() -> None:
    content = _with("anchor", "survey")
    content["cameras"] *= 2
    with pytest.raises(RigError, match="cam1: stands there twice"):
        parse_rig(yaml.safe_dump(content), name="rig.yaml")


@pytest.mark.parametrize(
    "text", [BOMB, "a: &a [*a]", "[" * 5000, "version: " + "9" * 5000, "a: 2001-99-99"]
)
def test_a_text_that_would_never_end_is_refused(text: str) -> None:
    with pytest.raises(RigError, match=r"rig\.yaml"):
        parse_rig(text, name="rig.yaml")
    with pytest.raises(SiteError, match=r"site\.yaml:1:"):
        parse_site(text, name="site.yaml", folder=Path())
