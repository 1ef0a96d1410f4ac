"""On a Ray cluster of two nodes, one of them killed in the midst, comes out what comes out here."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from edge.reanalysis.job import Job
from edge.reanalysis.on_ray import RayError, on_ray
from edge.reanalysis.workers import Do, Outcome
from tests.edge.processes import below, is_alive
from tests.reanalysis.archive_of import LIMIT_S, results, until
from tests.reanalysis.test_reanalyse import command, jobs_of

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray (extra scale)")


PATIENT = {
    "RAY_gcs_server_request_timeout_seconds": "600",
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_health_check_timeout_ms": "120000",
}
"""Who answers late on a busy machine is not dead."""


@dataclass
class Cluster:
    """Two nodes of one core each."""

    program: "subprocess.Popen[str]"
    address: str
    raylet: int
    environment: dict[str, str]

    def works_on_second(self) -> bool:
        """Tell whether a segment is being done on the second node."""
        return any("lamproom-segment" in _words(pid) for pid in below(self.raylet))

    def kill_second(self) -> None:
        assert self.program.stdin is not None and self.program.stdout is not None
        print("kill", file=self.program.stdin, flush=True)
        assert self.program.stdout.readline() == "killed\n"
        assert not is_alive(self.raylet)


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def _unused(job: Job) -> bytes:
    raise AssertionError(job)


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """Give an address at which something says that, and no more; none where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        if answer is None:
            yield "127.0.0.1:1"
            return

        def say() -> None:
            with server.accept()[0] as connection:
                connection.sendall(answer)
                with suppress(ConnectionResetError):
                    while connection.recv(1000):
                        pass

        saying = pool.submit(say)
        yield f"127.0.0.1:{server.getsockname()[1]}"
        saying.result()


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (None, "no Ray cluster can be reached there: [Errno 111] Connection refused"),
        (b"", "no Ray cluster can be reached there: timed out"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "what answers there is no Ray cluster"),
    ],
)
def test_where_no_ray_is_it_is_one_clear_error(
    answer: bytes | None,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before Ray is begun, which would wait for minutes and then end the process."""
    monkeypatch.setattr("edge.reanalysis.on_ray.ANSWERS_IN_S", 1.0)
    with listening(answer) as address:
        with pytest.raises(RayError) as error:
            list(on_ray(_unused, (), address))
        assert str(error.value) == f"--ray {address}: {word}"


def _ended(do: Do, jobs: Sequence[Job], address: str, pipe: Connection) -> None:
    """Do as Ray does a minute after its head was lost."""
    pipe.send(Outcome(job=jobs[0], body=b"done"))
    os._exit(1)


def test_a_cluster_that_is_gone_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.reanalysis.on_ray._drive", _ended)
    found = on_ray(_unused, jobs_of(["a", "b"]), "auto")
    assert next(found).body == b"done"
    with pytest.raises(RayError, match=r"--ray auto: the cluster is gone\. What is done is kept"):
        next(found)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Give a folder with a short name: Ray's sockets lie there, and their paths may not be long."""
    place = Path(tempfile.mkdtemp(prefix="lr-", dir="/tmp"))
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def cluster(folder: Path) -> Iterator[Cluster]:
    environment = {
        **os.environ,
        "HOME": str(folder),  # Ray keeps a token there
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": str(folder),
    }
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.reanalysis.two_ray_nodes", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, **PATIENT},
    )
    assert program.stdin is not None and program.stdout is not None
    with program:
        address, raylet = program.stdout.readline().split()
        yield Cluster(program, address, int(raylet), environment)
        program.stdin.close()
        program.stdout.read()


def test_a_node_that_is_killed_in_the_midst_changes_no_byte(
    archive: Path, later: Path, cluster: Cluster, tmp_path: Path
) -> None:
    given = (archive / "fall", "--site", later)
    here, whole, killed = (tmp_path / name for name in ("here", "whole", "killed"))
    subprocess.run(command(*given, "--jobs", 1, "-o", here), check=True, timeout=LIMIT_S)
    on_ray = ("--ray", cluster.address, "-o")
    subprocess.run(
        command(*given, *on_ray, whole), check=True, timeout=LIMIT_S, env=cluster.environment
    )
    with subprocess.Popen(
        command(*given, *on_ray, killed), env=cluster.environment, stdout=subprocess.PIPE, text=True
    ) as running:
        until(lambda: cluster.works_on_second() or running.poll() is not None)
        assert running.poll() is None, "it ended before"
        cluster.kill_second()
        said, _ = running.communicate(timeout=LIMIT_S)
    assert running.returncode == 0
    assert len(said.splitlines()) == 2, "what Ray has to say of it goes to its own logs"
    assert len([name for name in results(here) if name.startswith("segments/")]) == 4
    assert results(whole) == results(here)
    assert results(killed) == results(here)
