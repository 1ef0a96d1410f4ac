"""The users file and `lamproom users`, as a process of its own where that matters."""

import os
import pty
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from control_room.access.doorkeeper import _look
from control_room.access.passwords import fits, needs_new_hash
from control_room.access.roles import AccessError
from control_room.access.sessions import Sessions
from control_room.access.users_file import Users, change_users, read_users
from scene.clock import SystemClock
from tests.control_room.access.house import PASSWORD, House, wait_for


def command(*words: str, typed: str | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "edge.main", "users", *words],
        input=typed, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_users_are_made_changed_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "state" / "users.yaml"
    at = ("--users", str(file))
    made = command("add", "Li Wei", "--role", "operator", *at, typed=PASSWORD + "\n")
    assert (made.returncode, made.stderr) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    [user] = read_users(file).users
    assert (user.name, user.role) == ("Li Wei", "operator")
    assert fits(user.password, PASSWORD)
    assert user.password.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    other = tmp_path / "password"
    other.write_text("another long password\n")
    command("passwd", "li wei", "--password-file", str(other), *at)
    command("role", "Li Wei", "admin", *at)
    [changed] = read_users(file).users
    assert fits(changed.password, "another long password")
    assert changed.role == "admin"
    assert changed.stamp != user.stamp
    assert command("list", *at).stdout == "admin     Li Wei\n"
    for words in (("remove", "Li Wei"), ("role", "Li Wei", "viewer")):
        kept = command(*words, *at)
        assert kept.returncode == 2
        assert "Li Wei: is the last admin" in kept.stderr
        assert read_users(file).users == (changed,)
    assert command("remove", "Li Wei", "--force", *at).returncode == 0
    assert read_users(file) == Users()
    empty = command("list", *at)
    assert (empty.returncode, empty.stdout) == (0, "")
    assert (
        f"make the first one: lamproom users add NAME --role admin --users {file}" in empty.stderr
    )


def test_only_who_is_known_or_logged_in_is_logged_out(users_file: Path) -> None:
    at = ("--users", str(users_file))
    nobody = command("logout", "nobody", *at)
    assert nobody.returncode == 2
    assert "nobody: no such user, and nobody of that name is logged in" in nobody.stderr
    with closing(Sessions(users_file.with_name("sessions.sqlite"), SystemClock(), print)) as kept:
        kept.start("Zhang San", "viewer", "oidc", "")
        assert command("logout", "nobody", *at).returncode == 2
        assert read_users(users_file).logged_out == {}
        assert command("logout", "zhang san", *at).returncode == 0, "an OpenID user"
    assert command("logout", "Ada", *at).returncode == 0, "a user who is not logged in"
    assert command("logout", "nobody", "--force", *at).returncode == 0
    assert set(read_users(users_file).logged_out) == {"zhang san", "nobody"}


@pytest.mark.parametrize(
    ("words", "typed", "told"),
    [
        (("add", "Li", "--role", "operator"), "short\n", "12 to 256"),
        (("add", "Li", "--role", "operator"), "", "12 to 256"),
        (("add", "<img>", "--role", "operator"), PASSWORD, "letters, digits"),
        (("add", "Control Room", "--role", "operator"), PASSWORD, "stands for"),
        (("add", "Li", "--role", "root"), PASSWORD, "invalid choice"),
        (("add", "Li", "--role", "admin", "--password-file", "/none"), None, "/none: "),
        (("passwd", "Li"), PASSWORD, "no such user"),
        (("remove", "Li"), None, "no such user"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_exit_code_2(
    tmp_path: Path, words: tuple[str, ...], typed: str | None, told: str
) -> None:
    tried = command(*words, "--users", str(tmp_path / "users.yaml"), typed=typed)
    assert tried.returncode == 2
    assert told in tried.stderr
    assert "Traceback" not in tried.stderr
    assert not (tmp_path / "users.yaml").exists()


def test_a_terminal_shows_no_password(tmp_path: Path) -> None:
    """A real terminal: what is typed must not come back."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", sys.executable, "-m", "edge.main",
         "users", "add", "Li", "--role", "viewer", "--users", str(tmp_path / "users.yaml")],
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""

    def read_until(what: bytes) -> None:
        nonlocal shown
        while what not in shown:
            shown += os.read(ours, 1000)

    read_until(b"Password of Li: ")
    os.write(ours, PASSWORD.encode() + b"\n")
    read_until(b"Once more: ")
    os.write(ours, PASSWORD.encode() + b"\n")
    read_until(b"added")
    assert process.wait(60) == 0
    os.close(ours)
    assert PASSWORD.encode() not in shown
    [user] = read_users(tmp_path / "users.yaml").users
    assert fits(user.password, PASSWORD)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("users: [", r"users.yaml:1: is no YAML"),
        ("- a", "`users` with a list"),
        ("users:\n- name: a\n", r"users\[0\]: name, role, password, stamp"),
        ("users:\n- {name: a, role: root, password: x, stamp: x}", r"users\[0\].role: give viewer"),
        ("users:\n- {name: a, role: admin, password: x, stamp: x}", r"users\[0\].password: no arg"),
    ],
)
def test_a_file_with_mistakes_names_the_field(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "users.yaml"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(AccessError, match=told):
        read_users(file)


def test_a_file_that_others_may_read_is_refused(users_file: Path) -> None:
    users_file.chmod(0o640)
    with pytest.raises(AccessError, match="chmod 600"):
        read_users(users_file)


def test_two_who_write_at_once_lose_nobody(users_file: Path) -> None:
    stamps = [read_users(users_file).need("Ada").stamp]

    def log_out(i: int) -> None:
        change_users(users_file, lambda users: users.log_out(f"n{i}"))

    threads = [threading.Thread(target=log_out, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = read_users(users_file)
    assert len(after.logged_out) == 20
    assert after.need("Ada").stamp in stamps
    assert not users_file.with_name(".users.yaml.new").exists()


def test_an_old_hash_becomes_a_new_one_at_the_next_login(home: House) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    change_users(home.users, lambda users: users.change("Li Wei", password=old))
    assert wait_for(lambda: home.doorkeeper.users.need("Li Wei").password == old)
    with home.log_in("Li Wei") as dispatcher:
        now = read_users(home.users).need("Li Wei")
        assert not needs_new_hash(now.password)
        assert fits(now.password, PASSWORD)
        assert wait_for(lambda: home.doorkeeper._looked == _look(home.users)), "read again"
        assert dispatcher.get("/api/me").json()["role"] == "operator", "it throws nobody out"
