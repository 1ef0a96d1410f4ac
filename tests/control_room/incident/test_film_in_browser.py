"""Two minutes of export, played by a real Chromium."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from control_room.incident.drawing import BAND
from control_room.incident.verify import verify
from control_room.page_address import bind, url_of
from control_room.server import wait_until
from delivery.signing import public_keys_of, read_private_key
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import (
    FALLEN_RGB,
    FPS,
    WALKER_RGB,
    fallen_box,
    walker_box,
)
from tests.control_room.incident.recordings import exported, record
from tests.delivery.keys import pair

SECONDS = 120
PAGE = '<!doctype html><link rel="icon" href="data:,"><video muted src="panorama.mp4"></video>'
SEEK = """async (second) => {
  const film = document.querySelector("video");
  film.currentTime = second;
  await new Promise((done) => film.addEventListener("seeked", done, { once: true }));
  return film.currentTime;
}"""
PIXEL = """([x, y]) => {
  const film = document.querySelector("video");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [film.videoWidth, film.videoHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(film, 0, 0);
  return [...context.getImageData(x, y, 1, 1).data].slice(0, 3);
}"""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder as any web server does."""
    bound = bind("127.0.0.1", 0)
    app = Starlette(routes=[Mount("/", StaticFiles(directory=folder))])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        assert wait_until(lambda: server.started, timeout_s=30)
        yield url_of(bound, tls=False)
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


@pytest.fixture(scope="module")
def export_of_2_min(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    private, public = pair(folder, "room")
    recording = record(folder / "run.mcap", SECONDS + 2)
    out = folder / "out"
    exported(recording, out, 1, 1 + SECONDS, key=read_private_key(private))
    verdict = verify(out, public_keys_of(public))
    assert (verdict.faults, verdict.doubts) == ((), ())
    (out / "film.html").write_text(PAGE)
    return out


def colour_at(page: Any, box: tuple[int, int, int, int]) -> list[int]:
    left, top, right, bottom = box
    found: list[int] = page.evaluate(PIXEL, [(left + right) // 2, BAND + (top + bottom) // 2])
    return found


def test_two_minutes_play_in_chromium_and_every_seek_shows_the_right_instant(
    export_of_2_min: Path, tab: Tab
) -> None:
    page = tab.page
    with served(export_of_2_min) as url:
        page.goto(f"{url}film.html")
        page.wait_for_function("() => document.querySelector('video').readyState >= 2")
        film = page.evaluate(
            "() => { const f = document.querySelector('video');"
            " return [f.duration, f.videoWidth, f.videoHeight, f.error]; }"
        )
        assert film[0] == pytest.approx(SECONDS, abs=0.2)
        assert film[1:] == [1280, 240 + BAND, None]
        for second in (0.05, 60.05, 3.45, 119.05, 77.75):
            assert page.evaluate(SEEK, second) == pytest.approx(second, abs=0.02)
            i = FPS + int(second * FPS)  # the export begins with the recording's second 1
            assert colour_at(page, walker_box(i)) == pytest.approx(WALKER_RGB, abs=40), second
            assert colour_at(page, fallen_box()) == pytest.approx(FALLEN_RGB, abs=40), second
        tab.shoot("film")


def test_two_minutes_play_to_their_end(export_of_2_min: Path, tab: Tab) -> None:
    page = tab.page
    with served(export_of_2_min) as url:
        page.goto(f"{url}film.html")
        page.wait_for_function("() => document.querySelector('video').readyState >= 2")
        page.evaluate(
            "() => { const f = document.querySelector('video'); f.playbackRate = 16; f.play(); }"
        )
        page.wait_for_function("() => document.querySelector('video').currentTime > 5")
        page.wait_for_function("() => document.querySelector('video').ended", timeout=120_000)
        assert page.evaluate("() => document.querySelector('video').error") is None
        assert tab.complaints == []
