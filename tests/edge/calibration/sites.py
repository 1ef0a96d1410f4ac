"""A site in a folder, its cameras folders of pictures of the painted room, and its calibration."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import yaml

from edge.calibrate import take_pictures
from edge.calibration.report import Judged, judge
from edge.pictures import bgr_of
from scene.geometry import CameraModel, project, rays
from scene.site import load_site
from stitching.calibrate import calibrate_with_evidence
from tests.stitching.views import fan, room, view

ROOM = room()
FLOOR_Z_M = 0.0
LINE_M = [[0.0, -1.0, FLOOR_Z_M], [60.0, -1.0, FLOOR_Z_M]]
SIDE_M = 4.0
PICTURES = 3


def spots_of(model: CameraModel, each: int = 8) -> list[dict[str, Any]]:
    """Survey points that a camera sees, spread over its picture, 2 to 7 m away."""
    width, height = model.size_px
    columns = np.array([0.06, 0.5, 0.94, 0.3, 0.7, 0.06, 0.94, 0.5]) * width
    rows = np.array([0.1, 0.07, 0.1, 0.45, 0.6, 0.92, 0.92, 0.9]) * height
    pixels = np.column_stack([columns, rows])[:each]
    reach_m = np.array([2.0, 5.0, 3.0, 6.5, 4.0, 2.4, 3.4, 7.0])[:each]
    points = model.centre_m + rays(model, pixels) * reach_m[:, None]
    again, seen = project(model, points)
    assert seen.all() and np.allclose(again, pixels, atol=1e-3)
    clicked = pixels + np.random.default_rng(1).normal(0, 0.3, pixels.shape)
    return [
        {"camera": model.name, "pixel": pixel.round(2).tolist(), "mine_m": point.round(4).tolist()}
        for pixel, point in zip(clicked, points, strict=True)
    ]


def write_site(
    folder: Path, cameras: Sequence[CameraModel] | None = None, name: str = "painted", **rig: Any
) -> Path:
    """Write a site file and a folder of pictures per camera; gives the site file."""
    models = list(fan() if cameras is None else cameras)
    for model in models:
        (folder / model.name).mkdir(parents=True, exist_ok=True)
        for number in range(PICTURES):
            cv2.imwrite(str(folder / model.name / f"{number}.png"), bgr_of(view(model, ROOM)))
    points = [point for model in models for point in spots_of(model)]
    content = {
        "version": 1,
        "site": name,
        "gateway": "gw1",
        "cameras": [{"name": model.name, "url": model.name} for model in models],
        "rig": {"survey_points": points, "lens": {"hfov_deg": 70}, **rig},
        "floor": {"centre_line_m": LINE_M, "left_m": SIDE_M, "right_m": SIDE_M},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def changed(path: Path, change: Any) -> None:
    """Rewrite a site file after `change` has had its content."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@cache
def painted() -> Judged:
    """Calibrate the painted site, once per test run."""
    with TemporaryDirectory() as folder:
        return _judged(Path(folder))


def _judged(folder: Path) -> Judged:
    site = load_site(write_site(folder))
    images = take_pictures(site, 5, 1)
    calibration = calibrate_with_evidence(images, site.rig, site.panorama, site.floor)
    return judge(calibration, site, images)
