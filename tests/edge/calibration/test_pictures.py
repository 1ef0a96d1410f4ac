"""The report's pictures and what is drawn over them."""

import re
from dataclasses import replace

import numpy as np
import pytest

from edge.calibration.drawings import camera_drawing, pair_drawing
from edge.calibration.pictures import overlay_of, panorama_bgr
from edge.calibration.ruler import floor_marks, ruler
from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel
from scene.messages import Frame
from scene.rig import Rig
from scene.site import PanoramaConfig
from stitching.calibration.strip_bundle import moved_pose
from stitching.maps import camera_map
from stitching.stitcher import Stitcher
from tests.edge.calibration.sites import painted
from tests.stitching.corridor import FLOOR, corridor_ribbon, strung

LINES = re.compile(r'<line x1="([-.\d]+)" y1="([-.\d]+)" x2="([-.\d]+)" y2="([-.\d]+)"')


def lines_in(svg: str) -> Floats:
    return np.array(LINES.findall(svg), float)


def colour_of(cameras: tuple[CameraModel, ...]) -> float:
    """How red or cyan an overlap is, grey levels, where both cameras see."""
    judged = painted()
    rig = judged.calibration.rig
    maps = [camera_map(camera, rig.surface) for camera in cameras]
    lumas = [judged.calibration.lumas[camera.name] for camera in cameras]
    overlay = overlay_of((maps[0], lumas[0]), (maps[1], lumas[1]), rig.surface.size_px)
    assert overlay is not None
    return float(np.abs(overlay.bgr[..., 2].astype(float) - overlay.bgr[..., 0]).mean())


def test_an_overlay_is_grey_where_cameras_agree_and_coloured_where_they_do_not() -> None:
    left, middle, _ = painted().calibration.rig.cameras
    turned = replace(
        middle,
        camera_from_mine=moved_pose(
            middle.camera_from_mine, np.array([0, np.radians(0.7), 0, 0, 0, 0])
        ),
    )
    assert colour_of((left, middle)) < 4
    assert colour_of((left, turned)) > 4 * colour_of((left, middle))


def test_cameras_that_share_nothing_have_no_overlay() -> None:
    judged = painted()
    maps, lumas = judged.maps, judged.calibration.lumas
    size_px = judged.calibration.rig.surface.size_px
    assert overlay_of((maps[0], lumas["left"]), (maps[2], lumas["right"]), size_px) is None


def test_residual_vectors_lead_from_one_camera_to_the_other_magnified() -> None:
    pair = painted().figures.pairs[0]
    shift = np.array([1.5, -0.5])
    moved = replace(pair, second_xy=pair.first_xy + shift)
    svg, times = pair_drawing(moved, (0, 0, 400, 300), "data:,", 400)
    assert times == 10  # 1.6 px, twenty times, would be longer than a 25th of the width
    drawn = lines_in(svg)
    assert len(drawn) == 2 * min(300, pair.agreeing)  # each with its dark rim
    assert np.allclose(drawn[:, 2:] - drawn[:, :2], times * shift, atol=0.02)
    assert np.allclose(drawn[0, :2], pair.first_xy[0], atol=0.01)


def test_a_camera_shows_where_points_were_clicked_and_where_they_land() -> None:
    camera = painted().figures.cameras[1]
    point = replace(
        camera.points[4],
        landed=(camera.points[4].pixel[0] + 3.0, camera.points[4].pixel[1] - 4.0),
        miss_px=5.0,
        miss_cm=3.2,
    )
    svg, times = camera_drawing(replace(camera, points=(point,)), "data:,")
    (u, v), (x, y) = point.pixel, point.landed
    assert f'<circle cx="{u:.2f}" cy="{v:.2f}"' in svg
    assert f'<circle cx="{x:.2f}" cy="{y:.2f}"' in svg
    assert "12: 5.0 px, 3.2 cm" in svg
    assert times == 2
    assert np.allclose(lines_in(svg)[0], [u, v, u + times * 3, v - times * 4], atol=0.02)


def test_the_panorama_is_the_live_one_with_hard_seams() -> None:
    judged = painted()
    rig = judged.calibration.rig
    stitcher = Stitcher(rig, PanoramaConfig(blend_px=0))
    frames = [
        Frame(camera=camera.name, captured_at_ns=0, image=still)
        for camera, still in zip(rig.cameras, judged.stills, strict=True)
    ]
    live = stitcher.stitch(frames)
    bgr = panorama_bgr(live, stitcher.maps, stitcher.exposure.gains, judged.stills)
    from edge.pictures import bgr_of

    off = np.abs(bgr.astype(float) - bgr_of(live.image)).max(axis=2)
    # Chroma samples at a seam belong to one camera or the other.
    assert np.percentile(off, 99) <= 4
    assert (bgr[live.unseen].max(axis=1) < 70).mean() > 0.99


def test_degrees_count_left_from_the_mines_x_axis() -> None:
    rig = painted().calibration.rig
    marks = {mark.text: mark.x for mark in ruler(rig) if mark.text}
    assert {"0°", "40°", "-40°"} <= set(marks)
    assert marks["40°"] < marks["0°"] < marks["-40°"]
    ahead = rig.cameras[0].centre_m + np.array([5.0, 0.0, 0.0])
    assert marks["0°"] == pytest.approx(rig.surface.panorama_from_mine(ahead[None])[0, 0])


def test_floor_marks_lie_on_the_floors_centre_line() -> None:
    judged = painted()
    rig, line = judged.calibration.rig, Floor(judged.site.floor)
    marks = floor_marks(rig, line)
    assert len(marks) >= 3
    for place, metre in marks:
        point = line.at(np.array([float(metre)]), np.zeros(1))
        assert np.allclose(rig.surface.panorama_from_mine(point)[0], place)


@pytest.mark.parametrize("mirrored", [False, True])
def test_metres_of_a_ribbon_are_its_chainage(mirrored: bool) -> None:
    ribbon = replace(corridor_ribbon(), mirrored=mirrored, chainage_left_m=28.0 * mirrored)
    rig = Rig(cameras=tuple(strung()), surface=ribbon, anchor="survey", quality={})
    marks = ruler(rig)
    named = {mark.text: mark.x for mark in marks if mark.text}
    assert len(marks) == 29 and len(named) == 29
    point = Floor(FLOOR).at(np.array([7.0]), np.zeros(1))
    assert named["7 m"] == pytest.approx(ribbon.panorama_from_mine(point)[0, 0])
    assert not floor_marks(rig, Floor(FLOOR))
