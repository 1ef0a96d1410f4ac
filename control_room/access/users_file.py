"""The users file: names, roles and hashes of passwords, read and written whole.

Knows nothing about sessions or HTTP. `lamproom users` writes it, the control room looks at it twice
a second. It may be read by its owner alone.
"""

import contextlib
import fcntl
import os
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import yaml

from control_room.access.passwords import hash_of, is_hash
from control_room.access.roles import AccessError, Role
from control_room.complaints import printable

MAX_NAME = 64
RESERVED = ("operator", "control room", "somebody")
"""Names that acts without a login carry in the journal."""
_HEAD = (
    "# Written by `lamproom users`. Hashes are argon2id; a new stamp ends the sessions before.\n"
)
_NAME = re.compile(r"[^\W_][\w .\-·@]*")


class UnknownUserError(AccessError):
    """There is nobody of that name."""


class TakenNameError(AccessError):
    """There is somebody of that name already."""


class LastAdminError(AccessError):
    """Nobody would be left who may let others in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody with a password here."""

    name: str
    role: Role
    password: str
    """The argon2id hash."""
    stamp: str
    """Random; a session counts for as long as its user still has the stamp it began with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """All of them; `logged_out` holds stamps of people whom an OpenID provider vouches for."""

    users: tuple[User, ...] = ()
    logged_out: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> User | None:
        """Find somebody by name, however it is written."""
        wanted = name_key(name)
        return next((user for user in self.users if name_key(user.name) == wanted), None)

    def need(self, name: str) -> User:
        """Find somebody; raises `UnknownUserError`."""
        user = self.find(name)
        if user is None:
            said = printable(name[:80])
            raise UnknownUserError(
                f"{said}: no such user; `lamproom users list` tells who there is"
            )
        return user

    def add(self, name: str, role: Role, password: str) -> "Users":
        """Give the users and one more; raises `AccessError`, `TakenNameError` among them."""
        name = tidy_name(name)
        if self.find(name) is not None:
            raise TakenNameError(f"{name}: is a user already; `lamproom users passwd` or `role`")
        made = User(name=name, role=role, password=hash_of(password), stamp=new_stamp())
        return replace(self, users=(*self.users, made))

    def change(self, name: str, **new: Any) -> "Users":
        """Give the users with something new of one of them; their sessions end."""
        user = self.need(name)
        changed = replace(user, **({"stamp": new_stamp()} | new))
        return replace(self, users=tuple(changed if one is user else one for one in self.users))

    def remove(self, name: str) -> "Users":
        """Give the users without one; raises `UnknownUserError`."""
        user = self.need(name)
        return replace(self, users=tuple(one for one in self.users if one is not user))

    def log_out(self, name: str) -> "Users":
        """Give the users with the sessions of one ended, or of one from an OpenID provider."""
        if self.find(name) is not None:
            return self.change(name)
        return replace(self, logged_out=self.logged_out | {name_key(name): new_stamp()})


def read_users(path: Path) -> Users:
    """Read the file; one that is absent has nobody in it. Raises `AccessError` that names it."""
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except FileNotFoundError:
        return Users()
    except (OSError, UnicodeDecodeError) as error:
        raise AccessError(f"{path}: the users can't be read: {error}") from None
    if mode & 0o077:
        raise AccessError(f"{path}: others may read or write it; `chmod 600 {path}`")
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f":{where.line + 1}" if where else ""
        raise AccessError(f"{path}{line}: is no YAML; mend it or put the former back") from None
    return _users(path, found if found is not None else {})


def change_users(path: Path, change: Callable[[Users], Users]) -> Users:
    """Read, change and write the file, alone; raises `AccessError`. A power cut leaves it whole."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            before = read_users(path)
            after = change(before)
            if after != before:
                _write(path, after)
            return after
    except OSError as error:
        raise AccessError(f"{path}: the users can't be written: {error}") from None


def with_an_admin(before: Users, after: Users, remedy: str) -> Users:
    """Give the users after a change; raises `LastAdminError` where it leaves no admin of them.

    Only who has a password here counts: an OpenID provider may be away.
    """
    gone = [one.name for one in before.users if one.role == "admin"]
    if gone and not any(one.role == "admin" for one in after.users):
        raise LastAdminError(f"{gone[0]}: is the last admin; make another one first {remedy}")
    return after


def tidy_name(name: str) -> str:
    """Give a new user's name as it will be shown; raises `AccessError`.

    >>> tidy_name("  Li   Wei ")
    'Li Wei'
    """
    name = " ".join(unicodedata.normalize("NFKC", name).split())
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise AccessError(
            f"{ascii(name)[:80]}: give a name of letters, digits, spaces and . _ - · @, "
            f"at most {MAX_NAME} characters, that begins with a letter or digit"
        )
    if name_key(name) in RESERVED:
        raise AccessError(f"{name}: stands for acts without a login; give another name")
    return name


def name_key(name: str) -> str:
    """Give what two ways to write one name have in common.

    >>> name_key("LI wei ") == name_key("Li Wei")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def new_stamp() -> str:
    """Give a stamp that nobody has had."""
    return secrets.token_hex(8)


def _users(path: Path, found: object) -> Users:
    rows = found.get("users", []) if isinstance(found, dict) else None
    logged_out = found.get("logged_out", {}) if isinstance(found, dict) else None
    if not isinstance(rows, list) or not isinstance(logged_out, dict):
        raise AccessError(f"{path}: `users` with a list is expected; see docs/access.md")
    users = Users(logged_out={str(name): str(stamp) for name, stamp in logged_out.items()})
    for i, row in enumerate(rows):
        user = _user(f"{path}: users[{i}]", row)
        if users.find(user.name) is not None:
            raise AccessError(f"{path}: users[{i}]: {user.name} is there twice")
        users = replace(users, users=(*users.users, user))
    return users


def _user(where: str, row: object) -> User:
    fields = ("name", "role", "password", "stamp")
    if not isinstance(row, dict) or not all(isinstance(row.get(one), str) for one in fields):
        raise AccessError(f"{where}: {', '.join(fields)} are expected, each a text")
    if row["role"] not in get_args(Role):
        raise AccessError(f"{where}.role: give {', '.join(get_args(Role))}")
    if not is_hash(row["password"]):
        raise AccessError(f"{where}.password: no argon2id hash; use `lamproom users passwd`")
    tidy_name(row["name"])
    return User(**{one: row[one] for one in fields})


def _write(path: Path, users: Users) -> None:
    rows = [
        {"name": one.name, "role": one.role, "password": one.password, "stamp": one.stamp}
        for one in users.users
    ]
    said = {"users": rows, "logged_out": users.logged_out}
    text = _HEAD + yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=1000)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text.encode())
        file.flush()
        _give_away(file.fileno(), path)
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others from writing: two at once would lose a user."""
    lock = path.with_name(f".{path.name}.lock")
    with open(os.open(lock, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        _give_away(file.fileno(), path)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _give_away(descriptor: int, path: Path) -> None:
    """Root may make a user; the control room, which runs as somebody else, must read the file."""
    if os.geteuid() == 0:
        owner = path.stat() if path.exists() else path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
