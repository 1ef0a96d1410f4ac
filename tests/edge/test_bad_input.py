"""Each mistake a user can make gives one clear line (or one alarm), no traceback, no hang."""

import socket
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from delivery.mqtt import Connection
from delivery.outbox import Outbox
from edge.main import main
from edge.options import RunOptions
from scene.clock import SystemClock
from scene.errors import BrokerError
from scene.site import BROKER_FORMS
from tests.edge.camera_clips import write_clip

LIMIT_S = 120
SITE = """\
version: 1
site: tiny
gateway: gw1
cameras:
  - {name: cam1, url: cam1.mp4}
rig:
  lens: {hfov_deg: 70}
  mount: {xyz_m: [0, 0, 2.5], pitch_deg: -15}
floor:
  centre_line_m: [[0, 0, 0], [30, 0, 0]]
broker: {url: "mqtt://127.0.0.1:1"}
panorama: {port: 0}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write_clip(tmp_path / "cam1.mp4", frames=12, size_px=(320, 240))
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    assert main(["calibrate", str(path)]) == 0
    return path


def lamproom(*words: str | Path) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "edge.main", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert "Traceback" not in ended.stdout
    return ended.returncode, ended.stdout


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("url: cam1.mp4", "url: cam9.mp4", "cameras.0.url: there is no file"),
        ("gateway: gw1", "gatewai: gw1", "gatewai: not a field; did you mean gateway?"),
        ("version: 1", "version: one", "site.yaml:1:1: version: "),
        ("port: 0", "port: many", "panorama.port: "),
        ("mqtt://127.0.0.1:1", "http://127.0.0.1", "broker.url: "),
    ],
)
def test_a_wrong_site_file(site: Path, before: str, after: str, expected: str) -> None:
    text = site.read_text(encoding="utf-8")
    assert before in text
    site.write_text(text.replace(before, after, 1), encoding="utf-8")
    code, said = lamproom("run", site)
    assert code == 2
    assert expected in said


def test_a_rig_that_is_not_there(site: Path) -> None:
    (site.parent / "rig.yaml").unlink()
    code, said = lamproom("run", site)
    assert (code, said.count("\n")) == (2, 1)
    assert "run `lamproom calibrate`" in said


def test_an_unreachable_broker_is_said_once_and_nothing_is_lost(site: Path) -> None:
    code, said = lamproom("run", site, "--fast")
    assert code == 0
    assert said.count("mqtt://127.0.0.1:1") == 1
    assert "12 instants" in said
    code, said = lamproom("alarms", "--broker", "mqtt://127.0.0.1:1", "--timeout", "3")
    assert code == 2
    assert "mqtt://127.0.0.1:1" in said


@pytest.mark.parametrize(
    ("given", "by"),
    [
        ('broker: {url: "mqtt://127.0.0.1:1"}', "or mend broker.url"),
        ("", "or mend broker.url (the site file gives none: this is the usual one)"),
        ("--broker", "or mend --broker"),
    ],
)
def test_who_finds_no_broker_reads_where_its_address_came_from(
    tmp_path: Path, given: str, by: str
) -> None:
    option = "mqtt://127.0.0.1:1" if given == "--broker" else None
    without = SITE.replace('broker: {url: "mqtt://127.0.0.1:1"}\n', "")
    (tmp_path / "cam1.mp4").touch()
    path = tmp_path / "site.yaml"
    path.write_text(without + (given if option is None else ""), encoding="utf-8")
    said: list[str] = []
    options = RunOptions(site_file=path, broker_url=option)
    site = options.site()
    if given == "":  # the usual one may be there on this machine
        options.broker_log(said.append)("start one there, or mend broker.url")
    else:
        link = Connection(site.broker, client_id="gw1", log=options.broker_log(said.append))
        with pytest.raises(BrokerError):
            link.connect(20, wait=True)
    assert said and said[0].removesuffix("; trying again").endswith(by)


def test_an_address_of_the_option_that_is_none_is_said_at_once(site: Path) -> None:
    for words in (["--fast"], ["--embedded-broker"]):
        code, said = lamproom("run", site, "--broker", "http://127.0.0.1", *words)
        assert (code, said) == (
            2,
            f"lamproom run: --broker: http://127.0.0.1: give {BROKER_FORMS}\n",
        )


def test_the_embedded_broker_is_where_the_site_file_or_the_option_says(site: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        url = f"mqtt://127.0.0.1:{taken.getsockname()[1]}"
        code, said = lamproom("run", site, "--fast", "--embedded-broker", "--broker", url)
        assert code == 2 and f"{url}: our own MQTT broker can't listen there" in said
        assert "or give another port in --broker" in said
    site.write_text(SITE.replace("mqtt://127.0.0.1:1", url), encoding="utf-8")
    code, said = lamproom("run", site, "--single-process", "--embedded-broker")
    assert code == 0 and f"broker {url}," in said
    site.write_text(SITE.replace("mqtt://127.0.0.1:1", "mqtt://192.0.2.1"), encoding="utf-8")
    code, said = lamproom("run", site, "--fast", "--embedded-broker")
    assert code == 2 and "no address of this machine" in said and "as broker.url" in said


def test_a_model_without_metadata(site: Path) -> None:
    shape = [1, 84, 2100]
    graph = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["shape"], ["output0"])],
        "nameless",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 320, 320])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)],
        [helper.make_tensor("shape", TensorProto.INT64, [3], shape)],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), site.parent / "m.onnx")
    site.write_text(SITE + "detection: {model: m.onnx}\n", encoding="utf-8")
    for command in ("check", "run"):
        code, said = lamproom(command, site)
        assert code in (1, 2)
        assert "m.onnx" in said
        assert "class_names" in said


@pytest.mark.parametrize("damage", ["not a video", "cut off", "empty"])
def test_a_damaged_camera_file(site: Path, damage: str) -> None:
    clip = site.parent / "cam1.mp4"
    whole = clip.read_bytes()
    clip.write_bytes(
        {"not a video": b"mine" * 500, "cut off": whole[: len(whole) // 3], "empty": b""}[damage]
    )
    for live in ("--fast", "--loop"):
        code, said = lamproom("run", site, live)
        assert code == 2
        assert said.count("cam1.mp4: can't be read as a video") == 1
        assert "starting it again" not in said
    code, said = lamproom("check", site)
    assert code == 1
    assert "FAIL  cameras: camera cam1" in said


def test_check_looks_at_every_picture_size_and_at_the_password(site: Path) -> None:
    code, said = lamproom("check", site)
    assert code == 0
    assert "ok    cameras: cam1 320x240" in said
    write_clip(site.parent / "cam1.mp4", frames=2, size_px=(64, 48))
    text = SITE.replace('127.0.0.1:1"', '127.0.0.1:1", username: me, password_file: no-such-file')
    site.write_text(text, encoding="utf-8")
    code, said = lamproom("check", site)
    assert code == 1
    assert "its picture is 64 x 48, the rig was calibrated at 320 x 240" in said
    assert "FAIL  broker: broker.password_file: " in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["calibrate", "{site}", "--every", "0"], "--every 0: give a number from 1 up"),
        (["calibrate", "{site}", "--frames", "-1"], "--frames -1: give a number from 1 up"),
        (["calibrate", "{site}", "--out", "/nonexistent/rig.yaml"], "no folder /nonexistent"),
        (["calibrate", "{site}", "--out", "{folder}"], "is a folder"),
        (["run", "{site}", "--fast", "--pictures", "{site}"], "--pictures {site}: there can't be"),
        (["run", "{site}", "--fast", "--pictures", "{site}/x"], "--pictures {site}/x: there can"),
        (["run", "{site}", "--record", "{site}/x.mcap"], "--record {site}/x.mcap: there can't be"),
        (["run", "{site}", "--record", "x.mcap", "--single-process"], "--record needs processes"),
    ],
)
def test_a_place_or_number_that_can_not_be(site: Path, words: list[str], expected: str) -> None:
    places = {"site": str(site), "folder": str(site.parent)}
    code, said = lamproom(*(word.format(**places) for word in words))
    assert code == 2
    assert expected.format(**places) in said
    assert len([line for line in said.splitlines() if line.startswith("lamproom")]) == 1


def test_a_camera_file_that_ends_ends_the_run(site: Path) -> None:
    code, said = lamproom("run", site)
    assert code == 0, said
    assert "broker mqtt://127.0.0.1:1" in said or "mqtt://127.0.0.1:1" in said


def test_a_camera_that_breaks_in_the_middle_is_an_alarm_and_the_other_goes_on(site: Path) -> None:
    text = SITE.replace(
        "  - {name: cam1, url: cam1.mp4}",
        "  - {name: cam1, url: cam1.mp4}\n  - {name: cam2, url: cam2.mp4}",
    )
    rig = site.parent / "rig.yaml"
    one = rig.read_text(encoding="utf-8")
    start = one.index("cameras:\n") + len("cameras:\n")
    rig.write_text(one + one[start:].replace("name: cam1", "name: cam2"), encoding="utf-8")
    site.write_text(text, encoding="utf-8")
    write_clip(site.parent / "cam1.mp4", frames=60, size_px=(320, 240))
    write_clip(site.parent / "cam2.mp4", frames=60, size_px=(320, 240), movflags="frag_keyframe")
    whole = (site.parent / "cam2.mp4").read_bytes()
    (site.parent / "cam2.mp4").write_bytes(whole[: len(whole) // 2])
    code, said = lamproom("run", site)
    assert code == 0, said
    kept = Outbox(site.parent / "state", SystemClock())
    alarms = {(alarm.kind, alarm.camera) for alarm in kept.pending()}
    kept.close()
    assert ("camera_lost", "cam2") in alarms


def test_a_fast_trial_leaves_no_alarms_that_a_live_run_would_send(site: Path) -> None:
    code, _ = lamproom("run", site, "--fast")
    assert code == 0
    assert not (site.parent / "state").exists()
