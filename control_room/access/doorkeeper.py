"""Who may come in: users, sessions and their pace put together, and all lines that are open.

Knows nothing about HTTP or WebSockets beyond that a line can be told to close. To be used in the
web server's loop; what touches the disk goes to a thread.
"""

import asyncio
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from control_room.access.audited import Audited
from control_room.access.pace import Buckets, LoginPace
from control_room.access.passwords import BusyError, Checker, hash_of, needs_new_hash
from control_room.access.roles import AccessError, Role
from control_room.access.sessions import Session, Sessions, acts_until_ns, may_act
from control_room.access.users_file import (
    RESERVED,
    User,
    Users,
    change_users,
    name_key,
    read_users,
)
from control_room.complaints import printable
from scene.clock import Clock

if TYPE_CHECKING:  # most have no OpenID provider, and alarms wait for what is imported here
    from control_room.access.oidc_settings import OidcSettings

MAX_TOLD_BURST, TOLD_PER_S = 20, 0.2
UNKNOWN = "somebody unknown"
"""Whoever gives a name that is no user's: it may be a password in the wrong field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: nobody known, somebody who has logged in, or anybody where no login is asked."""

    name: str | None = None
    role: Role | None = None
    """What they may do now."""
    session: Session | None = None

    @property
    def stepped_down(self) -> bool:
        """Whether they could act again by logging in anew."""
        return self.session is not None and self.session.role != self.role


class RefusedLogin(Exception):
    """A login is refused: `wrong`, `wait` (with seconds) or `busy`."""

    def __init__(self, why: str, wait_s: float = 0.0) -> None:
        super().__init__(why)
        self.why, self.wait_s = why, wait_s


class Line:
    """An open WebSocket of a session; `over` is set when it must close."""

    def __init__(self, key: str) -> None:
        self.key, self.over = key, asyncio.Event()


class Doorkeeper:
    """Lets people in, and shows them out when they are removed."""

    def __init__(
        self,
        users_file: Path,
        sessions_file: Path | None,
        clock: Clock,
        say: Callable[[str], None],
        *,
        oidc: "OidcSettings | None" = None,
    ) -> None:
        """Read users and sessions; raises `AccessError`."""
        self._file, self.clock, self._say = users_file, clock, say
        self.users = read_users(users_file)
        self.sessions = Sessions(sessions_file, clock, say)
        self.oidc = oidc
        self.pace = LoginPace(clock)
        self._checker = Checker()
        self.audited = Audited(clock, say)
        self._told = Buckets(clock, burst=MAX_TOLD_BURST, per_s=TOLD_PER_S)
        self._lines: set[Line] = set()
        self._looked = _look(users_file)
        self._trouble = ""
        self._changing = threading.RLock()
        self._drop_void()

    async def log_in(
        self, name: str, password: str, *, address: str, device: str | None
    ) -> tuple[User, str]:
        """Let somebody in by password; gives the user and what the browser is to hold.

        `device` is what the browser shows of an earlier login. Raises `RefusedLogin`.
        """
        user = self.users.find(name)
        key = name_key(name)[:100]
        known = device if device and user and self._is_device(user, device) else None
        wait_s = self.pace.begin(key, address, known)
        who = user.name if user else UNKNOWN
        if wait_s > 0.0:
            self.tell(f"login of {who} from {address} refused: too many tries")
            self.audited.refuse(who, address, "too many tries")
            raise RefusedLogin("wait", wait_s)
        try:
            hashed = user.password if user else None
            fits = await self._checker.fits(hashed, password, known=known is not None)
        except BusyError:
            raise RefusedLogin("busy", 2.0) from None
        if not fits or user is None:
            self.tell(f"login of {who} from {address} refused: wrong name or password")
            self.audited.refuse(who, address, "wrong name or password")
            raise RefusedLogin("wrong")
        self.pace.succeed(key, address, known)
        if needs_new_hash(user.password):
            await asyncio.to_thread(self._hash_anew, user, password)
        token = await asyncio.to_thread(
            self.sessions.start, user.name, user.role, "local", user.stamp
        )
        self.tell(f"{user.name} ({user.role}) logged in from {address}")
        await self.note(user.name, "log_in", role=user.role, address=address)
        return user, token

    async def let_in(self, name: str, role: Role, address: str) -> str:
        """Let somebody in for whom the OpenID provider vouches; raises `AccessError`."""
        if self.users.find(name) is not None or name_key(name) in RESERVED:
            raise AccessError(f"{name}: is somebody else's name here")
        stamp = self.users.logged_out.get(name_key(name), "")
        token = await asyncio.to_thread(self.sessions.start, name, role, "oidc", stamp)
        self.tell(f"{name} ({role}, OpenID) logged in from {address}")
        await self.note(name, "log_in", role=role, address=address, by="OpenID")
        return token

    def caller(self, token: str | None) -> Caller:
        """Tell who calls with what a browser holds."""
        session = self.sessions.find(token) if token else None
        if session is None or not self._counts(session):
            return Caller()
        acts = may_act(session, self.clock.now_ns())
        return Caller(name=session.name, role=session.role if acts else "viewer", session=session)

    def me(self, caller: Caller) -> dict[str, object]:
        """Tell somebody who they are here."""
        session = caller.session
        acts = session is not None and caller.role != "viewer"
        return {
            "login": True,
            "name": caller.name,
            "role": caller.role,
            "log_in_to_act": caller.stepped_down,
            "acts_until_ns": acts_until_ns(session) if acts and session else None,
        }

    async def log_out(self, session: Session) -> None:
        """End a session and close its lines."""
        await asyncio.to_thread(self.sessions.end, [session.key])
        self._close_void_lines()
        self.tell(f"{session.name} logged out")
        await self.note(session.name, "log_out")

    async def change(self, by: str, what: str, name: str, change: Callable[[Users], Users]) -> None:
        """Change the users file, for `by`; raises `AccessError`."""
        await asyncio.to_thread(self._change, change)
        user = self.users.find(name)
        self.tell(f"{by}: users: {what} {printable(name[:80])}")
        await self.note(by, f"user_{what}", name[:80], role=user.role if user else None)

    def _change(self, change: Callable[[Users], Users]) -> None:
        with self._changing:
            self._read_again()  # what came by another way has an entry of its own
            self.users = change_users(self._file, change)

    async def note(self, who: str, what: str, about: str = "", **body: object) -> None:
        """Write an entry into the audit; one that can't be written now is written later."""
        self.audited.note(who, what, about, **body)
        await asyncio.to_thread(self.audited.flush)

    def device_name(self, name: str) -> str:
        """Name what a browser shows to tell that this user has logged in there before."""
        return self._mac("name", name_key(name))[:12]

    def new_device(self, user: User) -> str:
        """Give what a browser is to show; it counts until the user's stamp changes."""
        nonce = secrets.token_hex(16)
        return f"{nonce}.{self._mac('device', user.stamp, nonce)}"

    def _is_device(self, user: User, shown: str) -> bool:
        nonce, _, mac = shown.partition(".")
        wanted = self._mac("device", user.stamp, nonce)
        return hmac.compare_digest(mac.encode(), wanted.encode())

    def _mac(self, *words: str) -> str:
        said = "\0".join(words).encode("utf-8", "surrogatepass")
        return hmac.new(self.sessions.secret, said, hashlib.sha256).hexdigest()

    def open_line(self, session: Session) -> Line:
        """Remember a WebSocket; close it with `close_line`."""
        line = Line(session.key)
        self._lines.add(line)
        return line

    def close_line(self, line: Line) -> None:
        """Forget a WebSocket."""
        self._lines.discard(line)

    async def tick(self) -> None:
        """Look at the users file, end what is void; to be called twice a second."""
        await asyncio.to_thread(self._read_again)
        for key in {line.key for line in self._lines}:
            self.sessions.use(key)
        await asyncio.to_thread(self._drop_void)
        await asyncio.to_thread(self.sessions.tick)
        self.audited.tell_of_many()
        await asyncio.to_thread(self.audited.flush)
        self._close_void_lines()

    def tell(self, text: str) -> None:
        """Say who comes and goes; a flood of it is not told."""
        if self._told.wait_s("") == 0.0:
            self._told.take("")
            self._say(text)

    def close(self) -> None:
        """Write down what is to be kept."""
        self._checker.close()
        self.sessions.close()

    def _counts(self, session: Session) -> bool:
        """Tell whether the one whose session it is may still come in with it."""
        if session.source == "oidc":
            stamp = self.users.logged_out.get(name_key(session.name), "")
            return self.oidc is not None and session.stamp == stamp
        user = self.users.find(session.name)
        return user is not None and (user.role, user.stamp) == (session.role, session.stamp)

    def _drop_void(self) -> None:
        self.sessions.end([one.key for one in self.sessions.all() if not self._counts(one)])

    def _close_void_lines(self) -> None:
        alive = {one.key for one in self.sessions.all()}
        for line in self._lines:
            if line.key not in alive:
                line.over.set()

    def _read_again(self) -> None:
        """Read the users file if it has changed; with mistakes in it the former users stay."""
        with self._changing:
            looked = _look(self._file)
            if looked == self._looked:
                return
            try:
                if looked is None:
                    raise AccessError(f"{self._file}: the users file is gone")
                before, self.users, self._trouble = self.users, read_users(self._file), ""
                self._looked = looked
                self.audited.note_changes(before, self.users)
            except AccessError as error:
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    self._say(f"{error}; the former users stay until it is mended")

    def _hash_anew(self, user: User, password: str) -> None:
        with suppress(AccessError):  # the old hash is as good as it was; a disk may be full

            def anew(users: Users) -> Users:
                now = users.find(user.name)
                if now != user:
                    return users
                return users.change(user.name, password=hash_of(password), stamp=user.stamp)

            self._change(anew)


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def anybody() -> Caller:
    """Give who calls where no login is asked for."""
    return replace(Caller(), role="operator")
