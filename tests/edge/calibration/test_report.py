"""The report as a file: whole, small, the same every time, and readable in a browser."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.calibration.report import MOST_BYTES, Judged, judge, report_html, write_report
from scene.errors import LamproomError
from scene.geometry import CameraModel
from scene.messages import YuvImage
from scene.rig import Rig
from scene.site import PanoramaConfig, Site, parse_site
from stitching.calibrate import Calibration
from stitching.calibration.solved import Solved
from stitching.layout import choose_surface
from tests.edge.calibration.sites import painted
from tests.stitching.calibration.test_strip_rig import surveyed
from tests.stitching.corridor import FLOOR, look, paint, strung
from tests.stitching.views import camera

CHROMIUM = Path("/usr/bin/chromium")


def silent(stage: str, share: float) -> None:
    pass


@cache
def html() -> str:
    return report_html(painted(), silent)


def test_the_report_says_what_was_found_in_both_languages() -> None:
    text = html()
    assert "Good. 3/3 cameras are registered" in text
    assert "已配准 3/3 台摄像机" in text
    for camera_name in ("left", "middle", "right"):
        assert f'<td class="t">{camera_name}</td>' in text
    assert "left-middle" in text and "middle-right" in text
    assert painted().calibration.rig.id in text
    assert text.count("<svg") == 1 + 2 + 3  # the panorama, two overlaps, three cameras
    assert len(re.findall(r"vectors from \w+ to \w+ are drawn \d+ times as long", text)) == 2


def test_the_report_needs_nothing_from_elsewhere() -> None:
    places = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\')>\s]+)', html())
    assert len(places) == 6
    assert all(place.startswith("data:image/jpeg;base64,") for place in places)
    assert "@import" not in html() and "fetch(" not in html()


def test_the_same_calibration_gives_the_same_report() -> None:
    assert report_html(painted(), silent) == html()


def test_progress_runs_from_start_to_end() -> None:
    said: list[tuple[str, float]] = []
    report_html(painted(), lambda stage, share: said.append((stage, share)))
    shares = [share for _, share in said]
    assert shares == sorted(shares) and shares[0] >= 0 and shares[-1] == 1.0
    assert any("left and middle" in stage for stage, _ in said)


def noisy(cameras: list[CameraModel]) -> Judged:
    """A rig whose pictures are noise: nothing makes larger JPEGs."""
    rng = np.random.default_rng(0)
    width, height = cameras[0].size_px
    pictures = {
        model.name: [
            YuvImage(
                y=rng.integers(0, 255, (height, width)).astype(np.uint8),
                u=rng.integers(90, 160, (height // 2, width // 2)).astype(np.uint8),
                v=rng.integers(90, 160, (height // 2, width // 2)).astype(np.uint8),
            )
        ]
        for model in cameras
    }
    rig = Rig(
        cameras=tuple(cameras),
        surface=choose_surface(cameras, PanoramaConfig()),
        anchor="mount",
        quality={},
    )
    solved = Solved(
        cameras=rig.cameras,
        matches=(),
        misses_px=(),
        kept=(),
        place_sigma_m=(0.01,) * len(rig.cameras),
    )
    lumas = {name: many[0].y for name, many in pictures.items()}
    calibration = Calibration(rig=rig, solved=solved, survey=None, lumas=lumas)
    return judge(calibration, site_of(cameras), pictures)


def site_of(cameras: list[CameraModel], kind: str = "rotation") -> Site:
    names = ", ".join(f"{{name: {model.name}, url: 'rtsp://x/{model.name}'}}" for model in cameras)
    rig = (
        "rig: {mount: {xyz_m: [0, 0, 3]}}"
        if kind == "rotation"
        else "rig: {kind: strip, poses: [{camera: cam1, xyz_m: [0, 0, 2]}]}"
    )
    line = [list(point) for point in FLOOR.centre_line_m]
    text = (
        f"version: 1\nsite: noise\ngateway: gw1\ncameras: [{names}]\n{rig}\n"
        f"floor: {{centre_line_m: {line}, left_m: 2.4, right_m: 2.4, cross_fall: 0.02}}\n"
    )
    return parse_site(text, name="noise.yaml", folder=Path())


def test_eight_cameras_full_of_noise_stay_below_five_megabytes() -> None:
    cameras = [
        camera(f"cam{index}", 150.0 - 43.0 * index, size_px=(1280, 720)) for index in range(8)
    ]
    text = report_html(noisy(cameras), silent)
    assert 1_000_000 < len(text.encode()) <= MOST_BYTES
    assert text.count("data:image/jpeg;base64,") == 1 + 8 + 8  # they close the circle


def test_a_strip_rig_has_its_overlays_and_a_ruler_of_metres() -> None:
    from scene.site import RigConfig
    from stitching.calibrate import calibrate_with_evidence

    truth = strung()
    images = {model.name: [look(model, paint())] for model in truth}
    config = RigConfig.model_validate({"kind": "strip", "survey_points": surveyed(truth, 8)})
    both = PanoramaConfig.model_validate({"surface": {"wall": "both", "wall_height_m": 2.8}})
    calibration = calibrate_with_evidence(images, config, both, FLOOR)
    site = site_of(truth, "strip")
    site = site.model_copy(update={"rig": config, "panorama": both})
    judged = judge(calibration, site, images)
    assert sum(pair.agreeing for pair in judged.figures.pairs) > 9
    text = report_html(judged, silent)
    assert text.count("<svg") == 1 + len(judged.figures.pairs) + 3
    assert ">10 m</text>" in text
    assert "at the surface" in text


def test_a_place_that_can_not_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LamproomError, match="the rig file is written; give another file"):
        write_report("x", tmp_path / "file" / "rig.report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing; install it with `apt-get install chromium`")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.mark.parametrize(("width_px", "locale"), [(1280, "en-GB"), (1024, "zh-CN")])
def test_a_browser_shows_it_without_complaint_on_a_small_laptop(
    chromium: Any, tmp_path: Path, width_px: int, locale: str
) -> None:
    write_report(html(), tmp_path / "rig.report.html")
    context = chromium.new_context(viewport={"width": width_px, "height": 700}, locale=locale)
    tab = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda said: complaints.append(said.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url.split(":")[0]))
    tab.goto((tmp_path / "rig.report.html").as_uri())
    assert set(asked) <= {"file", "data"}
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for card in tab.query_selector_all(".card"):
        assert card.evaluate("c => c.scrollWidth <= c.clientWidth + 1")
    chinese = locale == "zh-CN"
    assert tab.is_visible("text=改进建议") is chinese
    tab.click("button")
    assert tab.is_visible("text=What to improve") is chinese
    loaded = "image => new Promise(r => { const i = new Image(); i.onload = () => "
    loaded += "r(i.naturalWidth); i.onerror = () => r(0); i.src = image.href.baseVal })"
    assert all(image.evaluate(loaded) > 100 for image in tab.query_selector_all("svg image"))
    assert not complaints
    context.close()


def test_names_are_written_as_text(tmp_path: Path) -> None:
    """Names come from a file: a site's name can't be markup, but an error's words may be."""
    judged = painted()
    odd = replace(judged.figures, wanted=("left", "middle", "right", "<b>&"))
    from edge.calibration.verdict import checks

    text = report_html(replace(judged, figures=odd, checks=checks(odd)), silent)
    assert "<b>&" not in text and "&lt;b&gt;&amp;" in text
