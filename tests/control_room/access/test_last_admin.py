"""Somebody is always left who may let others in: over HTTP and on the command line."""

import threading
from pathlib import Path

import httpx
import pytest

from control_room.access.users_file import change_users, read_users
from edge.main import main
from tests.control_room.access.house import NAMES, PASSWORD, House, house
from tests.control_room.access.test_matrix import OIDC


def admins(file: Path) -> list[str]:
    return [user.name for user in read_users(file).users if user.role == "admin"]


def audited(home: House) -> list[str]:
    home.doorkeeper.audited.flush()
    rows = home.journal._database.rows("SELECT what FROM audit", ())
    return [what for (what,) in rows if what.startswith("user_")]


@pytest.mark.parametrize(
    ("action", "more"),
    [("remove", {}), ("role", {"role": "operator"}), ("role", {"role": "viewer"})],
)
def test_the_last_admin_here_stays_whoever_asks(
    users_file: Path, action: str, more: dict[str, str]
) -> None:
    """An admin of the OpenID provider, which may be away tomorrow."""
    with house(users_file.parent, oidc=OIDC, journal_file=users_file.with_name("j.sqlite")) as home:
        token = home.doorkeeper.sessions.start("Chen", "admin", "oidc", "")
        with home.client(cookies={"lamproom": token}) as chen, home.as_role("admin") as ada:
            answer = chen.post(f"/api/users/{action}", json={"name": "ada"} | more)
            assert answer.status_code == 409
            assert answer.json()["error"].startswith("Ada: is the last admin; make another one")
            assert ada.get("/api/me").json()["role"] == "admin", "nothing has happened"
            assert audited(home) == []
            answer = chen.post("/api/users/role", json={"name": "Wall", "role": "admin"})
            assert answer.status_code == 200
            assert chen.post(f"/api/users/{action}", json={"name": "ada"} | more).is_success
            assert audited(home) == ["user_role", f"user_{action}"]
        assert admins(users_file) == ["Wall"]


@pytest.mark.parametrize(("action", "more"), [("remove", {}), ("role", {"role": "viewer"})])
def test_an_admin_does_not_lock_themself_out(
    home: House, action: str, more: dict[str, str]
) -> None:
    change_users(home.users, lambda users: users.change("Wall", role="admin"))
    with home.as_role("admin") as ada:
        for name in ("Ada", " aDA "):
            answer = ada.post(f"/api/users/{action}", json={"name": name} | more)
            assert answer.status_code == 409
            assert "another admin must" in answer.json()["error"]
    assert admins(home.users) == ["Wall", "Ada"]


def test_two_admins_who_remove_each_other_at_once_leave_one(home: House) -> None:
    names = [NAMES["admin"], "Wall"]
    change_users(home.users, lambda users: users.change("Wall", role="admin"))
    gate, answers = threading.Barrier(2), list[int]()

    def remove(mine: httpx.Client, other: str) -> None:
        gate.wait()
        answers.append(mine.post("/api/users/remove", json={"name": other}).status_code)

    with home.log_in(names[0], PASSWORD) as ada, home.log_in(names[1], PASSWORD) as wall:
        both = [
            threading.Thread(target=remove, args=pair)
            for pair in ((ada, names[1]), (wall, names[0]))
        ]
        for one in both:
            one.start()
        for one in both:
            one.join()
    assert len(admins(home.users)) == 1
    assert answers.count(200) == 1, answers


@pytest.mark.parametrize("words", [["remove", "ada"], ["role", "Ada", "viewer"]])
def test_the_command_refuses_it_too_unless_told_twice(
    users_file: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = ["--users", str(users_file)]
    assert main(["users", *words, *file]) == 2
    said = capsys.readouterr().err
    assert "Ada: is the last admin; make another one first" in said
    assert "--force" in said
    assert admins(users_file) == ["Ada"]
    assert main(["users", *words, *file, "--force"]) == 0
    assert admins(users_file) == []
