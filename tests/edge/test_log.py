import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.log import without_secrets
from edge.main import main

SAYS = """
import os, sys, threading, warnings
from delivery.mqtt import say as mqtt_says
from edge import log
log.start("sender", native=True)
with log.about(camera="cam1"):
    log.say("rtsp://admin:s3cret@10.0.0.4/h264?password=s3cret stalls", "warning", fps=2.5)
mqtt_says("lost the MQTT broker mqtts://gw1:s3cret@broker.mine:8883")
print("lamproom alarms: half a line, ", end="", file=sys.stderr)
print("and its end\\x1b[31m", file=sys.stderr)
sys.stderr.flush()
os.write(2, b"[W:onnxruntime] native\\n")
def fails():
    raise ValueError("token=s3cret")
thread = threading.Thread(target=fails, name="worker")
thread.start(); thread.join()
import time
time.sleep(float(os.environ.get("LINGER", "0")))
raise KeyError("the end")
"""


def said(form: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", SAYS],
        env=os.environ | {"LAMPROOM_LOG": form, "LINGER": "0.5" if form == "json" else "0"},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert "s3cret" not in ended.stderr
    return ended.stderr


def test_json_lines_hold_time_level_service_message_and_fields() -> None:
    lines = [json.loads(line) for line in said("json").splitlines()]
    assert all({"time", "level", "service", "message"} <= set(line) for line in lines)
    first = lines[0]
    assert first["time"].endswith("Z") and "T" in first["time"]
    assert {name: first[name] for name in ("level", "service", "camera", "fps")} == {
        "level": "warning",
        "service": "sender",
        "camera": "cam1",
        "fps": 2.5,
    }
    assert first["message"] == "rtsp://10.0.0.4/h264 stalls"
    assert lines[1]["message"] == "lost the MQTT broker mqtts://broker.mine:8883"
    assert (lines[2]["service"], lines[2]["message"]) == ("alarms", "half a line, and its end?[31m")
    by_message = {line["message"]: line for line in lines[3:]}
    assert "[W:onnxruntime] native" in by_message, "also what libraries in C say"
    crash = by_message["thread worker: ValueError: token=…"]
    assert crash["level"] == "error"
    assert "Traceback" in crash["traceback"]
    assert "KeyError: 'the end'" in by_message


def test_lines_for_people_stay_lines_for_people() -> None:
    lines = said("text").splitlines()
    assert lines[:3] == [
        "lamproom sender: rtsp://10.0.0.4/h264 stalls",
        "lamproom sender: lost the MQTT broker mqtts://broker.mine:8883",
        "lamproom alarms: half a line, and its end?[31m",
    ]
    assert lines[3] == "[W:onnxruntime] native"
    assert all(line.startswith(("lamproom sender:", "  ")) for line in lines[4:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("open rtsps://u:p@host:554/a?b=c, then", "open rtsps://host:554/a then"),
        ("see http://host/page and mqtt://127.0.0.1:1883", None),
        ("mqtt://user:p@ss@host:1883", "mqtt://host:1883"),
        ("{'password': 'hunter2', 'port': 1}", "{'password': '…', 'port': 1}"),
        ("broker.password_file: /etc/pw can't be read", None),
        ("rtsp://[::1", "rtsp://…"),
    ],
)
def test_no_secret_is_left_in_a_text(text: str, expected: str | None) -> None:
    assert without_secrets(text) == (text if expected is None else expected)


def test_run_takes_the_form_of_its_log(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "edge.main", "run", str(tmp_path / "site.yaml"), "--log", "json"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    (line,) = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (line["service"], line["message"]) == (
        "run",
        f"{tmp_path}/site.yaml: there is no such site file",
    )


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "site.yaml", "--log", "xml"])
    assert ended.value.code == 2
