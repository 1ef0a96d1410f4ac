"""All that `lamproom certs` does: one folder with a site's authority and a folder per machine.

Knows nothing about the command line. The folder belongs on a machine without a network; what is in
`ca/` never leaves it. After every change the brokers' access and revocation lists are written anew,
and whoever calls is told which files go to which machine.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from delivery.trust import trust_file
from edge.broker_files.config import BrokerSettings, hosts_of, write_config, write_lists
from edge.broker_files.nats import NodeSettings, check_nodes, write_node, write_users
from edge.certificates.authority import (
    EARLIER,
    Authority,
    host_name,
    key_pem,
    new_key,
    new_serial,
    public_key_of,
    read_certificate,
    utc_now,
)
from edge.certificates.register import SERVERS, WARN_BEFORE, Entry, Register, Role
from edge.certificates.safe_files import (
    SECRET,
    make_secret_folder,
    read_file,
    refuse_to_overwrite,
    remove_file,
    write_file,
)
from edge.certificates.signing_keys import make_signing_pair
from scene.errors import CertificateError

CONTROL_ROOM = "control_room"
"""The first control room; further ones are called control_room-NAME."""
BROKER = "broker"
SIGNER = "site_signer"
RESERVED = (CONTROL_ROOM, BROKER, SIGNER, "authority")
SIGNS: tuple[Role, ...] = ("gateway", "control_room")
"""Who signs messages."""
MACHINES: dict[Role, str] = {
    "gateway": "gateway {}",
    "subscriber": "{}",
    "system": "the mine's {} system",
    "control_room": "the control room",
    "broker": "the broker",
    "node": "NATS node {}",
}
LISTS: dict[Role, tuple[str, ...]] = {"broker": ("acl", "crl.pem"), "node": ("users.conf",)}
RELOAD: dict[Role, str] = {"broker": "then reload the broker", "node": "then reload it"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Files that go to a machine."""

    machine: str
    folder: Path
    files: tuple[str, ...]
    note: str = ""


class Workshop:
    """A site's certificates in one folder; every method raises `CertificateError`."""

    def __init__(self, folder: Path, now: datetime | None = None) -> None:
        self.folder = folder
        self.authority = Authority(folder / "ca")
        self.register = Register(folder / "ca" / "certificates.json")
        self.now = now or utc_now()

    def issue(
        self, role: Role, name: str, *, days: int, replace: bool = False, speaks: str = ""
    ) -> list[Parcel]:
        """Make key and certificate of a client, and signing keys where it signs messages."""
        self._check_name(name, role)
        entry = self._entry(name, role, days, speaks=speaks)
        folder = self._folder_of(entry)
        secrets = [folder / "client.key"]
        if role in SIGNS:
            secrets.append(folder / "signing.key")
        if not replace:
            refuse_to_overwrite(*secrets)
        self._make(entry)
        files = ("client.key", "client.pem", "ca.pem")
        if role not in SIGNS:
            return [self._parcel(entry, files), *self._refresh()]
        # A certificate that is replaced keeps its signing keys: they have a life of their own.
        signing = [] if secrets[1].exists() else self._signing(name, role, replace=False)
        note = "keys for this machine alone"
        return [self._parcel(entry, (*files, "signing.key"), note), *signing, *self._refresh()]

    def issue_broker(
        self, settings: BrokerSettings, hosts: tuple[str, ...], *, days: int, replace: bool
    ) -> list[Parcel]:
        """Make a broker's key, certificate and configuration, reachable under `hosts`.

        One on a gateway gets the bridge's certificate, too: the gateway's user, another key.
        """
        for host in hosts:
            host_name(host)
        name = settings.gateway or BROKER
        if settings.gateway is not None:
            self._wanted(name, "gateway")
        server = self._entry(name, "broker", days, hosts=hosts, files="server")
        folder = self._folder_of(server)
        if not replace:
            refuse_to_overwrite(folder / "server.key")
        self._make(server)
        if settings.gateway is not None:
            self._make(self._entry(name, "gateway", days, files="bridge"))
        if settings.to_nats is None:
            nodes = {host for entry in self._nodes() for host in entry.hosts}
            to_nats = bool(nodes & set(hosts_of(settings.surface)))
            settings = dataclasses.replace(settings, to_nats=to_nats)
        write_config(folder, self.authority.site, settings)
        note = f"into {settings.folder}, keys for user mosquitto alone"
        first = self._parcel(server, ("everything",), note)
        return [first, *(other for other in self._refresh() if other.folder != folder)]

    def issue_nodes(
        self, nodes: Sequence[NodeSettings], *, days: int, replace: bool
    ) -> list[Parcel]:
        """Make keys, certificates and configurations of a NATS cluster's nodes.

        They are called nats-1, nats-2 and so on. A cluster is made as a whole: each node's file
        names the others.
        """
        check_nodes(nodes)
        entries = []
        for number, node in enumerate(nodes, 1):
            for host in node.hosts:
                host_name(host)
            name = f"nats-{number}"
            self._check_name(name, "node")
            entries.append(self._entry(name, "node", days, hosts=node.hosts, files="server"))
        gone = [one for one in self._nodes() if one.name not in {entry.name for entry in entries}]
        if gone:
            raise CertificateError(
                f"{gone[0].name}: belongs to the former cluster; take it back first: "
                f"`lamproom certs revoke {gone[0].name}`"
            )
        if not replace:
            refuse_to_overwrite(*(self._folder_of(entry) / "server.key" for entry in entries))
        made = []
        for at, entry in enumerate(entries):
            self._make(entry)
            write_node(self._folder_of(entry), self.authority.site, entry.name, nodes, at)
            note = f"{entry.hosts[0]}, into {nodes[at].folder}, keys for user nats alone"
            made.append(self._parcel(entry, ("everything",), note))
        folders = {parcel.folder for parcel in made}
        return [*made, *(other for other in self._refresh() if other.folder not in folders)]

    def renew(self, name: str, *, days: int) -> list[Parcel]:
        """Give all certificates of a name a new end; keys stay, so no secret travels."""
        found = [entry for entry in self.register.newest() if entry.name == name]
        if not found:
            raise CertificateError(
                f"{name}: has no certificate that counts; see `lamproom certs list`"
            )
        parcels = []
        for entry in found:
            file = self._folder_of(entry) / f"{entry.files}.pem"
            public = public_key_of(read_certificate(file), file)
            since, until = self._dates(days)
            renewed = replace(entry, serial=new_serial(), since=since, until=until)
            write_file(file, self.authority.issue(renewed, public))
            self.register.add(renewed)
            note = RELOAD.get(entry.role, "in place of the former")
            parcels.append(self._parcel(entry, (file.name,), note))
        # NATS knows a client by its very certificate, and must have heard of it before it comes.
        return [*self._refresh(("node",)), *parcels]

    def revoke(self, name: str, *, former: bool) -> list[Parcel]:
        """Take certificates of a name back: all, or only the `former` ones that were replaced.

        With all of them goes the signing key: whoever has stolen the one has the other, too.
        """
        found = self.register.of(name)
        if former:
            kept = {entry.serial for entry in self.register.newest()}
            found = tuple(entry for entry in found if entry.serial not in kept)
        if not found:
            which = "former certificate" if former else "certificate"
            raise CertificateError(f"{name}: has no {which} that counts; see `lamproom certs list`")
        self.register.revoke((entry.serial for entry in found), self.now)
        distrusted = [] if former else self._distrust(found[-1])
        return [*self._refresh(), *distrusted]

    def _distrust(self, entry: Entry) -> list[Parcel]:
        """Take a signer's keys away, so that new ones are made with its next certificate."""
        role = _role_of(entry.name)
        trusted = self.folder / "trusted" / self._trust_file(role, entry.name)
        if entry.name == BROKER or not trusted.exists():
            return []
        folder = self._folder_of(replace(entry, role=role, files="client"))
        for path in (folder / "signing.key", folder / "signing.pub", trusted):
            remove_file(path)
        return [
            Parcel(
                machine=self._readers_of(role),
                folder=trusted.parent,
                files=(trusted.name,),
                note="is gone: delete it there, too",
            )
        ]

    def new_signing_keys(self, name: str) -> list[Parcel]:
        """Make new signing keys; the former public key counts beside the new one for now."""
        role = _role_of(name)
        entry = self._wanted(name, role)
        note = "only after its public key is everywhere; then start it anew"
        return [
            *self._signing(name, role, replace=True),
            self._parcel(entry, ("signing.key",), note),
        ]

    def drop_former_signing_keys(self, name: str) -> list[Parcel]:
        """Let only the present signing key of a name count."""
        role = _role_of(name)
        folder = self._folder_of(self._wanted(name, role))
        return self._trust(name, role, read_file(folder / "signing.pub", "a public signing key"))

    def make_signer(self, *, replace: bool) -> list[Parcel]:
        """Make the key that signs site files, and its public half for all gateways."""
        folder = self.folder / SIGNER
        make_secret_folder(folder)
        key_file, public_file = folder / f"{SIGNER}.key", folder / f"{SIGNER}.pub"
        make_signing_pair(key_file, public_file, replace=replace)
        note = f"for `lamproom run --trusted-key`; {key_file.name} stays here"
        return [
            Parcel(machine="every gateway", folder=folder, files=(public_file.name,), note=note)
        ]

    def warnings(self) -> list[str]:
        """Name all that has ended or ends soon, and the command that helps."""
        said = [
            f"{entry.name} ({entry.files}): {entry.status(self.now)}, on {entry.until:%Y-%m-%d}; "
            f"`lamproom certs renew {entry.name}`"
            for entry in self.register.newest()
            if self.now >= entry.until - WARN_BEFORE
        ]
        if self.now >= self.authority.until - 12 * WARN_BEFORE:
            said.append(
                f"the authority itself ends on {self.authority.until:%Y-%m-%d}, and everything "
                "with it: make a new one in another folder (docs/security.md)"
            )
        return said

    def _check_name(self, name: str, role: Role) -> None:
        ours = name in RESERVED or _role_of(name) == "control_room"
        if role not in ("control_room", *SERVERS) and ours:
            raise CertificateError(f"{name}: is a name of Lamproom's own; give another one")
        for entry in self.register.entries:
            if entry.name == name and entry.role not in (role, "broker"):
                raise CertificateError(
                    f"{name}: is the name of a {entry.role.replace('_', ' ')} already; access "
                    "lists go by name, so each is given once"
                )

    def _wanted(self, name: str, role: Role) -> Entry:
        for entry in reversed(self.register.of(name)):
            if entry.role == role and entry.files == "client":
                return entry
        what = f"gateway {name}"
        if role == "control_room":
            what = f"control-room {_further(name)}".rstrip()
        raise CertificateError(
            f"{name}: has no certificate that counts; make one with `lamproom certs {what}`"
        )

    def _entry(
        self,
        name: str,
        role: Role,
        days: int,
        *,
        speaks: str = "",
        hosts: tuple[str, ...] = (),
        files: str = "client",
    ) -> Entry:
        since, until = self._dates(days)
        return Entry(
            name=name,
            role=role,
            serial=new_serial(),
            since=since,
            until=until,
            speaks=speaks,
            hosts=hosts,
            files=files,
        )

    def _dates(self, days: int) -> tuple[datetime, datetime]:
        until = min(self.now + timedelta(days=days), self.authority.until)
        return self.now - EARLIER, until

    def _make(self, entry: Entry) -> None:
        """Make key and certificate files; the register knows of it before the files are there."""
        folder = self._folder_of(entry)
        make_secret_folder(folder)
        key = new_key()
        certificate = self.authority.issue(entry, key.public_key())
        self.register.add(entry)
        write_file(folder / f"{entry.files}.key", key_pem(key), SECRET)
        write_file(folder / f"{entry.files}.pem", certificate)
        write_file(folder / "ca.pem", self.authority.certificate_pem)

    def _signing(self, name: str, role: Role, *, replace: bool) -> list[Parcel]:
        folder = self._folder_of(self._wanted(name, role))
        former = folder / "signing.pub"
        known = former.read_bytes() if former.exists() else b""
        public = make_signing_pair(folder / "signing.key", former, replace=replace)
        return self._trust(name, role, public + known)

    def _trust(self, name: str, role: Role, keys: bytes) -> list[Parcel]:
        file = self._trust_file(role, name)
        write_file(self.folder / "trusted" / file, keys)
        return [
            Parcel(
                machine=self._readers_of(role),
                folder=self.folder / "trusted",
                files=(file,),
                note="into the folder of trusted keys",
            )
        ]

    def _trust_file(self, role: Role, name: str) -> str:
        return (
            f"{name}.pub" if role == "control_room" else trust_file(role, self.authority.site, name)
        )

    def _readers_of(self, role: Role) -> str:
        # Control rooms hear each other, too.
        return "control rooms, readers" if role == "gateway" else "gateways, control rooms, readers"

    def _folder_of(self, entry: Entry) -> Path:
        if entry.role in ("control_room", "node") or (entry.role, entry.name) == ("broker", BROKER):
            return self.folder / entry.name
        if entry.role == "subscriber":
            return self.folder / "subscribers" / entry.name
        if entry.role == "system":
            return self.folder / "systems" / entry.name
        gateway = self.folder / "gateways" / entry.name
        return gateway if entry.files == "client" else gateway / "broker"

    def _parcel(self, entry: Entry, files: tuple[str, ...], note: str = "") -> Parcel:
        machine = MACHINES[entry.role].format(entry.name)
        if entry.role == "control_room" and entry.name != CONTROL_ROOM:
            machine = f"control room {_further(entry.name)}"
        if entry.role == "broker" and entry.name != BROKER:
            machine = f"the broker on gateway {entry.name}"
        return Parcel(machine=machine, folder=self._folder_of(entry), files=files, note=note)

    def _nodes(self) -> list[Entry]:
        return [entry for entry in self.register.newest() if entry.role == "node"]

    def _refresh(self, roles: Sequence[Role] = SERVERS) -> list[Parcel]:
        """Write anew who is let in for what, for all brokers and nodes."""
        revoked = self.authority.revocations(self.register.entries, self.now)
        site, parcels = self.authority.site, []
        for entry in self.register.newest():
            if entry.role not in roles:
                continue
            folder = self._folder_of(entry)
            if entry.role == "node":
                write_users(folder, site, self.register.let_in())
            else:
                gateway = None if entry.name == BROKER else entry.name
                write_lists(folder, site, self.register.users(), revoked, gateway)
            parcels.append(self._parcel(entry, LISTS[entry.role], RELOAD[entry.role]))
        return parcels


def control_room_name(further: str | None) -> str:
    """Name the first control room, or a further one.

    >>> control_room_name(None), control_room_name("spare")
    ('control_room', 'control_room-spare')
    """
    return CONTROL_ROOM if further is None else f"{CONTROL_ROOM}-{further}"


def _further(name: str) -> str:
    """Give back what a further control room was called by whoever made it."""
    return name.removeprefix(CONTROL_ROOM).removeprefix("-")


def _role_of(name: str) -> Role:
    """Tell whether a signer is a control room or a gateway."""
    is_room = name == CONTROL_ROOM or name.startswith(f"{CONTROL_ROOM}-")
    return "control_room" if is_room else "gateway"
