"""The list of all certificates that a site has issued: who, until when, taken back or not.

Knows nothing about cryptography.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from edge.certificates.safe_files import read_file, write_file
from scene.errors import CertificateError

Role = Literal["gateway", "control_room", "subscriber", "system", "broker", "node"]
"""Of certificates: what their owner is. `system` is one of the mine's own systems (tags, machines);
`broker` is a server, `node` one of a cluster's, which call each other, all others are clients."""
SERVERS: tuple[Role, ...] = ("broker", "node")

WARN_BEFORE = timedelta(days=30)
"""So long before the end a certificate is called about to expire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One certificate."""

    name: str
    """What the certificate says (CN): the user's name in Mosquitto's access lists."""
    role: Role
    serial: int
    since: datetime
    until: datetime
    revoked: datetime | None = None
    hosts: tuple[str, ...] = ()
    """Of a broker or node: its names and addresses."""
    speaks: str = ""
    """Of one of the mine's own systems: the topic that is its own, a key of `TOPICS`."""
    files: str = "client"
    """How its files are called."""

    @property
    def counts(self) -> bool:
        """Whether it was not taken back."""
        return self.revoked is None

    def status(self, now: datetime) -> str:
        """Tell in a word or two whether it can be used."""
        if self.revoked is not None:
            return f"revoked {self.revoked:%Y-%m-%d}"
        if now >= self.until:
            return "EXPIRED"
        days = (self.until - now).days
        return f"ends in {days} days" if self.until - now < WARN_BEFORE else "valid"


class Register:
    """The list in a file; every change is written at once."""

    def __init__(self, path: Path) -> None:
        """Read the list; an absent file is an empty one. Raises `CertificateError`."""
        self._path = path
        self.entries: tuple[Entry, ...] = _read(path) if path.exists() else ()

    def add(self, entry: Entry) -> None:
        """Note a certificate."""
        self._keep((*self.entries, entry))

    def revoke(self, serials: Iterable[int], at: datetime) -> None:
        """Take certificates back."""
        wanted = set(serials)
        self._keep(
            tuple(
                replace(entry, revoked=at) if entry.serial in wanted and entry.counts else entry
                for entry in self.entries
            )
        )

    def of(self, name: str) -> tuple[Entry, ...]:
        """Give the certificates of one name that count, oldest first."""
        return tuple(entry for entry in self.entries if entry.name == name and entry.counts)

    def users(self) -> tuple[Entry, ...]:
        """Give the newest certificate of each client that has one that counts, by name."""
        newest = {entry.name: entry for entry in self.let_in()}
        return tuple(newest[name] for name in sorted(newest))

    def let_in(self) -> tuple[Entry, ...]:
        """Give all certificates of clients that count, oldest first; a client may have several."""
        return tuple(entry for entry in self.entries if entry.counts and entry.role not in SERVERS)

    def newest(self) -> tuple[Entry, ...]:
        """Give the newest certificate that counts of every name and set of files."""
        latest = {(entry.name, entry.files): entry for entry in self.entries if entry.counts}
        return tuple(latest[key] for key in sorted(latest))

    def _keep(self, entries: tuple[Entry, ...]) -> None:
        text = json.dumps([_plain(entry) for entry in entries], indent=1) + "\n"
        write_file(self._path, text.encode())
        self.entries = entries


def _plain(entry: Entry) -> dict[str, object]:
    plain = asdict(entry)
    for field in ("since", "until", "revoked"):
        plain[field] = plain[field] and plain[field].isoformat()
    return plain | {"serial": f"{entry.serial:x}"}


def _read(path: Path) -> tuple[Entry, ...]:
    try:
        return tuple(_entry(row) for row in json.loads(read_file(path, "the list of certificates")))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CertificateError(
            f"{path}: is not a list of certificates ({type(error).__name__}: {error}); take it "
            "from your back-up"
        ) from None


def _entry(row: dict[str, object]) -> Entry:
    if row["role"] not in get_args(Role):
        raise ValueError(f"role {row['role']!r}")

    def date(field: str) -> datetime | None:
        said = row[field]
        return None if said is None else datetime.fromisoformat(str(said)).astimezone(UTC)

    since, until = date("since"), date("until")
    if since is None or until is None:
        raise ValueError("a certificate without dates")
    hosts = row["hosts"]
    return Entry(
        name=str(row["name"]),
        role=row["role"],  # type: ignore[arg-type] # looked at above
        serial=int(str(row["serial"]), 16),
        since=since,
        until=until,
        revoked=date("revoked"),
        hosts=tuple(map(str, hosts)) if isinstance(hosts, list) else (),
        speaks=str(row["speaks"]),
        files=str(row["files"]),
    )
