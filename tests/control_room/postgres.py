"""A private PostgreSQL server for tests, on a socket in a folder of its own, under no root."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parts[-2])
NO_POSTGRES = "PostgreSQL is not installed (apt-get install postgresql)"
HANG_S = 60.0


def has_postgres() -> bool:
    return bool(BINARIES) and (BINARIES[-1] / "initdb").exists()


class Postgres:
    """One server; databases are made and named by tests."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        """Make and start it; `port` is one on 127.0.0.1, where there is to be one."""
        self._folder, self.port = folder, port
        self.data = folder / "data"
        # The server refuses to run as root.
        root = os.geteuid() == 0
        names = {one.pw_name for one in pwd.getpwall()}
        self._user = ("postgres" if "postgres" in names else "nobody") if root else None
        if self._user:
            shutil.chown(folder, self._user)
        self._made = 0
        options = ("-U", "lamproom", "-E", "UTF8", "--locale=C", "-A", "trust", "-N")
        self._run("initdb", "-D", self.data, *options)
        self.start()

    def start(self, *, ready: bool = True) -> None:
        """Start it; `-k` is where its socket lies, and mostly there is no other door."""
        door = f"'127.0.0.1' -p {self.port}" if self.port else "''"
        options = (
            f"-k {self._folder} -c fsync=off -c shared_buffers=16MB -c listen_addresses={door}"
        )
        words = ("-D", self.data, "-o", options, "-l", self._folder / "log", "-t", "60")
        self._run("pg_ctl", "start", "-w" if ready else "-W", *words)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate", "-D", self.data, "-t", "60")

    def new_database(self) -> str:
        """Make a place where nothing is yet; gives its address.

        A schema of its own: whole databases take ten times as long to make and 7 MB each.
        """
        self._made += 1
        self.run_sql(f"CREATE SCHEMA journal{self._made}")
        return self.address("postgres") + f"&options=-csearch_path%3Djournal{self._made}"

    def run_sql(self, *statements: str) -> None:
        import psycopg

        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            for sql in statements:
                connection.execute(sql.encode())

    def address(self, name: str, user: str = "lamproom") -> str:
        port = f"&port={self.port}" if self.port else ""
        return f"postgresql://{user}@/{name}?host={self._folder}{port}"

    def give(self, name: str, content: bytes) -> None:
        """Put a file, such as its certificate, where it looks for it; nobody else may read it."""
        file = self.data / name
        file.write_bytes(content)
        file.chmod(0o600)
        if self._user:
            shutil.chown(file, self._user)

    def kill(self) -> None:
        """Kill it as a power cut does, all of its processes."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

    def limit_files(self, pids: list[int], most_bytes: str) -> None:
        """Let these of its processes write no longer files than this."""
        for pid in pids:
            words = ["prlimit", "--pid", str(pid), f"--fsize={most_bytes}:unlimited"]
            subprocess.run(words, user=self._user, check=True)

    def trust(self, rules: str) -> None:
        """Say who is let in, and how."""
        (self.data / "pg_hba.conf").write_text(rules)
        self._run("pg_ctl", "reload", "-D", self.data)

    def _run(self, program: str, *words: object) -> None:
        # Not through a pipe, which the server would keep open.
        with (self._folder / "said").open("w+") as said:
            done = subprocess.run(
                [BINARIES[-1] / program, *map(str, words)],
                user=self._user,
                cwd=self._folder,
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                check=False,
            )
            said.seek(0)
            assert done.returncode == 0, f"{program}: {said.read()}"


def pids_of(application: str, server: Postgres) -> list[int]:
    """List the server's processes that serve connections of a program."""
    import psycopg

    with psycopg.connect(server.address("postgres"), autocommit=True) as asking:
        rows = asking.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s", (application,)
        ).fetchall()
    return [pid for (pid,) in rows]


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Have processes hang for a while."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def postgres(*, port: int | None = None) -> Iterator[Postgres]:
    """Run a server for as long as the block lasts."""
    # Not in pytest's folder, which nobody but root may enter; a socket's path must be short, too.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        server = Postgres(folder, port=port)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < until_s, "it never happened"
        time.sleep(0.02)
