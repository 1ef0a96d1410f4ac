"""The watch over disks, with numbers; the whole of it on a real disk that runs full."""

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from delivery.mqtt import Connection
from delivery.outbox import Outbox
from delivery.recordings.reader import read_recording
from edge.options import RunOptions
from edge.services import SERVICES, Supervisor
from edge.storage_watch import CLEAR_AFTER_S, Room, StorageWatch, look_at
from scene.clock import ReplayClock, SystemClock
from scene.messages import Anomaly
from scene.site import BrokerConfig
from scene.wire import decode
from tests.delivery.parts import HANG_S, MOSQUITTO, NO_MOSQUITTO, SITE, alarm, free_port, mosquitto
from tests.edge.processes import pid_below
from tests.sample_site import FOLDER

MB = 1_000_000


def room(free_mb: float, size_mb: float = 100_000.0, trouble: str = "") -> Room:
    return Room(
        folder=Path("/mine/state"),
        free_bytes=round(free_mb * MB),
        size_bytes=round(size_mb * MB),
        trouble=trouble,
    )


@pytest.mark.parametrize(
    ("free_mb", "size_mb", "low", "enough"),
    [
        (499, 100_000, True, False),
        (501, 100_000, False, False),
        (1000, 100_000, False, True),
        (49, 1000, True, False),
        (51, 1000, False, False),
        (100, 1000, False, True),
        (0, 0, False, True),  # a file system without a size of its own
    ],
)
def test_five_per_cent_or_500_mb_are_low_and_twice_as_much_is_enough(
    free_mb: float, size_mb: float, low: bool, enough: bool
) -> None:
    assert bool(room(free_mb, size_mb).low) is low
    assert room(free_mb, size_mb).enough is enough


def test_a_disk_that_can_only_be_read_is_never_enough() -> None:
    broken = room(5000, trouble="its disk can only be read")
    assert broken.low == "/mine/state: its disk can only be read"
    assert not broken.enough


def test_one_alarm_from_low_to_enough_for_a_while() -> None:
    clock = ReplayClock(10**12)
    watch = StorageWatch(clock)
    said: list[Anomaly] = []

    def passes(duration_s: float, free_mb: float, *, paused: bool = False) -> None:
        for _ in range(round(duration_s)):
            clock.sleep(1.0)
            said.extend(watch.look([room(5000), room(free_mb)], recording_paused=paused))

    passes(60, 600)
    assert said == []
    passes(60, 400)
    assert [one.state for one in said] == ["active"]
    assert "400 MB of 100000 MB are free, below 500 MB" in said[0].evidence
    passes(60, 600)
    passes(60, 5000, paused=True)
    passes(CLEAR_AFTER_S - 1, 5000)
    passes(1, 400)
    passes(CLEAR_AFTER_S, 5000)
    assert [one.state for one in said] == ["active"], "it flaps"
    passes(2, 5000)
    assert [(one.id, one.state) for one in said[1:]] == [(said[0].id, "cleared")]


def test_a_recorder_without_room_is_an_alarm_whatever_the_disk_says() -> None:
    watch = StorageWatch(ReplayClock(10**12))
    (raised,) = watch.look([room(5000)], recording_paused=True)
    assert "nothing is recorded" in raised.evidence


def test_a_folder_that_is_not_there_yet_lies_on_its_parents_disk(tmp_path: Path) -> None:
    found = look_at(tmp_path / "a" / "b")
    assert found.size_bytes == look_at(tmp_path).size_bytes > 0


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Path]:
    """Mount a real file system of its own, in memory."""
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small disk can't be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(file: Path) -> None:
    """Write until the disk takes no more."""
    with file.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(65536))
        except OSError as error:
            assert error.errno == errno.ENOSPC


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_on_a_full_disk_recording_stops_alarms_go_on_and_all_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.storage_watch.CLEAR_AFTER_S", 1.0)
    # So large that the outbox's ballast, once freed, does not make room to record on.
    with small_disk(tmp_path / "disk", 60) as disk, mosquitto(tmp_path) as broker:
        site = SITE.replace("rig: {", f"rig: {{file: {FOLDER}/rig.yaml, ")
        (tmp_path / "site.yaml").write_text(f"{site}panorama: {{port: {free_port()}}}\n")
        options = RunOptions(
            site_file=tmp_path / "site.yaml",
            broker_url=broker.url,
            state_folder=disk / "state",
            record=disk / "run.mcap",
        )
        heard: list[Anomaly] = []

        def hear(topic: str, payload: bytes, retained: bool) -> None:
            body = decode(payload).body if payload else None
            if isinstance(body, Anomaly) and (body.id, body.state) not in known():
                heard.append(body)

        def known() -> list[tuple[str, str]]:
            return [(one.id, one.state) for one in heard]

        listener = Connection(BrokerConfig(url=broker.url), client_id="listener")
        listener.subscribe("mine/+/gw/+/alarm/+", 1, hear)
        listener.connect(wait=True)

        def heard_of(kind: str, state: str) -> bool:
            return any((one.kind, one.state) == (kind, state) for one in heard)

        def steps() -> Iterator[None]:
            first, second = disk / "run.mcap", disk / "run-2.mcap"
            while not first.exists() or not first.stat().st_size or not list(read_recording(first)):
                yield
            fill(disk / "filler")
            filled_s = time.monotonic()
            while not heard_of("storage", "active"):
                yield
            alarmed_s = time.monotonic()
            # The recorder looks for itself, and must have seen it: else it has nothing to come back
            # from, and goes on in its first file.
            while not supervisor._running["recorder"].signs.paused.value:
                yield
            print(f"storage alarm heard {alarmed_s - filled_s:.2f} s after the disk was full")
            # The disk is full, and an alarm still finds its place on it.
            outbox = Outbox(disk / "state", SystemClock())
            for number in range(50):
                assert outbox.put(alarm(f"man_down-{number}"))
                if number == 25:
                    os.kill(pid_below("self", "sender"), signal.SIGKILL)
            while sum(one.kind == "man_down" for one in heard) < 50:
                yield
            outbox.close()
            assert not second.exists(), "recording has stopped"
            assert list(read_recording(first)), "what was recorded can be read"
            (disk / "filler").unlink()
            while not second.exists() or not heard_of("storage", "cleared"):
                yield
            assert first.exists(), "nothing is deleted"

        rows = {name: SERVICES[name] for name in ("recorder", "sender")}
        said: list[str] = []
        going, until_s = steps(), time.monotonic() + 2 * HANG_S

        def over() -> bool:
            assert time.monotonic() < until_s, (said, heard)
            return next(going, "over") == "over"

        supervisor = Supervisor(options, said.append, rows)
        code = supervisor.run(until=over)
        listener.close()
        assert code == 0
        assert said == ["sender ended with -9; starting it again"], "only who was killed died"


def test_a_gateway_starts_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 6) as disk:
        with_one = Outbox(disk / "state", SystemClock())
        with_one.put(alarm("man_down-1"))
        with_one.close()
        fill(disk / "filler")
        again = Outbox(disk / "state", SystemClock())
        assert again.put(alarm("man_down-2"))
        assert {one.id for one in again.pending()} == {"man_down-1", "man_down-2"}
        again.close()


def test_a_folder_that_is_written_to_twice_is_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prometheus takes no figure that comes twice."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    state, record = tmp_path / "state", Path("state/run.mcap")
    options = RunOptions(site_file=tmp_path / "site.yaml", state_folder=state, record=record)
    assert options.folders(options.site()) == (state,)
