"""What a gateway says on stderr: lines for people, or JSON lines for programs.

Knows nothing about what is said. `LAMPROOM_LOG=json` (or `lamproom run --log json`) makes one JSON
object a line: time, level, service, message, and fields that programs can sort by. Whatever else a
process writes to its stderr, a library's warning or a traceback, goes the same way. Passwords in
addresses are taken out of everything.
"""

import contextlib
import io
import json
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Literal, TextIO
from urllib.parse import urlsplit

Level = Literal["info", "warning", "error"]
FORMS = ("text", "json")
VARIABLE = "LAMPROOM_LOG"
LONGEST_LINE = 8000
"""Longer lines are cut: a log must not fill the disk with one mistake."""

_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>[^\s'\"<>]+)", re.I)
_SECRET = re.compile(
    r"\b(password|passwd|pwd|secret|token)(['\"]?\s*[=:]\s*['\"]?)[^\s'\"&,;]+", re.I
)
_CAMERAS = ("rtsp", "rtsps")
_LOGINS = {
    "admin",
    "root",
    "user",
    "username",
    "login",
    "pass",
    "passwd",
    "password",
    "pwd",
    "auth",
}
"""A path with one of these words may hold a password."""
_PREFIX = re.compile(r"^lamproom(?: (?P<service>[a-z][a-z0-9 _-]*))?: ")
_FIELDS: ContextVar[Mapping[str, object]] = ContextVar("fields", default=MappingProxyType({}))
RESERVED = ("time", "level", "service", "message")


class Log:
    """Where one process says things."""

    def __init__(self, service: str, out: TextIO, *, as_json: bool) -> None:
        self.service = service
        self._out = out
        self._as_json = as_json
        self._lock = threading.Lock()

    def say(self, text: str, level: Level = "info", **fields: object) -> None:
        """Say one thing; never raises, whatever became of stderr."""
        if level == "error":
            for heed in _heeders:
                heed(_clean(text).partition("\n")[0])
        self._write(self._line(text, level, self.service, fields))

    def pass_on(self, line: str) -> None:
        """Say a line that somebody else wrote to stderr."""
        found = _PREFIX.match(line)
        if not self._as_json:
            if found and not found["service"]:  # who says it? One of several processes
                line = f"lamproom {self.service}: {line[found.end() :]}"
            self._write(_clean(line))
            return
        service = (found and found["service"]) or self.service
        text = line[found.end() :] if found else line
        self._write(self._line(text, "info", service, {}))

    def _line(self, text: str, level: Level, service: str, fields: Mapping[str, object]) -> str:
        if not self._as_json:
            return f"lamproom {service}: {_clean(text)}"
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said: dict[str, object] = dict(
            zip(RESERVED, (now, level, service, _clean(text)), strict=True)
        )
        for name, value in {**_FIELDS.get(), **fields}.items():
            said.setdefault(name, _plain(value))
        return json.dumps(said, ensure_ascii=False)

    def _write(self, line: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._out.write(f"{line}\n")
            self._out.flush()


class _Stderr(io.TextIOBase):
    """Stands in for `sys.stderr`: whole lines go to the log."""

    def __init__(self, log: Log, below: TextIO) -> None:
        self._log = log
        self._below = below
        self._begun = ""
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As below."""
        return self._below.encoding

    def fileno(self) -> int:
        """As below: children inherit it."""
        return self._below.fileno()

    def isatty(self) -> bool:
        """As below."""
        return self._below.isatty()

    def writable(self) -> bool:
        """Tell that it takes texts."""
        return True

    def write(self, text: str) -> int:
        """Take a text; what has no line end yet waits for it."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            if len(self._begun) > LONGEST_LINE:
                lines, self._begun = [*lines, self._begun], ""
        for line in lines:
            if line.strip():
                self._log.pass_on(line)
        return len(text)


_heeders: list[Callable[[str], None]] = []
"""Who wants to know of errors besides."""
_logs: list[Log] = []
"""The log of this process, once it has been started."""


def start(service: str, *, native: bool = False) -> None:
    """Let this process say everything through one log, under the name `service`.

    With `native`, lines that libraries written in C put on stderr become JSON too, where JSON is
    asked for. For processes that are killed when they stop reading, so that nobody waits for them.
    """
    below = sys.__stderr__ if isinstance(sys.stderr, _Stderr) or sys.stderr is None else sys.stderr
    if below is None:  # a process without a stderr says nothing
        below = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    as_json = _as_json()
    heard = None
    if native and as_json:
        heard, below = _listen(below.fileno())
    log = Log(service, below, as_json=as_json)
    if heard is not None:
        threading.Thread(target=_pass_on_all, args=(heard, log), name="log", daemon=True).start()
    sys.stderr = _Stderr(log, below)
    _logs[:] = [log]
    sys.excepthook = _crashed
    threading.excepthook = lambda args: _crashed(
        args.exc_type, args.exc_value, args.exc_traceback, args.thread
    )


def say(text: str, level: Level = "info", **fields: object) -> None:
    """Say one thing on this process's log; on plain stderr before `start`."""
    _current().say(text, level, **fields)


def heed(take: Callable[[str], None]) -> None:
    """Hand the first line of every error that this process tells of to `take`, and to no other.

    Without passwords, as in the log.
    """
    _heeders[:] = [take]


def _current() -> Log:
    return _logs[0] if _logs else Log("run", sys.stderr, as_json=_as_json())


def _as_json() -> bool:
    return os.environ.get(VARIABLE) == "json"


def _listen(number: int) -> tuple[TextIO, TextIO]:
    """Put a pipe where a stream was; gives the pipe's end, and the stream as it was."""
    below = open(os.dup(number), "w", encoding="utf-8", errors="replace")  # noqa: SIM115
    ours, theirs = os.pipe()
    os.dup2(theirs, number)
    os.close(theirs)
    return open(ours, encoding="utf-8", errors="replace"), below


def _pass_on_all(heard: TextIO, log: Log) -> None:
    for line in heard:
        if line.strip():
            log.pass_on(line.rstrip("\n"))


@contextlib.contextmanager
def about(**fields: object) -> Iterator[None]:
    """Add fields to all that is said while the block lasts."""
    token = _FIELDS.set({**_FIELDS.get(), **fields})
    try:
        yield
    finally:
        _FIELDS.reset(token)


def crash(error: BaseException, where: str = "") -> None:
    """Tell of a mistake of ours, with its traceback."""
    _crashed(type(error), error, error.__traceback__, where=where)


def without_secrets(text: str) -> str:
    """Take passwords out of a text: in addresses, and behind words such as `password=`.

    Of a camera's address host and path are left, and the path only if it can hold no password.

    >>> without_secrets("cannot open rtsp://admin:pa@ss/word@10.0.0.4:554/h264?password=x now")
    'cannot open rtsp://10.0.0.4:554 now'
    >>> without_secrets("cannot open rtsp://admin:secret@10.0.0.4:554/h264?password=x now")
    'cannot open rtsp://10.0.0.4:554/h264 now'
    >>> without_secrets("mqtts://gw1:secret@broker.mine:8883 refuses us, password=secret")
    'mqtts://broker.mine:8883 refuses us, password=…'
    """
    return _SECRET.sub(r"\1\2…", _ADDRESS.sub(_address, text))


def shown_path(address: str) -> str:
    """Give the path of a camera's address, which is what may be wrong; empty if in doubt.

    Cameras take passwords in many places. `address` is what comes behind `rtsp://`.

    >>> shown_path("admin:pw@10.0.0.4/Streaming/Channels/101?a=b"), shown_path("c/admin/12345/1")
    ('/Streaming/Channels/101', '')
    """
    before, slash, path = address.partition("/")
    path = re.split(r"[?#]", path)[0]
    words = {word for part in path.lower().split("/") for word in re.split(r"[._-]", part)}
    if before.count("@") > 1 or "@" in address[len(before) :] or words & _LOGINS:
        return ""
    return slash + path if path and re.fullmatch(r"[\w./-]+", path, re.ASCII) else ""


def _address(found: re.Match[str]) -> str:
    scheme, rest = found["scheme"], found["rest"]
    is_camera = scheme.lower() in _CAMERAS
    if not is_camera and "@" not in rest:
        return found[0]
    rest = rest.rpartition("@")[2]
    if not is_camera:
        return f"{scheme}://{rest}"
    try:
        host = urlsplit(f"{scheme}://{rest}").netloc
        return f"{scheme}://{host}{shown_path(found['rest'])}" if host else f"{scheme}://…"
    except ValueError:
        return f"{scheme}://…"


def _clean(text: str) -> str:
    """Make a text fit for a log: no secrets, no control characters (a name could hold any)."""
    text = "".join(c if c.isprintable() or c in "\n\t" else "?" for c in without_secrets(text))
    text = text.replace("\n", "\n  ")  # nobody's text begins a line of its own
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"


def _plain(value: object) -> str | int | float | None:
    if isinstance(value, bool | int | float) or value is None:
        return value
    return _clean(str(value))


def _crashed(
    kind: type[BaseException],
    error: BaseException | None,
    trace: TracebackType | None,
    thread: threading.Thread | None = None,
    where: str = "",
) -> None:
    if kind is SystemExit:
        return
    where = where or (f"thread {thread.name}" if thread is not None else "")
    lines = "".join(traceback.format_exception(kind, error, trace))
    text = f"{f'{where}: ' if where else ''}{kind.__name__}: {error}"
    log = _current()
    if _as_json():
        log.say(text, "error", traceback=lines)
    else:
        log.say(f"{text}\n{lines.rstrip()}", "error")
