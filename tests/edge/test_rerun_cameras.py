"""Alarms of cameras come about again in a second run: the same ones, with their ids and words."""

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from delivery.recordings.reader import read_recording
from delivery.recordings.rerun_records import RecordedStep, read_for_a_rerun
from edge import array_text
from edge.rerun_watches import KINDS_OF, NOT_GIVEN
from scene.clock import SystemClock
from scene.errors import RecordingError
from scene.messages import Anomaly, YuvImage
from scene.rig import load_rig, save_rig
from scene.rig_history import apply_proposal
from stitching.drift.turn import rotation_of
from stitching.view import CELLS
from tests.edge.drift.test_live import write_part
from tests.edge.recorded_live import Live, WatchedCameras
from tests.edge.test_rerun import SLOW_HANG_S, TWICE, altered, counted, rerun, run_live
from tests.edge.view_day import noisy
from tests.sample_site import SAMPLES, START_AT_NS, instants, site_of

EVENTS = SAMPLES / "events"
FPS, FLIES = 10, 100
CLIP_S = 9.0
GOLDEN = {
    "lens_dust": ["camera_obscured"],
    "camera_knock": ["camera_moved"],
    "lamp_outage": ["light_lost"],
    "camera_dead": ["camera_stalled", "camera_lost"],
}
"""Clips in which something befalls a camera, and what is to be said of it."""


def aside(name: str, folder: Path) -> Path:
    """Copy a clip to where the watches may write."""
    for path in (EVENTS / name).glob("*.*"):
        shutil.copy(path, folder)
    shutil.copy(EVENTS / "rig.yaml", folder)
    site = folder / "site.yaml"
    site.write_text(site.read_text(encoding="utf-8").replace("../rig.yaml", "rig.yaml"))
    return folder


def spoilt(folder: Path, seconds: float, spoil: Callable[[float, YuvImage], YuvImage]) -> Path:
    """Make a clip in which nothing happens but what befalls the second camera, by its time."""
    aside("quiet", folder)
    film = [frames[1].image for frames in instants(site_of(EVENTS / "quiet"))]
    shown = [film[number % len(film)] for number in range(round(seconds * FPS))]
    second = [spoil(n / FPS, image) for n, image in enumerate(shown)]
    write_part(second, folder / "cam2.mp4", crf=0)  # a frozen picture is to be the very same
    first = [frames[0].image for frames in instants(site_of(EVENTS / "quiet"))]
    write_part([first[n % len(first)] for n in range(len(shown))], folder / "cam1.mp4")
    return folder


def covered(at_s: float, image: YuvImage) -> YuvImage:
    """Hang a cloth before the lens for some seconds; the sensor's noise is another each time."""
    cloth = noisy(np.full(image.y.shape, 90.0), 8, seed=round(at_s * FPS))
    return replace(image, y=cloth) if 4 <= at_s < 8 else image


def equal_to_live(live: Live) -> str:
    """Say what a second run is to print."""
    people = {one.id for one in live.alarms if one.camera is None and one.kind != "light_lost"}
    cameras = {one.id for one in live.alarms} - people
    instants = f"{live.instants} of {live.instants} instants compared"
    about = f"{counted(len(people))} about people, {len(cameras)} of cameras"
    return f"{instants}, {about}: equal to live\n"


def kinds(alarms: Sequence[Anomaly], state: str = "active") -> list[str]:
    known = {kind for each in KINDS_OF.values() for kind in each}
    return [one.kind for one in alarms if one.kind in known and one.state == state]


@pytest.mark.parametrize("name", GOLDEN)
def test_what_befalls_a_camera_is_said_again_twice_and_after_a_restart(
    name: str, tmp_path: Path
) -> None:
    """The process that runs it again is not the one that was live."""
    live = WatchedCameras(aside(name, tmp_path), tmp_path / "run.mcap").run(CLIP_S)
    assert kinds(live.alarms) == GOLDEN[name]
    command = [sys.executable, "-c", TWICE, *map(str, live.files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SLOW_HANG_S)
    assert (done.returncode, done.stdout, done.stderr) == (0, 2 * equal_to_live(live), "")


class FlyingClock(SystemClock):
    """To whom time flies like this the machine is slow: an instant takes it ten seconds."""

    def __init__(self) -> None:
        self._began_ns = super().now_ns()

    def now_ns(self) -> int:
        return self._began_ns + FLIES * (super().now_ns() - self._began_ns)


def test_on_a_machine_that_was_slow_all_pictures_are_found_and_nothing_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Steps are recorded long before their pictures' packets there, and long after them."""
    folder = aside("lens_dust", tmp_path)
    live = WatchedCameras(folder, tmp_path / "run.mcap", clock=FlyingClock()).run(CLIP_S)
    assert kinds(live.alarms) == GOLDEN["lens_dust"]
    assert rerun(capsys, *live.files) == (0, equal_to_live(live), "")


def frozen(film: list[YuvImage]) -> Callable[[float, YuvImage], YuvImage]:
    """Show one picture for some seconds."""

    def spoil(at_s: float, image: YuvImage) -> YuvImage:
        film.append(image)
        return film[40] if 4 <= at_s < 9 else image

    return spoil


@pytest.mark.parametrize(
    ("spoil", "kind"), [(covered, "camera_obscured"), (frozen([]), "camera_stalled")]
)
def test_what_is_over_again_ends_again(
    spoil: Callable[[float, YuvImage], YuvImage],
    kind: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recorded = WatchedCameras(spoilt(tmp_path, 22.0, spoil), tmp_path / "run.mcap")
    live = recorded.run(22.0)
    assert kinds(live.alarms) == kinds(live.alarms, "cleared") == [kind]
    assert rerun(capsys, *live.files) == (0, equal_to_live(live), "")


def test_a_gateway_that_was_started_anew_goes_on_from_what_it_knew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = aside("camera_knock", tmp_path)
    first = WatchedCameras(folder, tmp_path / "run.mcap").run(CLIP_S)
    (moved,) = [one for one in first.alarms if one.kind == "camera_moved"]
    # Somebody has turned it back meanwhile. The clip's time begins anew.
    before_ns = START_AT_NS - 10**9
    moved = replace(moved, raised_at_ns=before_ns, captured_at_ns=before_ns)
    spoilt(folder, 15.0, lambda _, image: image)
    live = WatchedCameras(folder, tmp_path / "run.mcap", before=[moved]).run(15.0)
    assert [(one.id, one.state) for one in live.alarms if one.camera] == [(moved.id, "cleared")]
    assert rerun(capsys, *live.files) == (0, equal_to_live(live), "")


def hang_anew(run: WatchedCameras) -> None:
    """Apply the proposal, as `lamproom rig apply` and a live gateway do."""
    apply_proposal(run.site.rig.file)
    rig = load_rig(run.site.rig.file)
    run.pipeline.rehang(run.pipeline.prepare(rig))
    run.drift.rehung(rig)
    run.view.rehung(rig)


def test_a_camera_that_was_hung_anew_under_way_is_held_against_the_new_rig(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = EVENTS / "camera_knock"
    films = list(instants(site_of(clip)))
    shown = films + films[45:] * 3  # it hangs as it was knocked
    aside("camera_knock", tmp_path)
    for number, name in enumerate(("cam1", "cam2")):
        write_part([frames[number].image for frames in shown], tmp_path / f"{name}.mp4")
    recorded = WatchedCameras(tmp_path, tmp_path / "run.mcap")
    live = recorded.run(len(shown) / FPS, {85: lambda _: hang_anew(recorded)})
    assert [(one.kind, one.state) for one in live.alarms if one.camera] == [
        ("camera_moved", "active"),
        ("camera_moved", "cleared"),
    ]
    assert rerun(capsys, *live.files) == (0, equal_to_live(live), "")


@pytest.fixture(scope="module")
def dust(tmp_path_factory: pytest.TempPathFactory) -> Live:
    """Record the clip of a lens that dust covers, with what the watches learn first."""
    folder = tmp_path_factory.mktemp("dust")
    return WatchedCameras(aside("lens_dust", folder), folder / "run.mcap").run(CLIP_S)


def test_when_an_alarm_last_stood_is_written_down_with_the_next_look(dust: Live) -> None:
    """Looks in vain are left out, but for the last one before a look that tells something."""
    steps = [
        one.fields
        for one in read_for_a_rerun(dust.files[0], lambda _: None)
        if isinstance(one, RecordedStep)
    ]
    looks = [step for step in steps if step["do"] == "drift_look"]
    assert len(looks) > 5
    for before, look in pairwise(looks):
        last_s = before["now_s"] if look["before_s"] is None else look["before_s"]
        assert look["now_s"] - last_s == pytest.approx(1 / FPS, abs=0.01)
    assert any(look["before_s"] is not None for look in looks)


@pytest.fixture(scope="module")
def lamp(tmp_path_factory: pytest.TempPathFactory) -> Live:
    """Record the clip of a lamp that goes out."""
    folder = tmp_path_factory.mktemp("lamp")
    return WatchedCameras(aside("lamp_outage", folder), folder / "run.mcap").run(CLIP_S)


def other_site(live: Live, limits: str) -> Path:
    """Write a site file beside a recording in which other limits count for cameras."""
    folder = live.files[0].parent
    text = (folder / "site.yaml").read_text(encoding="utf-8")
    path = folder / "other.yaml"
    path.write_text(text.replace("limits:\n", f"limits:\n  camera: {limits}\n"), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("{usual_light: 0.2}", "lost:    light_lost, "),
        ("{usual_light: 0.55}", ""),
    ],
)
def test_other_limits_of_cameras_say_which_alarms_would_have_been_different(
    limits: str, said: str, lamp: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = rerun(capsys, *lamp.files, "--site", other_site(lamp, limits))
    assert (code, err) == (1 if said else 0, "")
    assert said in out
    name, value = limits.strip("{}").split(": ")
    changed = f"limits.camera.{name}: " in out
    assert changed == bool(said) and (not said or f" became {value}" in out)


def test_another_patience_with_a_silent_camera_is_told_by_how_much(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live = WatchedCameras(aside("camera_dead", tmp_path), tmp_path / "run.mcap").run(CLIP_S)
    code, out, err = rerun(capsys, *live.files, "--site", other_site(live, "{lost_after_s: 3.0}"))
    assert (code, err) == (1, "")
    found = re.findall(r"changed: (\w+) cam2, .*: (\w+) (\d\.\d\d) s earlier", out)
    assert [one[:2] for one in found] == [("camera_stalled", "ended"), ("camera_lost", "raised")]
    assert all(0.4 <= float(earlier_s) <= 1.1 for _, _, earlier_s in found)


def test_another_rig_places_people_elsewhere_and_holds_no_camera_against_it(
    dust: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = load_rig(dust.files[0].parent / "rig.yaml")
    turn = np.eye(4)
    turn[:3, :3] = rotation_of(np.radians([0.0, 3.0, 0.0]))
    cameras = tuple(
        replace(one, camera_from_mine=turn @ one.camera_from_mine) for one in rig.cameras
    )
    save_rig(replace(rig, cameras=cameras), tmp_path / "turned.yaml")
    code, out, _ = rerun(capsys, *dust.files, "--rig", tmp_path / "turned.yaml")
    assert code in (0, 1)
    apart = re.search(r"(\d\.\d+) m apart \(median", out)
    assert apart is not None and float(apart[1]) > 0.1
    _, out, _ = rerun(capsys, *dust.files, "--rig", dust.files[0].parent / "rig.yaml")
    assert "0.000 m apart (median; 95 %: 0.000 m), 0 recorded only, 0 now only" in out
    code, _, err = rerun(capsys, *dust.files, "--rig", SAMPLES / "roadway" / "rig.yaml")
    assert code == 2 and "other cameras or sizes" in err


Change = Callable[[dict[str, Any]], dict[str, Any] | None]


def without(do: str, nth: int) -> Change:
    """Leave a step out."""
    seen = iter(range(10_000))
    return lambda step: None if step["do"] == do and next(seen) == nth else step


def shifted(step: dict[str, Any]) -> dict[str, Any]:
    """Say that looks were at a picture that there never was."""
    if step["do"] != "view_look":
        return step
    return step | {"frames": [[name, at_ns + 1] for name, at_ns in step["frames"]]}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("view_look", 3), "steps are missing in the recording"),
        (shifted, "pictures that it went by are missing in the recording"),
        (lambda step: None if "_" in step["do"] else step, "steps are missing in the recording"),
    ],
)
def test_where_something_is_missing_nothing_is_said_to_be_different(
    change: Change, why: str, dust: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = altered(dust.files[0], tmp_path / "less.mcap", change)
    code, out, _ = rerun(capsys, path)
    assert code == 0
    assert f"not compared, as {why}: 1 camera_obscured\n" in out
    assert "equal to live" in out


def test_a_recording_of_older_software_is_run_again_without_its_cameras_alarms(
    dust: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = iter(range(1, 10_000))

    def older(step: dict[str, Any]) -> dict[str, Any] | None:
        foreign = step["do"].partition("_")[0] in KINDS_OF
        return None if foreign else step | {"number": next(number)}

    code, out, err = rerun(capsys, altered(dust.files[0], tmp_path / "old.mcap", older))
    assert (code, err) == (0, "")
    assert f"not compared, as {NOT_GIVEN}: 1 camera_obscured\n" in out


def written(length: int) -> dict[str, Any]:
    """Say that an array is so long, and give nothing of it."""
    return {"type": "<f8", "shape": [length], "zlib": ""}


@pytest.mark.parametrize(
    "change",
    [
        {"do": "view_look", "frames": [], "now_s": "x", "now_ns": 1},
        {"do": "view_begin", "known": {"cam1": {"detail": written(9)}}},
        {"do": "view_begin", "known": {"cam1": {"detail": written(10**9)}}},
        {
            "do": "view_begin",
            "known": {
                "cam1": {
                    "detail": array_text.written(np.full((2, *CELLS[::-1]), np.nan)),
                    "light": array_text.written(np.ones(CELLS[::-1])),
                    "looks": 1,
                }
            },
        },
        {"do": "drift_reference", "camera": "cam1", "reference": {"size_px": [1, 1]}},
        {"do": "drift_known", "noted": {"version": 1}},
        {"do": "camera_look", "now_s": 1.0, "now_ns": 1, "facts": {"cam1": {"came_s": None}}},
        {
            "do": "camera_look",
            "now_s": 1.0,
            "now_ns": 1,
            "facts": {"nobody": {"since_s": 0, "came_s": 0, "looked_s": 0, "changed_s": 0}},
        },
        {"do": "camera_nothing"},
        {"do": "view_rehang", "rig": "unknown", "known": {}},
    ],
)
def test_steps_of_watches_that_make_no_sense_are_one_clear_error(
    change: dict[str, Any], dust: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = iter(range(100_000))

    def spoilt(step: dict[str, Any]) -> dict[str, Any]:
        return step | change if next(steps) == 8 else step

    code, out, err = rerun(capsys, altered(dust.files[0], tmp_path / "bad.mcap", spoilt))
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("lamproom rerun: the recording's steps make no sense: step ")


def test_a_whole_gateways_cameras_are_watched_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The watches run in threads of their own, at whatever pace the machine has."""

    def has_moved() -> bool:
        return "camera_moved" in kinds(said_in(tmp_path))

    files = run_live(tmp_path, clip=EVENTS / "camera_knock", until=has_moved)
    code, out, err = rerun(capsys, *files)
    assert (code, err) == (0, "")
    count = len({one.id for one in said_in(tmp_path) if kinds([one], one.state)})
    assert count > 0
    assert f" {count} of cameras: equal to live" in out


def said_in(folder: Path) -> list[Anomaly]:
    """List what was said of alarms in the recordings so far."""
    said: list[Anomaly] = []
    for path in folder.glob("*.mcap"):
        with contextlib.suppress(RecordingError):  # nothing of it is on the disk yet
            bodies = [record.body for record in read_recording(path)]
            said += [body for body in bodies if isinstance(body, Anomaly)]
    return said
