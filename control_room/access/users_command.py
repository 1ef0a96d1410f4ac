"""`lamproom users`: who may log in to the control room's page.

Knows nothing about sessions or HTTP: it changes the users file, and the control room looks at it.
"""

import argparse
import contextlib
import getpass
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from control_room.access.roles import ROLES, AccessError
from control_room.access.users_file import (
    Users,
    change_users,
    name_key,
    read_users,
    tidy_name,
    with_an_admin,
)
from control_room.complaints import printable

HELP = """\
Who may log in to the page of the control room, and as what: a viewer looks, an operator acts on
alarms, an admin also manages users.

  lamproom users add "Li Wei" --role operator       asks for the password twice
  lamproom users passwd "Li Wei"
  lamproom users role "Li Wei" admin
  lamproom users remove "Li Wei"
  lamproom users logout "Li Wei"                    ends all sessions, also of OpenID users
  lamproom users list

A control room that runs takes it up within a second: whoever is removed, or gets another role or
password, is logged out, and open pages say so. The first user of all counts from the next start of
the control room on. Passwords are never given on the command line; without a terminal, the first
line of the standard input is the password. See docs/access.md."""

FILE = Path("state/users.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom users`."""
    acts = parser.add_subparsers(dest="act", metavar="act", title="acts", required=True)
    for name, said, does in (
        ("add", "add somebody", _add),
        ("passwd", "give somebody another password", _passwd),
        ("role", "give somebody another role", _role),
        ("remove", "remove somebody", _remove),
        ("logout", "end somebody's sessions", _logout),
        ("list", "who there is", _list),
    ):
        one = acts.add_parser(name, help=said)
        one.set_defaults(does=does)
        if name != "list":
            one.add_argument("name", metavar="NAME")
        if name == "add":
            one.add_argument("--role", choices=ROLES, required=True)
        if name in ("remove", "role"):
            one.add_argument(
                "--force", action="store_true", help="also if no admin is left afterwards"
            )
        if name == "logout":
            one.add_argument("--force", action="store_true", help="also a name that nobody knows")
        if name == "role":
            one.add_argument("role", choices=ROLES)
        if name in ("add", "passwd"):
            one.add_argument(
                "--password-file", metavar="FILE", help="holds the password; -: standard input"
            )
        one.add_argument("--users", type=Path, metavar="FILE", default=FILE, help=f"default {FILE}")


def run(args: argparse.Namespace) -> int:
    """Do it; raises `AccessError`."""
    return int(args.does(args))


def _add(args: argparse.Namespace) -> int:
    name = tidy_name(args.name)
    if read_users(args.users).find(name) is not None:
        raise AccessError(f"{name}: is a user already; `lamproom users passwd` or `role`")
    password = _password(args)
    return _change(args, lambda users: users.add(name, args.role, password), "added")


def _passwd(args: argparse.Namespace) -> int:
    from control_room.access.passwords import hash_of

    read_users(args.users).need(args.name)
    hashed = hash_of(_password(args))
    return _change(args, lambda users: users.change(args.name, password=hashed), "changed")


def _role(args: argparse.Namespace) -> int:
    def change(users: Users) -> Users:
        return _with_an_admin(users, users.change(args.name, role=args.role), args)

    return _change(args, change, "changed")


def _remove(args: argparse.Namespace) -> int:
    def change(users: Users) -> Users:
        return _with_an_admin(users, users.remove(args.name), args)

    return _change(args, change, "removed")


def _logout(args: argparse.Namespace) -> int:
    def change(users: Users) -> Users:
        if users.find(args.name) is None and not args.force:
            _need_session(args.users.with_name("sessions.sqlite"), args.name)
        return users.log_out(args.name)

    return _change(args, change, "logged out")


def _list(args: argparse.Namespace) -> int:
    users = read_users(args.users).users
    for user in sorted(users, key=lambda user: name_key(user.name)):
        print(f"{user.role:9} {user.name}")
    if not users:
        where = "" if args.users == FILE else f" --users {args.users}"
        print(
            "no users yet; make the first one: lamproom users add NAME --role admin" + where,
            file=sys.stderr,
        )
    return 0


def _with_an_admin(before: Users, after: Users, args: argparse.Namespace) -> Users:
    if args.force:
        return after
    return with_an_admin(before, after, "(`lamproom users role NAME admin`), or give --force")


def _need_session(file: Path, name: str) -> None:
    """Raise `AccessError` unless somebody of the name is logged in, or that can't be told."""
    names = list[str]()
    if file.is_file():
        try:
            with contextlib.closing(
                sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
            ) as db:
                names = [name_key(row[0]) for row in db.execute("SELECT name FROM sessions")]
        except sqlite3.Error:
            return
    if name_key(name) not in names:
        raise AccessError(
            f"{printable(name[:80])}: no such user, and nobody of that name is logged in "
            f"({file}); `lamproom users list` tells who there is; --force does it all the same"
        )


def _change(args: argparse.Namespace, change: Callable[[Users], Users], done: str) -> int:
    change_users(args.users, change)
    print(f"{args.name}: {done} ({args.users})")
    return 0


def _password(args: argparse.Namespace) -> str:
    if args.password_file not in (None, "-"):
        try:
            text = Path(args.password_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise AccessError(f"--password-file {args.password_file}: {error}") from None
        return text.removesuffix("\n").removesuffix("\r")
    if args.password_file == "-" or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(f"Password of {args.name}: ")
    if getpass.getpass("Once more: ") != first:
        raise AccessError("the two passwords differ; nothing is changed")
    return first
