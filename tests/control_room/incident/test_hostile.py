"""What was recorded may come from anybody: it names no file, runs nowhere, and breaks nothing."""

import csv
import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from control_room.incident.names import is_plain
from control_room.incident.verify import verify
from delivery.signing import public_keys_of, read_private_key
from scene.errors import LamproomError
from scene.messages import CameraHealth, GatewayHealth, Landmark, PanoramaPacket, RulerMark
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import (
    EVIL_NAME,
    FALLEN,
    GATEWAY,
    SITE,
    WALKER,
    alarm,
    health,
)
from tests.control_room.incident.recordings import at, exported, moved, record, told
from tests.delivery.keys import pair

PATHS = (
    *("../../../evil", "/tmp/evil", "..", ".", "con", "a\\..\\b", "%2e%2e%2f", "x\0y", "\u202egnp"),
    *("'; rm -rf ~", "$(id)", "-rf", "a" * 5000, "\n\r\tx", "\ud7ff", "报警/../../x"),
)
FORMULAS = ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "＝1", "\u200b=1", '=HYPERLINK("x")')
MUTATIONS = 120


@pytest.mark.parametrize("name", PATHS)
def test_no_name_from_a_recording_becomes_a_path(tmp_path: Path, name: str) -> None:
    def evil(at_ns: int) -> GatewayHealth:
        camera = CameraHealth(name=name, state="lost", fps=0, last_frame_at_ns=None, detail=name)
        return replace(health(at_ns), cameras=(camera,))

    down = replace(
        alarm(at_ns=at(1)), kind=name, zone=name, camera=name, evidence=name, worker=name
    )
    site = replace(told(name), software=name)
    recording = record(
        tmp_path / "run.mcap",
        2,
        (1, down),
        site=site,
        beat=evil,
        names={WALKER: name, FALLEN: name},
    )
    exported(recording, tmp_path / "out", 0, 2, zip=True)
    inside = [one.relative_to(tmp_path / "out") for one in (tmp_path / "out").rglob("*")]
    assert all(is_plain(one.as_posix()) or one.name == "pictures" for one in inside)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out", "out.zip", "run.mcap"]
    for path in (tmp_path / "out", tmp_path / "out.zip"):
        assert verify(path, ()).faults == ()


def test_no_spreadsheet_runs_a_cell(tmp_path: Path) -> None:
    for number, text in enumerate(FORMULAS):
        down = replace(alarm(at_ns=at(1)), evidence=text, worker=text, zone=text, camera=text)
        recording = record(
            tmp_path / f"{number}.mcap", 2, (1, down), names={WALKER: text, FALLEN: text}
        )
        out = tmp_path / f"out{number}"
        exported(recording, out, 0, 2)
        for name in ("tracks.csv", "alarms.csv", "health.csv"):
            with (out / name).open(encoding="utf-8-sig", newline="") as file:
                cells = [cell for row in csv.reader(file) for cell in row]
            for cell in cells:
                plain = cell.lstrip(" \u200b")
                number_or_quoted = re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?", cell)
                assert not plain.startswith(("=", "+", "-", "@", "＝")) or number_or_quoted, cell


def test_the_page_shows_evil_names_as_text_and_loads_nothing(tmp_path: Path, tab: Tab) -> None:
    down = replace(alarm(at_ns=at(1)), evidence=EVIL_NAME, worker=EVIL_NAME, zone=EVIL_NAME)
    recording = record(
        tmp_path / "run.mcap",
        3,
        (1, down),
        site=replace(told(), software=EVIL_NAME),
        names={WALKER: EVIL_NAME, FALLEN: "</td><script>window.hacked=1</script>"},
        refused=[(1, EVIL_NAME, b"x", "<b>bold</b>")],
    )
    exported(recording, tmp_path / "out", 0, 3)
    page = tab.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "out/summary.html").as_uri())
    page.wait_for_load_state()
    assert page.evaluate("window.hacked") is None
    assert [one for one in asked if not one.startswith(("file:", "data:image/jpeg"))] == []
    assert len([one for one in asked if one.startswith("file:")]) == 1, "only the page itself"
    assert page.locator("img").count() == 3
    loaded = "() => [...document.images].every((one) => one.complete && one.naturalWidth > 100)"
    page.wait_for_function(loaded)
    assert page.locator("b", has_text="bold").count() == 0
    assert page.get_by_text(EVIL_NAME).count() >= 3
    tab.shoot("summary")
    assert tab.complaints == []


@pytest.mark.parametrize(
    "changes",
    [
        {"xyz_m": (1e308, -1e308, 0.0)},
        {"panorama_xy": (1e300, -1e300), "panorama_head_xy": (-1e300, 1e300)},
        {"panorama_xy": (5.0, 5.0), "panorama_head_xy": None, "height_m": 0.0},
        {"covariance_m2": ((-1.0, 5.0), (5.0, 1e300))},
        {"track": 10**400, "seen_at_ns": -(10**30)},
        {"worker": "", "height_m": -1e300, "posture": "lying"},
        {"seen_at_ns": 10**40},
    ],
)
def test_absurd_figures_break_nothing(tmp_path: Path, changes: dict[str, object]) -> None:
    recording = record(tmp_path / "run.mcap", 2, change=lambda packet: moved(packet, **changes))
    exported(recording, tmp_path / "out", 0, 2)
    assert verify(tmp_path / "out", ()).faults == ()
    lacks = json.loads((tmp_path / "out/manifest.json").read_text())["lacks"]
    dropped = [one for one in lacks if "no person has such figures" in one]
    with (tmp_path / "out/tracks.csv").open(encoding="utf-8-sig") as file:
        rows = sum(1 for _ in file) - 1
    assert rows == (0 if dropped else 40), "either there or counted"


@pytest.mark.parametrize(
    "changes",
    [
        {"centre_line_m": ((-1e308, 0.0, 0.0), (1e308, 0.0, 0.0))},
        {"centre_line_m": ((0.0, 0.0, 0.0), (1e200, 1e200, 0.0))},
        {"centre_line_m": ((0.0, 0.0, 0.0),), "left_m": -1.0},
        {"ruler": tuple(RulerMark(chainage_m=x, across_px=((x, x),)) for x in (0.0, 1.0, 1e308))},
        {
            "ruler": (
                RulerMark(chainage_m=0.0, across_px=()),
                RulerMark(chainage_m=1.0, across_px=()),
            )
        },
        {"landmarks": (Landmark(name="=1", kind="x", chainage_m=1e308, reach_m=0.0),)},
    ],
)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_an_absurd_site_breaks_nothing(tmp_path: Path, changes: dict[str, object]) -> None:
    site = replace(told(), **changes)  # type: ignore[arg-type]
    recording = record(tmp_path / "run.mcap", 1, site=site)
    try:
        exported(recording, tmp_path / "out", 0, 1)
    except LamproomError as error:
        assert "has figures that no mine has" in str(error)
    else:
        assert verify(tmp_path / "out", ()).faults == ()


def test_a_crowd_of_thousands_is_counted_and_does_not_stop_the_export(tmp_path: Path) -> None:
    def crowd(packet: PanoramaPacket) -> PanoramaPacket:
        people = packet.positions.people * 1500
        return replace(packet, positions=replace(packet.positions, people=people))

    recording = record(tmp_path / "run.mcap", 0.4, change=crowd)
    exported(recording, tmp_path / "out", 0, 0.4)
    with (tmp_path / "out/tracks.csv").open(encoding="utf-8-sig") as file:
        assert sum(1 for _ in file) == 1 + 4 * 3000


def test_a_picture_that_says_it_is_huge_is_left_out(tmp_path: Path) -> None:
    def huge(packet: PanoramaPacket) -> PanoramaPacket:
        return replace(packet, size_px=(100_000, 100_000))

    recording = record(tmp_path / "run.mcap", 1, change=huge)
    exported(recording, tmp_path / "out", 0, 1)
    lacks = json.loads((tmp_path / "out/manifest.json").read_text())["lacks"]
    assert any("10 recorded pictures can't be decoded" in one for one in lacks)


def test_mutated_recordings_give_a_sound_export_or_one_clear_error(tmp_path: Path) -> None:
    """Bytes flipped, cut out, doubled and cut off; each case is seen through to its end."""
    rng = random.Random(11)
    private, public = pair(tmp_path, "room")
    down = alarm(at_ns=at(1))
    whole = record(tmp_path / "run.mcap", 2, (1, down)).read_bytes()
    case, made, refused = tmp_path / "case.mcap", 0, 0
    for number in range(MUTATIONS):
        case.write_bytes(mutated(whole, rng))
        out = tmp_path / f"out{number}"
        try:
            exported(case, out, 0, 2, key=read_private_key(private))
        except LamproomError as error:
            refused += 1
            assert len(str(error)) < 500, "one clear error"
            assert not out.exists()
        else:
            made += 1
            verdict = verify(out, public_keys_of(public))
            assert (verdict.faults, verdict.doubts) == ((), ()), number
        names = {one.name for one in tmp_path.iterdir()} - {f"out{n}" for n in range(MUTATIONS)}
        assert names == {"run.mcap", "case.mcap", "room.key", "room.pub"}
    assert made > 5
    assert refused > 5


def mutated(whole: bytes, rng: random.Random) -> bytes:
    data = bytearray(whole)
    # Most of what matters is at the start: header, schemas, channels, the first chunks.
    top = rng.choice([400, 8000, len(data)])
    for _ in range(rng.choice([1, 1, 3, 20])):
        place = rng.randrange(min(top, len(data)))
        what = rng.randrange(4)
        if what == 0:
            data[place] ^= 1 << rng.randrange(8)
        elif what == 1:
            del data[place : place + rng.randrange(1, 200)]
        elif what == 2:
            data[place:place] = data[place : place + rng.randrange(1, 200)]
        else:
            data[place : place + 8] = rng.randbytes(8)
    return bytes(data[: rng.randrange(len(data))]) if rng.random() < 0.2 else bytes(data)


def test_topics_of_another_gateway_are_left_out_and_told(tmp_path: Path) -> None:
    from delivery.recordings.writer import RecordingWriter
    from scene.clock import ReplayClock
    from scene.topics import topic_name
    from scene.wire import encode
    from tests.control_room.fake_gateway import Encoder

    clock = ReplayClock(at(0))
    writer = RecordingWriter(tmp_path / "run.mcap", clock)
    packet = Encoder().packet(at(0))
    for gateway, message in ((GATEWAY, told()), ("gw2", alarm("man_down-9", at_ns=at(0)))):
        kind = "site" if gateway == GATEWAY else "alarm"
        id = None if gateway == GATEWAY else "man_down-9"
        topic = topic_name(kind, site=SITE, gateway=gateway, id=id)
        writer.message(topic, encode(message, gateway=gateway, seq=1, sent_at_ns=at(0)), at(0))
    writer.packet(packet)
    writer.close()
    exported(tmp_path / "run.mcap", tmp_path / "out", 0, 1)
    assert json.loads((tmp_path / "out/alarms.json").read_text()) == []
    lacks = json.loads((tmp_path / "out/manifest.json").read_text())["lacks"]
    assert "1 messages of other gateways are left out" in lacks
