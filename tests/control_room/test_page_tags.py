"""Tags against the truth of a sample clip, on the very frame that the browser shows."""

import base64
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from control_room.journal.journal import Journal
from control_room.room import Room
from control_room.server import serving
from scene.clock import SystemClock
from tests.control_room.conftest import Tab
from tests.control_room.stamped_sample import Reading, SampleGateway, read_stamps
from tests.sample_site import SAMPLES

FOLDER, FIRST, COUNT = SAMPLES / "roadway", 40, 24
LIMIT_PX = 3.0

# The canvas as it stands, and what the page says of it, in one go: no new frame comes in between.
LOOK = """() => {
  const canvas = document.getElementById("panorama");
  return { png: canvas.toDataURL("image/png").split(",")[1], ratio: devicePixelRatio,
    width: canvas.clientWidth, tags: lamproom.tags, at: lamproom.capturedAtNs,
    scale: lamproom.scale };
}"""


@pytest.fixture(scope="module")
def scene() -> Iterator[tuple[SampleGateway, str]]:
    if not (FOLDER / "world.jsonl").exists():
        pytest.skip(f"{FOLDER} is not there: the sample videos were left out")
    journal = Journal(None)
    room = Room(journal, SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")
    with (
        SampleGateway(room.hear, FOLDER, FIRST, COUNT) as gateway,
        serving(room, gateway.open_stream) as url,
    ):
        yield gateway, url
    journal.close()


def look(page: Any, gateway: SampleGateway) -> tuple[Reading, dict[str, Any]]:
    """Read the frame that is on the canvas, by its own stamp."""
    drawn = page.evaluate("() => lamproom.framesDrawn")
    page.wait_for_function(f"() => lamproom.framesDrawn > {drawn}")
    said = page.evaluate(LOOK)
    png = np.frombuffer(base64.b64decode(said["png"]), np.uint8)
    canvas = cv2.imdecode(png, cv2.IMREAD_COLOR)
    assert canvas is not None
    return read_stamps(canvas.astype(np.uint8), gateway.size_px), said


def worst_px(page: Any, gateway: SampleGateway) -> tuple[int, int, float]:
    """Tell the frame shown, how many were measured, and how far off the worst tag is, CSS px."""
    reading, said = look(page, gateway)
    assert gateway.frame_of[int(said["at"])] == reading.frame, "the header belongs to another frame"
    off = []
    for track, truth in gateway.true_px(reading.frame).items():
        tag = next((one for one in said["tags"] if one["track"] == track), None)
        if tag is None:
            continue
        feet = reading.on_canvas(truth[None])[0] / said["ratio"]
        # Far outside of the view no stamp is near enough to measure by.
        if not -50 < feet[0] < said["width"] + 50:
            continue
        off.append(float(np.hypot(*(feet - tag["canvas_xy"]))) / min(1.0, said["scale"]))
    return reading.frame, len(off), max(off, default=0.0)


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (700, 900)])
def test_tags_stand_where_people_truly_are_at_every_size_and_zoom(
    scene: tuple[SampleGateway, str], tab: Tab, size: tuple[int, int]
) -> None:
    gateway, url = scene
    page = tab.open(url)
    page.wait_for_function("() => lamproom.framesDrawn > 3 && lamproom.tags.length > 3")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.wait_for_function(f"() => document.documentElement.clientWidth <= {size[0]}")
    frames, found, measured = set[int](), dict[str, float](), 0
    page.focus("#panorama")
    for keys in ("", "+", "ArrowRight", "++", "ArrowLeft ArrowLeft", "0"):
        for key in keys.split() if " " in keys or keys.startswith("Arrow") else keys:
            page.keyboard.press(key)
        for _ in range(3):
            frame, count, off_px = worst_px(page, gateway)
            measured += count
            frames.add(frame)
            found[keys] = max(round(off_px, 2), found.get(keys, 0.0))
    tab.shoot("sample")
    print(f"{size}: worst tag {max(found.values()):.2f} px off; by step {found}")
    assert max(found.values()) < LIMIT_PX, found
    assert measured > 15, "people are there to be measured"
    assert len(frames) > 4, "people walk from frame to frame"
    assert tab.complaints == []


def test_tags_stay_while_the_window_changes(scene: tuple[SampleGateway, str], tab: Tab) -> None:
    gateway, url = scene
    page = tab.open(url)
    page.wait_for_function("() => lamproom.framesDrawn > 3 && lamproom.tags.length > 3")
    page.focus("#panorama")
    page.keyboard.press("+")
    for width in (1500, 1100, 800, 1700, 620):
        page.set_viewport_size({"width": width, "height": 800})
        _, _, off_px = worst_px(page, gateway)
        assert off_px < LIMIT_PX, width


def test_a_tag_of_the_frame_before_is_noticed(scene: tuple[SampleGateway, str], tab: Tab) -> None:
    """The tests above can fail: the stamp and the truth of three frames before don't fit."""
    gateway, url = scene
    page = tab.open(url)
    page.wait_for_function("() => lamproom.framesDrawn > 3 && lamproom.tags.length > 3")
    reading, said = look(page, gateway)
    before = gateway.true_px(reading.frame - 8)
    tags = {one["track"]: one["canvas_xy"] for one in said["tags"]}
    off = [
        np.hypot(*(reading.on_canvas(xy[None])[0] / said["ratio"] - tags[track]))
        for track, xy in before.items()
        if track in tags
    ]
    assert max(off) > LIMIT_PX
