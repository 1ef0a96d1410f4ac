import argparse
from pathlib import Path

import pytest

from edge import doctor
from edge.cameras.decoding import devices, trouble_with
from tests.edge.cameras.test_rtsp import NEEDS, Server, has_server
from tests.edge.test_bad_input import SITE

__all__ = ["has_server"]


def installed(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    named = {name.replace("_", "-"): version for name, version in versions.items()}
    true = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: named.get(name, true(name)))


def test_this_very_machine_is_fit_and_names_the_real_provider(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert doctor.run(argparse.Namespace(quiet=False, cameras=False, site=None)) == 0
    shown = capsys.readouterr().out
    assert "provider really in use: CPUExecutionProvider" in shown
    assert doctor.run(argparse.Namespace(quiet=True, cameras=False, site=None)) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({"onnxruntime": "1.2", "onnxruntime_gpu": "1.2"}, "are both installed"),
        ({"onnxruntime": None, "onnxruntime_gpu": None}, "ONNX Runtime is not installed"),
        (
            {"opencv_python": "5.0", "opencv_python_headless": "4.1"},
            "opencv-python and opencv-python-headless are both installed",
        ),
    ],
)
def test_what_must_not_be_is_refused_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    versions: dict[str, str | None],
    expected: str,
) -> None:
    installed(monkeypatch, **versions)
    assert doctor.run(argparse.Namespace(quiet=True, cameras=False, site=None)) == 1
    shown = capsys.readouterr().out
    assert expected in shown
    assert "install" in shown


def test_a_gpu_wheel_without_a_gpu_is_only_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch, onnxruntime=None, onnxruntime_gpu="1.31")
    assert doctor.run(argparse.Namespace(quiet=False, cameras=False, site=None)) == 0
    assert "note  onnxruntime-gpu finds no GPU" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["/dev/shm", "/no/such/folder"])
def test_little_shared_memory_is_only_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    usage = type("Usage", (), {"free": 300_000})
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage)
    monkeypatch.setattr(doctor, "SHARED_MEMORY", Path(place))
    assert doctor.run(argparse.Namespace(quiet=False, cameras=False, site=None)) == 0
    assert f"note  {place} " in capsys.readouterr().out


def test_all_that_running_needs_is_imported() -> None:
    assert {"amqtt", "rich", "zstandard", "paho.mqtt.client"} <= set(doctor.MODULES)


def test_a_missing_module_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MODULES", {"no_such_module": "no-such-package"})
    (finding,) = doctor.look_at_modules()
    assert not finding.good
    assert finding.remedy.startswith("install no-such-package")


def test_hardware_decoders_are_only_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run(argparse.Namespace(quiet=False, cameras=False, site=None)) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "hardware decoder" in line]
    assert [device in line for device, line in zip(devices(), told, strict=False)].count(True) == (
        len(devices())
    )
    for line, device in zip(told, devices(), strict=False):
        assert line.startswith("ok" if not trouble_with(device) else "note")


def test_a_camera_that_sends_key_frames_seldom_is_told_of(
    has_server: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not has_server:
        pytest.skip(NEEDS)
    server, gone = Server(), Server()
    gone.kill()
    (tmp_path / "site.yaml").write_text(
        SITE.replace(
            "- {name: cam1, url: cam1.mp4}",
            f'- {{name: often, url: "{server.url()}"}}\n'
            f'  - {{name: seldom, url: "{server.url("seldom")}"}}\n'
            f'  - {{name: gone, url: "{gone.url(login="viewer:secret@")}"}}',
        )
    )
    try:
        arguments = argparse.Namespace(quiet=False, cameras=False, site=tmp_path / "site.yaml")
        assert doctor.run(arguments) == 1
    finally:
        server.kill()
    shown = capsys.readouterr().out
    lines = {line.split()[2].rstrip(":"): line for line in shown.splitlines() if " camera " in line}
    assert lines["often"].startswith("ok") and "1.0 s" in lines["often"]
    assert lines["seldom"].startswith("note") and "3.0 s" in lines["seldom"]
    assert "set its I-frame interval (GOP) to 1 s or less" in lines["seldom"]
    assert lines["gone"].startswith("FAIL") and "can't be listened to" in lines["gone"]
    assert "secret" not in shown


def test_its_help_teaches_exit_codes_and_key_frames() -> None:
    for words in ("Exit code 0", "1: some of it is not", "key frame", "--cameras"):
        assert words in doctor.HELP
