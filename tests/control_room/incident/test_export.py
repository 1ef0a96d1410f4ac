"""What an export says is what was recorded."""

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from control_room.incident.drawing import BAND
from control_room.incident.error import IncidentError
from control_room.incident.find import recording_of
from control_room.incident.folder import Wanted, export
from control_room.incident.gather import gather
from control_room.incident.job import carry_out
from control_room.incident.journal import acts_in
from control_room.incident.order import Order as JobOrder
from control_room.incident.seen import Coverage
from control_room.journal.export import moment
from control_room.journal.journal import Journal
from control_room.lifecycle import Act, Key
from delivery.recordings.run_record import RunRecord
from scene.clock import SystemClock
from scene.errors import RecordingError
from scene.messages import CameraState, GatewayHealth, Order, Receipt
from tests.control_room.fake_gateway import (
    FALLEN,
    FALLEN_RGB,
    FPS,
    GATEWAY,
    SITE,
    WALKER,
    WALKER_RGB,
    alarm,
    fallen_box,
    health,
    walker_box,
)
from tests.control_room.incident.recordings import START_NS, S, all_well, at, exported, record, told

DOWN = alarm("man_down-3", at_ns=at(2))


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))


def film_of(folder: Path) -> list[tuple[float, Any]]:
    with av.open(str(folder / "panorama.mp4")) as file:
        return [
            (float(frame.time or 0), frame.to_ndarray(format="rgb24"))
            for frame in file.decode(video=0)
        ]


def colour_at(picture: Any, box: tuple[int, int, int, int]) -> tuple[int, ...]:
    """Give the colour in the middle of somebody, below the band."""
    left, top, right, bottom = box
    return tuple(int(one) for one in picture[BAND + (top + bottom) // 2, (left + right) // 2])


def red_in(picture: Any) -> Any:
    """Tell where a picture (red, green, blue) is as red as an alarm."""
    red, green, blue = (picture[..., i].astype(int) for i in range(3))
    return (red > 180) & (green < 110) & (blue < 110)


def lacks_of(folder: Path) -> str:
    return "\n".join(json.loads((folder / "manifest.json").read_text())["lacks"])


def test_tracks_are_the_recorded_positions_each_person_once_an_instant(tmp_path: Path) -> None:
    recording = record(tmp_path / "run.mcap", 5, names={WALKER: "Li Wei"})
    exported(recording, tmp_path / "out", 1, 4)
    rows = rows_of(tmp_path / "out/tracks.csv")
    assert len(rows) == 3 * FPS * 2
    assert len({(row["captured_at_ns"], row["track"]) for row in rows}) == len(rows)
    walker = [row for row in rows if row["track"] == str(WALKER)]
    times = [int(row["captured_at_ns"]) for row in walker]
    assert times == [at(i / FPS) for i in range(FPS, 4 * FPS)], "in order, none outside the span"
    first = walker[0]
    left, _, right, _ = walker_box(FPS)
    assert float(first["x_m"]) == pytest.approx(40 * (left + right - 1) / 2 / 1280, abs=1e-3)
    assert first["captured_at"] == "2026-09-21T14:13:21.000Z"
    assert (first["name"], first["film_tag"], first["source"]) == ("Li Wei", "Li Wei", "signed")
    # The larger axis of ((0.09, 0.02), (0.02, 0.04)), and chainage along the first, straight leg.
    larger = np.linalg.eigvalsh(np.array([[0.09, 0.02], [0.02, 0.04]]))[-1]
    assert float(first["sigma_m"]) == pytest.approx(larger**0.5, abs=1e-3)
    assert float(first["chainage_m"]) == pytest.approx(float(first["x_m"]), abs=0.06)


def test_the_film_shows_every_picture_at_its_time_with_everybody_where_they_are(
    tmp_path: Path,
) -> None:
    recording = record(tmp_path / "run.mcap", 4)
    exported(recording, tmp_path / "out", 1, 3)
    film = film_of(tmp_path / "out")
    shown = film[:-1]  # the last is there so that the one before lasts
    times = [time for time, _ in shown]
    assert times == pytest.approx([i / FPS for i in range(2 * FPS)], abs=1e-3)
    for i, (_, picture) in enumerate(shown, FPS):
        assert colour_at(picture, walker_box(i)) == pytest.approx(WALKER_RGB, abs=30)
        assert colour_at(picture, fallen_box()) == pytest.approx(FALLEN_RGB, abs=30)
    with (tmp_path / "out/panorama.mp4").open("rb") as file:
        head = file.read(100_000)
    assert 0 < head.index(b"moov") < head.index(b"mdat"), "its index comes first"


def test_names_that_the_film_cannot_spell_have_numbers_that_the_page_explains(
    tmp_path: Path,
) -> None:
    rare = "\U00020bb7田"  # no letter of the film's
    recording = record(tmp_path / "run.mcap", 2, names={WALKER: rare, FALLEN: "*1"})
    exported(recording, tmp_path / "out", 0, 2)
    rows = rows_of(tmp_path / "out/tracks.csv")
    tags = {row["name"]: row["film_tag"] for row in rows}
    assert sorted(tags) == ["*1", rare]
    assert sorted(tags.values()) == ["*1", "*2"], "nobody passes for another's number"
    page = (tmp_path / "out/summary.html").read_text(encoding="utf-8")
    for name, tag in tags.items():
        assert f">{tag}</td><td" in page
        assert f">{name}</td>" in page


def test_a_chinese_name_stands_on_the_film_itself(tmp_path: Path) -> None:
    films = {}
    for name in ("张伟", "李娜"):
        recording = record(tmp_path / f"{name}.mcap", 1, names={WALKER: name})
        exported(recording, tmp_path / name, 0, 1)
        assert {row["film_tag"] for row in rows_of(tmp_path / name / "tracks.csv")} >= {name}
        films[name] = film_of(tmp_path / name)[5][1].astype(int)
    differs = np.nonzero((abs(films["张伟"] - films["李娜"]) > 100).any(axis=2))
    left, top, _, _ = walker_box(5)
    assert 20 < len(differs[0]) < 2000, "only the name"
    assert left - 5 < differs[1].min() < differs[1].max() < left + 45
    assert BAND + top - 30 < differs[0].min() < differs[0].max() < BAND + top


def test_a_gap_is_said_on_the_film_and_on_the_page(tmp_path: Path) -> None:
    recording = record(tmp_path / "run.mcap", 12, without=[(3, 9)])
    made = exported(recording, tmp_path / "out", 0, 12)
    lacks = lacks_of(tmp_path / "out")
    assert "No picture from 2026-09-21T14:13:22.900Z to 2026-09-21T14:13:29.000Z (6.1 s)" in lacks
    assert "no heartbeat is recorded" in lacks
    assert any("6.1 秒" in chinese for _, chinese in made.lacks)
    film = film_of(tmp_path / "out")
    between = [picture for time, picture in film if 3.2 < time < 8.9]
    assert len(between) == 1
    assert not np.allclose(between[0][BAND:], film[0][1][BAND:], atol=30), "no old picture"
    assert colour_at(between[0], fallen_box()) != pytest.approx(FALLEN_RGB, abs=60)
    silent = [one for one in rows_of(tmp_path / "out/health.csv") if one["state"] == "unknown"]
    assert [(int(one["from_ns"]), int(one["to_ns"])) for one in silent] == [(at(3), at(9))]


def test_minutes_beyond_the_recording_are_not_called_empty(tmp_path: Path) -> None:
    recording = record(tmp_path / "run.mcap", 4)
    exported(recording, tmp_path / "out", -20, 20)
    lacks = lacks_of(tmp_path / "out")
    assert "has nothing before 2026-09-21T14:13:20.000Z" in lacks
    assert "has nothing after 2026-09-21T14:13:23.900Z" in lacks
    film = film_of(tmp_path / "out")
    assert film[0][0] == 0
    assert colour_at(film[0][1], fallen_box()) != pytest.approx(FALLEN_RGB, abs=60)
    assert film[-1][0] == pytest.approx(40, abs=0.01), "up to the end that was asked for"


def test_an_hour_that_ends_within_the_minutes_goes_on_in_the_file_beside_it(tmp_path: Path) -> None:
    """Films, tracks, alarms and heartbeats go over the files; each is named with its hash."""
    cleared = replace(DOWN, state="cleared", captured_at_ns=at(7), raised_at_ns=at(2))
    (tmp_path / "whole").mkdir()
    whole = record(tmp_path / "whole/run.mcap", 9, (2, DOWN), (7, cleared))
    first = record(tmp_path / "run-9.mcap", 4, (2, DOWN))
    second = record(tmp_path / "run-10.mcap", 5, (7, cleared), begins=4)
    record(tmp_path / "run-8.mcap", 1, begins=-3600)
    record(tmp_path / "run-11.mcap", 1, begins=3600)
    record(tmp_path / "run-copy.mcap", 5, begins=4)
    (tmp_path / "run-7.mcap").write_bytes(b"not a recording")
    exported(whole, tmp_path / "one", 1, 8, alarm=DOWN.id)
    for recording in (first, second):
        out = tmp_path / f"out-{recording.stem}"
        made = exported(recording, out, 1, 8)
        assert not any("has nothing" in english for english, _ in made.lacks)
        assert "No picture" not in lacks_of(out)
        assert "no heartbeat" not in lacks_of(out)
        assert [time for time, _ in film_of(out)] == pytest.approx(
            [time for time, _ in film_of(tmp_path / "one")], abs=1e-3
        )
        tracks = [[row["captured_at_ns"], row["track"]] for row in rows_of(out / "tracks.csv")]
        assert tracks == [
            [row["captured_at_ns"], row["track"]] for row in rows_of(tmp_path / "one/tracks.csv")
        ]
        assert [row["event"] for row in rows_of(out / "alarms.csv")] == ["raised", "cleared"]
        manifest = json.loads((out / "manifest.json").read_text())
        assert manifest["recording"]["name"] == recording.name
        told = [(one["name"], one["sha256"]) for one in manifest["recordings"]]
        assert told == [
            (one.name, hashlib.sha256(one.read_bytes()).hexdigest()) for one in (first, second)
        ]
        page = (out / "summary.html").read_text(encoding="utf-8")
        assert all(sha256 in page and name in page for name, sha256 in told)


def test_an_alarm_just_behind_the_hour_has_what_came_before(tmp_path: Path) -> None:
    """Its own times: half a minute before, which the file of the hour before has."""
    late = alarm("man_down-9", at_ns=at(9))
    record(tmp_path / "run.mcap", 8)
    second = record(tmp_path / "run-2.mcap", 4, (9, late), begins=8)
    wanted = Wanted(recording=second, alarm=late.id, folder=tmp_path / "out")
    export(wanted, SystemClock())
    assert int(rows_of(tmp_path / "out/tracks.csv")[0]["captured_at_ns"]) == at(0)
    assert len(json.loads((tmp_path / "out/manifest.json").read_text())["recordings"]) == 2


def test_a_raise_between_two_files_is_found_and_lies_in_the_second(tmp_path: Path) -> None:
    """It was seen before the hour was over, and its alarm came after."""
    between = alarm("man_down-9", at_ns=at(3.95))
    record(tmp_path / "run.mcap", 4)
    record(tmp_path / "run-2.mcap", 4, (4, between), begins=4)
    order = JobOrder(
        recordings=str(tmp_path), site=SITE, gateway=GATEWAY, alarm=between.id,
        raised_at_ns=at(3.95), cleared_at_ns=None, journal=None, key_file=None,
        folder=str(tmp_path / "place/out"),
    )  # fmt: skip
    (tmp_path / "place").mkdir()
    carry_out(order)
    (raised,) = rows_of(tmp_path / "place/out/alarms.csv")
    assert (raised["alarm"], raised["event"]) == (between.id, "raised")


def test_another_gateways_file_of_that_name_is_left_out(tmp_path: Path) -> None:
    first = record(tmp_path / "run.mcap", 4)
    record(tmp_path / "run-2.mcap", 4, begins=4, site=replace(told(), gateway="gw2"))
    made = exported(first, tmp_path / "out", 1, 8)
    assert any("has nothing after" in english for english, _ in made.lacks)
    assert len(json.loads((tmp_path / "out/manifest.json").read_text())["recordings"]) == 1


def test_metres_that_no_camera_saw_are_hatched_and_named(tmp_path: Path) -> None:
    """Metres 0 to 3 are not seen; with no heartbeat nothing is."""
    recording = record(tmp_path / "run.mcap", 3)
    exported(recording, tmp_path / "out", 0, 3)
    picture = film_of(tmp_path / "out")[15][1]
    floor = picture[BAND + 200 : BAND + 228]
    blind, seen = floor[:, 40:90], floor[:, 200:800]
    assert np.ptp(blind.astype(int)) > 60
    assert np.ptp(seen.astype(int), axis=(0, 1)).max() < 60
    deaf = record(tmp_path / "deaf.mcap", 9, beat=lambda at_ns: replace(health(at_ns), coverage=()))
    exported(deaf, tmp_path / "out2", 5, 8)
    picture = film_of(tmp_path / "out2")[15][1]
    assert np.ptp(picture[BAND + 200 : BAND + 228, 200:800].astype(int)) > 60


def test_an_old_heartbeat_vouches_for_nothing(tmp_path: Path) -> None:
    """Pictures go on, but what the cameras see is not told any more."""
    recording = record(
        tmp_path / "run.mcap", 9, beat=lambda at_ns: all_well(at_ns) if at_ns < at(2) else None
    )
    exported(recording, tmp_path / "out", 0, 9)
    film = film_of(tmp_path / "out")
    floor = [film[i][1][BAND + 200 : BAND + 228, 200:800].astype(int) for i in (40, 80)]
    assert np.ptp(floor[0], axis=(0, 1)).max() < 60, "4 s: still believed"
    assert np.ptp(floor[1]) > 60


def test_an_alarms_whole_life_is_told_with_who_did_what(tmp_path: Path) -> None:
    """Also what lies before the span, and what people did, from the journal."""
    over = replace(DOWN, state="cleared", captured_at_ns=at(9), evidence="up again")
    receipt = Receipt(
        alarm=DOWN.id, state="active", stored_at_ns=at(2.2), captured_at_ns=DOWN.captured_at_ns
    )
    order = Order(alarm=DOWN.id, action="end", by="Li Wei", reason="=1+1", ordered_at_ns=at(8))
    recording = record(
        tmp_path / "run.mcap", 11, (2, DOWN), (2.5, DOWN), (2.2, receipt), (8, order), (9, over)
    )
    key = Key(site=SITE, gateway=GATEWAY, alarm=DOWN.id)
    journal = Journal(tmp_path / "journal.sqlite")
    journal.store(key, DOWN, stored_at_ns=at(2.2))
    journal.note(key, Act(action="acknowledge", by="王芳", reason="", at_ns=at(4)))
    journal.note(key, Act(action="shelve", by="王芳", reason="pump", at_ns=at(5), until_ns=at(700)))
    with acts_in(tmp_path / "journal.sqlite") as acts_of:  # while it is in use
        exported(recording, tmp_path / "out", 5, 10, acts_of=acts_of)
    journal.close()
    rows = rows_of(tmp_path / "out/alarms.csv")
    assert [(row["event"], row["at_ns"], row["by"]) for row in rows] == [
        ("raised", str(at(2)), ""),
        ("stored", str(at(2.2)), "control room"),
        ("acknowledge", str(at(4)), "王芳"),
        ("shelve", str(at(5)), "王芳"),
        ("order", str(at(8)), "Li Wei"),
        ("cleared", str(at(9)), ""),
    ]
    assert rows[4]["reason"] == "'=1+1", "no spreadsheet runs it"
    (life,) = json.loads((tmp_path / "out/alarms.json").read_text())
    assert life["events"][0]["word"]["evidence"] == DOWN.evidence
    assert life["events"][4]["reason"] == "=1+1", "as it was said"
    assert "acknowledging" not in lacks_of(tmp_path / "out")
    page = (tmp_path / "out/summary.html").read_text(encoding="utf-8")
    assert "王芳" in page
    assert "人员倒地" in page


def test_without_the_journal_it_is_said_that_nobodys_acts_are_known(tmp_path: Path) -> None:
    recording = record(tmp_path / "run.mcap", 4, (2, DOWN))
    exported(recording, tmp_path / "out", 0, 4)
    assert "What people did with alarms (acknowledging" in lacks_of(tmp_path / "out")


@pytest.mark.parametrize(("begins", "ends", "there"), [(0, 2, 0), (2, 3, 1), (5, 6, 1), (7, 8, 0)])
def test_alarms_are_those_that_were_active_in_the_span(
    tmp_path: Path, begins: float, ends: float, there: int
) -> None:
    over = replace(DOWN, state="cleared", captured_at_ns=at(6))
    recording = record(tmp_path / "run.mcap", 9, (2, DOWN), (6, over))
    exported(recording, tmp_path / "out", begins, ends)
    assert len(json.loads((tmp_path / "out/alarms.json").read_text())) == there


def test_the_picture_of_a_raise_frames_the_person(tmp_path: Path) -> None:
    import cv2

    recording = record(tmp_path / "run.mcap", 5, (2, DOWN))
    exported(recording, tmp_path / "out", 0, 5)
    names = sorted(one.name for one in (tmp_path / "out/pictures").iterdir())
    assert names == ["alarm-01-man_down.png", "first.png", "last.png"]
    framed, first = (
        cv2.imread(str(tmp_path / f"out/pictures/{name}")) for name in (names[0], names[1])
    )
    assert framed is not None
    assert first is not None
    shown = film_of(tmp_path / "out")[20][1]
    more = red_in(framed[..., ::-1]) & ~red_in(shown)
    left, top, right, bottom = fallen_box()
    around = more[BAND + top - 25 : BAND + bottom + 25, left - 40 : right + 40]
    assert around.sum() > 600, "a frame that the film doesn't have"
    assert more.sum() < 1.2 * around.sum(), "nobody else is framed"
    assert colour_at(framed[..., ::-1], walker_box(20)) == pytest.approx(WALKER_RGB, abs=30)


def test_a_raise_without_a_picture_is_said(tmp_path: Path) -> None:
    recording = record(
        tmp_path / "run.mcap",
        14,
        (7, replace(DOWN, raised_at_ns=at(7), captured_at_ns=at(7))),
        without=[(3, 11)],
    )
    exported(recording, tmp_path / "out", 0, 14)
    assert "No picture was recorded when alarm man_down-3 was raised" in lacks_of(tmp_path / "out")
    assert not list((tmp_path / "out/pictures").glob("alarm-*"))


def test_an_alarm_sets_the_span(tmp_path: Path) -> None:
    over = replace(DOWN, state="cleared", captured_at_ns=at(3))
    recording = record(tmp_path / "run.mcap", 5, (2, DOWN), (3, over))
    made = export(
        Wanted(recording=recording, alarm=DOWN.id, folder=tmp_path / "out"), SystemClock()
    )
    assert (made.span.from_ns, made.span.to_ns) == (at(2) - 30 * S, at(3) + 30 * S)
    stands = record(tmp_path / "stands.mcap", 7, (2, DOWN))
    made = export(Wanted(recording=stands, alarm=DOWN.id, folder=tmp_path / "c"), SystemClock())
    assert (made.span.from_ns, made.span.to_ns) == (at(2) - 30 * S, at(6.9)), "all that there is"
    with pytest.raises(IncidentError, match=r"--alarm: none-1 is not in .*man_down-3"):
        export(Wanted(recording=recording, alarm="none-1", folder=tmp_path / "b"), SystemClock())


@pytest.mark.parametrize(
    ("begins", "ends", "said"),
    [
        (3.0, 2.0, "--from must be earlier"),
        (100.0, 200.0, "is not in this recording: .* has 2026-09-21T14:13:20.000Z to"),
        (-200.0, -100.0, "is not in this recording"),
        (None, 3.0, "give both, or --alarm ID"),
    ],
)
def test_an_impossible_span_is_one_clear_error(
    tmp_path: Path, begins: float | None, ends: float, said: str
) -> None:
    recording = record(tmp_path / "run.mcap", 3)
    from_ns = None if begins is None else at(begins)
    wanted = Wanted(recording=recording, from_ns=from_ns, to_ns=at(ends), folder=tmp_path / "out")
    with pytest.raises(IncidentError, match=said):
        export(wanted, SystemClock())
    assert sorted(one.name for one in tmp_path.iterdir()) == ["run.mcap"], "nothing is left behind"


def test_outages_of_cameras_are_stretches(tmp_path: Path) -> None:
    def lost_for_3_s(at_ns: int) -> Any:
        beat = health(at_ns)
        state: CameraState = "lost" if at(4) <= at_ns < at(7) else "ok"
        cameras = (beat.cameras[0], replace(beat.cameras[1], state=state, detail="no route"))
        return replace(beat, cameras=cameras)

    recording = record(tmp_path / "run.mcap", 12, beat=lost_for_3_s)
    exported(recording, tmp_path / "out", 0, 12)
    (row,) = rows_of(tmp_path / "out/health.csv")
    assert (row["what"], row["name"], row["state"], row["detail"]) == (
        *("camera", "c2", "lost", "no route"),
    )
    assert (int(row["from_ns"]), int(row["to_ns"])) == (at(4), at(7))
    assert "c2" in lacks_of(tmp_path / "out")


def test_refused_and_unsigned_messages_are_never_hidden(tmp_path: Path) -> None:
    topic = f"mine/{SITE}/gw/{GATEWAY}/alarm/man_down-9"
    recording = record(
        tmp_path / "run.mcap",
        4,
        trust="unsigned",
        refused=[(2, topic, b"{}", "its signature is wrong"), (3.9, topic, b"{}", "old")],
    )
    exported(recording, tmp_path / "out", 0, 3)
    lacks = lacks_of(tmp_path / "out")
    assert f"REFUSED when they came, and left out here: 1 messages on {topic}: its sig" in lacks
    assert "1 messages were refused at other times" in lacks
    assert "were not signed: who sent them is not proven" in lacks
    page = (tmp_path / "out/summary.html").read_text(encoding="utf-8")
    assert "接收时被拒" in page
    assert page.index("REFUSED") < page.index("<h2>Alarms")


def test_a_damaged_recording_says_what_it_lost(tmp_path: Path) -> None:
    recording = record(tmp_path / "run.mcap", 6)
    whole = recording.read_bytes()
    recording.write_bytes(whole[: len(whole) // 3])
    exported(recording, tmp_path / "out", 0, 6)
    lacks = lacks_of(tmp_path / "out")
    assert "The recording itself: run.mcap: the end is missing" in lacks
    assert "has nothing after" in lacks
    assert str(tmp_path) not in lacks, "where it lay is nobody's business"


def test_the_manifest_names_the_recording_by_its_hash(tmp_path: Path) -> None:
    recording = record(tmp_path / "run.mcap", 3)
    exported(recording, tmp_path / "out", 0, 3)
    said = json.loads((tmp_path / "out/manifest.json").read_text())
    assert said["recording"]["name"] == "run.mcap"
    assert said["recording"]["sha256"] == hashlib.sha256(recording.read_bytes()).hexdigest()
    assert said["recording"]["bytes"] == recording.stat().st_size
    assert said["software"].startswith("lamproom ")
    assert (said["span"]["from_ns"], said["span"]["to_ns"]) == (at(0), at(3))
    listed = {one["path"] for one in said["files"]}
    found = {
        str(one.relative_to(tmp_path / "out"))
        for one in (tmp_path / "out").rglob("*")
        if one.is_file()
    }
    assert found - listed == {"manifest.json", "manifest.sha256"}
    assert listed >= {"panorama.mp4", "tracks.csv", "alarms.csv", "alarms.json", "health.csv"}
    assert listed >= {"site.yaml", "summary.html", "pictures/first.png", "pictures/last.png"}


def test_site_files_are_all_that_were_in_force(tmp_path: Path) -> None:
    recording = record(tmp_path / "run.mcap", 5, (3, told("changed: true\n")))
    exported(recording, tmp_path / "out", 0, 5)
    assert (tmp_path / "out/site.yaml").read_text() == "version: 1\nsite: roadway\n"
    assert (tmp_path / "out/site-2.yaml").read_text() == "changed: true\n"


RUN = RunRecord(
    site=SITE,
    gateway=GATEWAY,
    software="lamproom 1",
    started_at="2026-09-21T14:13:20Z",
    file_number="1",
    site_yaml="a: 1",
    rig_yaml="rig: 1\n",
    model="miners.onnx",
    model_sha256="ab" * 32,
)


def test_rig_and_model_are_told_where_the_recording_has_them(tmp_path: Path) -> None:
    silent = record(tmp_path / "run.mcap", 1, run=RUN, beat=lambda at_ns: None)
    exported(silent, tmp_path / "out", 0, 1)
    said = json.loads((tmp_path / "out/manifest.json").read_text())
    assert (tmp_path / "out/rig.yaml").read_text() == "rig: 1\n"
    assert "rig.yaml" in {one["path"] for one in said["files"]}
    assert said["models"] == [{"name": "miners.onnx", "sha256": "ab" * 32}]
    page = (tmp_path / "out/summary.html").read_text(encoding="utf-8")
    assert "miners.onnx" in page
    assert "ab" * 32 in page


def test_what_the_gateway_says_that_it_loaded_counts_more_than_what_lay_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beat(at_ns: int) -> GatewayHealth:
        digest = ("cd" if at_ns < at(3) else "ef") * 32
        return replace(
            all_well(at_ns), detection_model="miners.onnx", detection_model_sha256=digest
        )

    recording = record(tmp_path / "run.mcap", 6, beat=beat, run=RUN)
    exported(recording, tmp_path / "out", 0, 6)
    said = json.loads((tmp_path / "out/manifest.json").read_text())
    assert [one["sha256"][:2] for one in said["models"]] == ["cd", "ef"]
    assert "The detection model changed within this time: 2 are listed" in lacks_of(
        tmp_path / "out"
    )
    assert "there may be more" not in lacks_of(tmp_path / "out")
    monkeypatch.setattr("control_room.incident.models.MOST", 2)
    monkeypatch.setattr("control_room.incident.lacks.MOST_MODELS", 2)
    exported(recording, tmp_path / "cut", 0, 6)
    assert "2 are listed, there may be more" in lacks_of(tmp_path / "cut")
    exported(recording, tmp_path / "later", 4, 6)
    said = json.loads((tmp_path / "later/manifest.json").read_text())
    assert said["models"] == [{"name": "miners.onnx", "sha256": "ef" * 32}]


def test_an_unknown_model_is_missing(tmp_path: Path) -> None:
    exported(record(tmp_path / "run.mcap", 1), tmp_path / "out", 0, 1)
    assert "Which detection model ran is not recorded" in lacks_of(tmp_path / "out")


def test_what_is_beyond_a_limit_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_room.incident.folder.MOST_SITES", 2)
    monkeypatch.setattr("control_room.incident.showing.MOST_PICTURES", 1)
    monkeypatch.setattr("control_room.incident.seen.MOST_METRES", 5)
    monkeypatch.setattr("control_room.incident.find.MOST", 1)
    down = [(1 + n, replace(DOWN, id=f"d{n}", raised_at_ns=at(1 + n))) for n in range(3)]
    sites = [(1 + n, replace(told(), site_yaml=f"n: {n}\n")) for n in range(4)]
    recording = record(tmp_path / "run.mcap", 6, *down, *sites)
    exported(recording, tmp_path / "out", 0, 6)
    lacks = lacks_of(tmp_path / "out")
    assert "3 more states of the site file are left out" in lacks
    assert "2 more alarms have no picture of their own: see the film" in lacks
    seen = Coverage(gather(recording)).at(at(2), told())
    assert "m beyond not told" in seen.in_words
    assert not seen.is_whole
    record(tmp_path / "run-2.mcap", 1)
    with pytest.raises(IncidentError, match="Only the newest 1 files were looked at; 1 more"):
        recording_of(tmp_path, SITE, GATEWAY, at(99))


@pytest.mark.parametrize("with_run", [True, False])
def test_the_recording_of_a_gateway_that_has_an_instant_is_found(
    tmp_path: Path, with_run: bool
) -> None:
    def run_of(gateway: str) -> RunRecord | None:
        texts = dict.fromkeys(("software", "file_number", "site_yaml"), "")
        texts["started_at"] = moment(START_NS)
        texts |= dict.fromkeys(("rig_yaml", "model", "model_sha256"), "")
        return RunRecord(site=SITE, gateway=gateway, **texts) if with_run else None

    (tmp_path / "gw1").mkdir()
    right = record(tmp_path / "gw1/b.mcap", 5, run=run_of(GATEWAY))
    record(tmp_path / "a.mcap", 2, run=run_of(GATEWAY))
    other = replace(told(), gateway="gw2")
    record(tmp_path / "c.mcap", 9, site=other, run=run_of("gw2"))
    (tmp_path / "junk.mcap").write_bytes(b"junk")
    (tmp_path / "folder.mcap").mkdir()
    assert recording_of(tmp_path, SITE, GATEWAY, at(4)) == right
    for gateway, second in ((GATEWAY, 18), ("gw3", 1), (GATEWAY, -5)):
        with pytest.raises(IncidentError, match="no recording of roadway / gw"):
            recording_of(tmp_path, SITE, gateway, at(second))


def test_a_picture_of_another_size_is_shrunk_and_never_cut(tmp_path: Path) -> None:
    from control_room.incident.film import Film

    film = Film(tmp_path / "film.mp4", (400, 200), 0)
    with film:
        film.add(np.zeros((200, 400, 3), np.uint8), 0)
        wide = np.zeros((200, 1600, 3), np.uint8)
        wide[:, -40:] = 255
        film.add(wide, S)
    with av.open(str(tmp_path / "film.mp4")) as file:
        last = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)][-1]
    assert last.shape == (200, 400, 3)
    assert last[10, 395].min() > 200


def test_without_any_picture_there_is_no_film_and_that_is_said(tmp_path: Path) -> None:
    recording = record(
        tmp_path / "run.mcap",
        3,
        change=lambda packet: replace(packet, payload=b"\0\0\0\1\x65junk"),
    )
    exported(recording, tmp_path / "out", 0, 3)
    assert not (tmp_path / "out/panorama.mp4").exists()
    lacks = lacks_of(tmp_path / "out")
    assert "There is no picture at all, and so no film" in lacks
    assert "30 recorded pictures can't be decoded" in lacks
    assert len(rows_of(tmp_path / "out/tracks.csv")) == 60, "where people were is known"


def test_nothing_is_written_over_and_nothing_half_made_is_left(tmp_path: Path) -> None:
    recording = record(tmp_path / "run.mcap", 2)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")
    with pytest.raises(IncidentError, match="out: is there already"):
        exported(recording, tmp_path / "out", 0, 2)
    (tmp_path / "b.zip").symlink_to("nowhere")
    with pytest.raises(IncidentError, match=r"b\.zip: is there already"):
        exported(recording, tmp_path / "b", 0, 2, zip=True)
    assert (tmp_path / "out/mine").read_text() == "mine"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["b.zip", "out", "run.mcap"]


def test_what_is_no_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.mcap").write_bytes(b"junk" * 100)
    with pytest.raises(RecordingError, match=r"run\.mcap"):
        exported(tmp_path / "run.mcap", tmp_path / "out", 0, 2)
    assert not (tmp_path / "out").exists()
