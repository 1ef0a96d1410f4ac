import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.install_command import KINDS, verify
from edge.main import main

ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not there")
DEBIANS = Path("/lib/systemd/system/mosquitto.service")
SITE = "/etc/lamproom/site.yaml"
UNITS = Path("etc/systemd/system")
GATEWAY = UNITS / "lamproom-gateway.service"
CONTROL_ROOM = UNITS / "lamproom-control-room.service"
BROKER = UNITS / "mosquitto.service.d" / "lamproom.conf"


def install(root: Path, *words: str) -> int:
    kind, *rest = words
    if kind != "broker":
        rest += ["--program", "/bin/true"]
    if kind == "gateway":
        rest += [SITE]
    return main(["install", kind, "--root", str(root), *rest])


def settings(file: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize(
    ("code", "waits"), [("2", True), ("0", False), ("1", False), ("KILL", False)]
)
def test_bad_input_is_not_tried_again_without_a_pause(
    tmp_path: Path, code: str, waits: bool
) -> None:
    assert install(tmp_path, "gateway") == 0
    _, line = settings(tmp_path / GATEWAY)["ExecStopPost"]
    words = shlex.split(line.replace("$$", "$").replace("sleep 10", "exit 9"))
    ended = subprocess.run(words, env={"EXIT_STATUS": code}, check=False)
    assert ended.returncode == (9 if waits else 0)


@pytest.mark.parametrize(
    ("result", "status", "waits"),
    [
        ("exit-code", "1", True),
        ("signal", "SEGV", True),
        ("core-dump", "SEGV", True),
        ("core-dump", "KILL", True),
        ("resources", "", True),
        ("protocol", "0", True),
        ("timeout", "KILL", True),
        ("success", "0", False),
        ("signal", "KILL", False),
        ("oom-kill", "KILL", False),
        ("watchdog", "ABRT", False),
    ],
)
@pytest.mark.parametrize(
    "unit", [("gateway", GATEWAY), ("control-room", CONTROL_ROOM), ("broker", BROKER)]
)
def test_who_was_killed_is_back_at_once_and_who_crashes_is_not(
    tmp_path: Path, unit: tuple[str, Path], result: str, status: str, waits: bool
) -> None:
    kind, file = unit
    assert install(tmp_path, kind) == 0
    said = settings(tmp_path / file)
    assert said["RestartSec"] == ["100ms"]
    line = said["ExecStopPost"][0]
    words = shlex.split(line.replace("$$", "$").replace("sleep 1", "exit 9"))
    said_to_it = {"SERVICE_RESULT": result, "EXIT_STATUS": status}
    ended = subprocess.run(words, env=said_to_it, check=False)
    assert ended.returncode == (9 if waits else 0)


@pytest.mark.parametrize("kind", ["gateway", "control-room", "broker"])
def test_everything_is_written_below_root(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install(tmp_path, kind) == 0
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {unit.place.relative_to("/") for unit in KINDS[kind]}
    for path in written:
        text = (tmp_path / path).read_text()
        assert not re.search(r"@[A-Z_]+@", text)
    said = capsys.readouterr().out
    assert "daemon-reload" in said
    assert "systemctl enable --now" in said


@pytest.mark.parametrize(
    ("kind", "unit"),
    [("gateway", GATEWAY), ("control-room", CONTROL_ROOM), ("broker", BROKER)],
)
def test_it_runs_without_rights_for_ever_and_writes_only_its_state(
    tmp_path: Path, kind: str, unit: Path
) -> None:
    install(tmp_path, kind)
    said = settings(tmp_path / unit)
    wanted = {
        "User": "mosquitto" if kind == "broker" else "lamproom",
        "ReadWritePaths": "/var/lib/mosquitto" if kind == "broker" else f"/var/lib/lamproom/{kind}",
        "ProtectSystem": "strict",
        "ProtectHome": "true",
        "PrivateTmp": "true",
        "PrivateDevices": "true",
        "NoNewPrivileges": "true",
        "CapabilityBoundingSet": "",
        "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "SystemCallFilter": "@system-service",
        "Restart": "always",
        "StartLimitIntervalSec": "0",
    }
    assert {name: said[name] for name in wanted} == {
        name: [value] for name, value in wanted.items()
    }
    if kind == "gateway":
        assert said["Type"] == ["notify"]
        assert said["WatchdogSec"] == ["10"]
    if kind != "broker":
        assert said["OOMPolicy"] == ["continue"], "one process is made anew, not all are ended"


@needs_systemd
@pytest.mark.parametrize("kind", ["gateway", "control-room", "broker"])
def test_systemd_finds_no_fault(tmp_path: Path, kind: str) -> None:
    assert install(tmp_path, kind) == 0
    for unit in (tmp_path / UNITS).glob("*.service"):
        assert verify([unit]) == []


@needs_systemd
@pytest.mark.skipif(not DEBIANS.exists(), reason="Debian's mosquitto.service is not there")
def test_systemd_finds_no_fault_with_debians_unit_and_ours(tmp_path: Path) -> None:
    install(tmp_path, "broker")
    shutil.copy(DEBIANS, tmp_path / UNITS)
    unit = tmp_path / UNITS / DEBIANS.name
    assert verify([unit]) == []
    ours = unit.with_name("mosquitto.service.d") / "lamproom.conf"
    ours.write_text(ours.read_text().replace("ProtectHome=", "ProtectHme="))
    assert any("ProtectHme" in fault for fault in verify([unit]))


@needs_systemd
def test_a_fault_would_be_found(tmp_path: Path) -> None:
    install(tmp_path, "gateway")
    unit = tmp_path / GATEWAY
    unit.write_text(unit.read_text().replace("ProtectSystem=", "ProtectSytem="))
    assert any("ProtectSytem" in fault for fault in verify([unit]))


@needs_systemd
@pytest.mark.parametrize("kind", ["gateway", "control-room"])
def test_little_is_exposed(tmp_path: Path, kind: str) -> None:
    install(tmp_path, kind)
    unit = tmp_path / UNITS / f"lamproom-{kind}.service"
    done = subprocess.run(
        [str(ANALYZE), "security", "--no-pager", "--offline=true", "--threshold=20", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "nknown option" in done.stderr or "unrecognized option" in done.stderr:
        pytest.skip("systemd-analyze is too old to judge a file")
    assert done.returncode == 0, done.stdout[-300:]


def test_what_a_gpu_and_a_limit_of_memory_change(tmp_path: Path) -> None:
    install(tmp_path, "gateway", "--gpu", "--memory-max", "4G")
    said = settings(tmp_path / GATEWAY)
    assert "PrivateDevices" not in said
    assert said["DevicePolicy"] == ["closed"]
    assert "char-nvidia-uvm rw" in said["DeviceAllow"]
    assert said["MemoryMax"] == ["4G"]


def test_options_are_passed_on_as_they_are(tmp_path: Path) -> None:
    install(tmp_path, "gateway", "--options=--trusted-key '/etc/100% $x/a b.pub'")
    (command,) = settings(tmp_path / GATEWAY)["ExecStart"]
    assert command == (
        f"/bin/true run {SITE} --state /var/lib/lamproom/gateway "
        '--trusted-key "/etc/100%% $$x/a b.pub"'
    )


def test_a_state_folder_elsewhere_has_to_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path, "gateway", "--state", "/data/mine/gw1")
    assert "install -d -o lamproom -g lamproom -m 750 /data/mine/gw1" in capsys.readouterr().out
    said = settings(tmp_path / GATEWAY)
    assert said["ReadWritePaths"] == ["/data/mine/gw1"]
    assert said["StateDirectory"] == [""]


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert install(tmp_path, "gateway", "--dry-run") == 0
    assert "ProtectSystem=strict" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what this machine is"),
        (("gateway", "site.yaml"), "give the whole path"),
        (("gateway", SITE, "--state", "/"), "folder of its own"),
        (("gateway", SITE, "--state", "/var"), "folder of its own"),
        (("gateway", SITE, "--user", "x\nUser=root"), "user's name"),
        (("gateway", SITE, "--memory-max", "much"), "500M"),
        (("gateway", "/a\nUser=root"), "line break"),
        (("gateway", SITE, "--options", "it's"), "No closing quotation"),
        (("broker", "--broker-folder", "x"), "give the whole path"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    root = ["--root", str(tmp_path)] if words else []
    assert main(["install", *words, *root]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
