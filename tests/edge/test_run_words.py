"""What a gateway tells whoever watches it run."""

import sys
from pathlib import Path

import pytest

from edge import log
from edge.options import RunOptions
from edge.run_words import QUIET_S, RunWords, say_running
from scene.clock import ReplayClock
from scene.messages import CameraHealth, CameraState
from tests.delivery.parts import SITE


class Said(list[str]):
    """Takes words, as the log does."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[dict[str, object]] = []

    def __call__(self, text: str, level: log.Level = "info", **fields: object) -> None:
        self.append(f"{level}: {text}")
        self.fields.append(fields)


def health(state: CameraState, *, shown: bool = True) -> list[CameraHealth]:
    at_ns = 1 if shown else None
    detail = "" if state == "ok" else "no picture for 2.0 s"
    return [CameraHealth(name="c1", state=state, fps=9.0, last_frame_at_ns=at_ns, detail=detail)]


def test_it_says_where_everything_goes(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    said = Said()
    say_running(RunOptions(site_file=tmp_path / "site.yaml", record=tmp_path / "shift.mcap"), said)
    [line] = said
    for word in (
        "site roadway, gateway gw1",
        "ws://127.0.0.1:8765/panorama",
        f"state in {tmp_path}",
        f"recording into {tmp_path}/shift.mcap",
    ):
        assert word in line
    assert said.fields[0]["site"] == "roadway"


def test_each_camera_is_said_to_come_and_go() -> None:
    said, clock = Said(), ReplayClock(1)
    words = RunWords(clock, said)
    words.cameras(health("stalled", shown=False))
    assert said == [], "it has only just begun"
    for _ in range(3):
        words.cameras(health("ok"))
    clock.sleep(QUIET_S)
    words.cameras(health("stalled"))
    assert said == [
        "info: camera c1 gives pictures",
        "warning: camera c1 stalled: no picture for 2.0 s",
    ]
    assert said.fields[1] == {"camera": "c1", "state": "stalled"}


def test_a_camera_that_flaps_makes_no_flood_and_the_last_word_is_true() -> None:
    said, clock = Said(), ReplayClock(1)
    words = RunWords(clock, said)
    for _ in range(300):
        for state in ("ok", "lost"):
            words.cameras(health(state))
            clock.sleep(0.5)
    assert 2 <= len(said) <= 2 + 300 / QUIET_S
    assert any("came and went" in line for line in said)
    for _ in range(int(QUIET_S) + 1):
        words.cameras(health("ok"))
        clock.sleep(1.0)
    assert said[-1].startswith("info: camera c1 gives pictures")


def test_a_camera_that_never_gives_a_picture_is_said() -> None:
    said = Said()
    words = RunWords(ReplayClock(1), said)
    words.cameras(health("lost", shown=False))
    assert said == ["warning: camera c1 lost: no picture for 2.0 s"]


def test_changes_and_mistakes_of_the_site_file_are_said_once() -> None:
    said = Said()
    words = RunWords(ReplayClock(1), said)
    steps = [(False, ""), (True, ""), (False, "bad"), (False, "bad"), (False, ""), (False, "")]
    for changed, mistake in steps:
        words.site_file(changed=changed, mistake=mistake)
    assert said == [
        "info: zones, gates and limits are as the site file has them now",
        "warning: bad",
        "info: the site file has no mistakes any more",
    ]


def test_a_line_of_one_of_several_processes_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(log.VARIABLE, raising=False)
    log.Log("sender", sys.stderr, as_json=False).pass_on("lamproom: connected to x")
    assert capsys.readouterr().err == "lamproom sender: connected to x\n"
