"""A site with certificates, and the real broker with the configuration that Lamproom ships."""

import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from delivery.mqtt import Connection
from edge.broker_files.config import BrokerSettings
from edge.certificates.authority import make_authority, utc_now
from edge.certificates.workshop import CONTROL_ROOM, Workshop
from scene.site import BrokerConfig
from tests.delivery.parts import HANG_S, MOSQUITTO, free_port, wait_until

SITE = "north-7"
DAYS = 730


class Log(list[str]):
    def has(self, *words: str) -> bool:
        return any(all(word in line for word in words) for line in self)


@dataclass(kw_only=True)
class Mine:
    """Certificates in `folder`; the site's broker, if it runs, at `port`."""

    folder: Path
    port: int

    @property
    def workshop(self) -> Workshop:
        return Workshop(self.folder)

    def at(self, now: datetime) -> Workshop:
        return Workshop(self.folder, now)

    def client(self, place: str, port: int | None = None, **changes: object) -> BrokerConfig:
        """Say how whoever has the files in `place` reaches the broker."""
        folder = self.folder / place
        fields: dict[str, object] = {
            "url": f"mqtts://localhost:{port or self.port}",
            "ca_file": folder / "ca.pem",
            "certificate_file": folder / "client.pem",
            "key_file": folder / "client.key",
        }
        return BrokerConfig.model_validate(fields | changes)

    def connection(self, place: str, log: Log | None = None, port: int | None = None) -> Connection:
        said = Log() if log is None else log
        return Connection(self.client(place, port), place.replace("/", "-"), log=said.append)

    def connect(self, place: str, log: Log | None = None, port: int | None = None) -> Connection:
        made = self.connection(place, log, port)
        made.connect(HANG_S, wait=True)
        return made


def make_mine(folder: Path, *, gateways: tuple[str, ...] = ("gw1", "gw-2")) -> Mine:
    """Make a site's authority, its broker's files, and everybody's certificates."""
    certs, port = folder / "certs", free_port()
    make_authority(certs / "ca", SITE, utc_now(), replace=False)
    workshop = Workshop(certs)
    make_broker(workshop, port)
    workshop.issue("control_room", CONTROL_ROOM, days=DAYS)
    for gateway in gateways:
        workshop.issue("gateway", gateway, days=DAYS)
    workshop.issue("subscriber", "siren", days=DAYS)
    for topic in ("tags", "machines"):
        workshop.issue("system", topic, days=DAYS, speaks=topic)
    return Mine(folder=certs, port=port)


def make_broker(
    workshop: Workshop,
    port: int,
    gateway: str | None = None,
    surface: str = "",
    *,
    to_nats: bool = False,
) -> None:
    """Make a broker's files for running right here."""
    place = workshop.folder / (f"gateways/{gateway}/broker" if gateway else "broker")
    (place / "state").mkdir(parents=True)
    settings = BrokerSettings(
        folder=place.resolve(),
        state=(place / "state").resolve(),
        port=port,
        bind="127.0.0.1",
        gateway=gateway,
        surface=surface,
        to_nats=to_nats,
    )
    workshop.issue_broker(settings, ("localhost", "127.0.0.1"), days=DAYS, replace=False)


@dataclass(kw_only=True)
class Broker:
    folder: Path
    process: "subprocess.Popen[bytes]"

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def reload(self) -> None:
        """Do what `systemctl reload mosquitto` does; it is done a moment later."""
        self.process.send_signal(signal.SIGHUP)


@contextmanager
def running(folder: Path, port: int, extra_rules: str = "") -> Iterator[Broker]:
    """Run Mosquitto with the configuration in `folder`."""
    assert MOSQUITTO is not None
    # As root it would become user `mosquitto`, who may not read a test's folder.
    config = (folder / "mosquitto.conf").read_text() + "\nuser root\n"
    if extra_rules:
        (folder / "acl-test").write_text((folder / "acl").read_text() + "\n" + extra_rules)
        config = config.replace(f"acl_file {folder}/acl", f"acl_file {folder}/acl-test")
    (folder / "test.conf").write_text(config)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [MOSQUITTO, "-c", str(folder / "test.conf")], stdout=log, stderr=log
        )
    try:
        wait_until(lambda: shakes_hands(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text()
        yield Broker(folder=folder, process=process)
    finally:
        process.kill()
        process.wait()


def shakes_hands(port: int) -> bool:
    """Tell whether a broker has read all its files: it takes calls before it has."""
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as called:
            anyone.wrap_socket(called).close()
    except OSError:
        return False
    return True


def days(count: float) -> timedelta:
    return timedelta(days=count)


def tried(broker: BrokerConfig, client_id: str, log: Log, until: Callable[[], bool]) -> Connection:
    """Try to connect until something has happened; the connection goes on trying."""
    made = Connection(broker, client_id, log=log.append)
    made.connect()
    try:
        wait_until(until)
    except BaseException:
        made.close()
        raise
    return made
