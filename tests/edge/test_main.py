import subprocess
import sys
from pathlib import Path

import pytest

from edge.main import COMMANDS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_in_its_help(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) > 4


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_the_readme(command: str) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"lamproom {command}" in readme


def test_bad_input_is_one_line_without_a_traceback() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "edge.main", "check", "nowhere.yaml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stderr == "lamproom check: nowhere.yaml: there is no such site file\n"


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "first steps" in capsys.readouterr().out


def test_onnx_runtime_tells_its_makers_nothing(tmp_path: Path) -> None:
    """Left alone it keeps a number of this machine, and what it is to send, below the home."""
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "edge.main", "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "provider really in use: CPUExecutionProvider" in done.stdout
    assert [path.name for path in tmp_path.rglob("*")] == []
