"""Brokers that can't be reached, and certificates that don't count: who is told what, and nothing
is lost."""

import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.broker_files.config import BrokerSettings
from edge.certificates.authority import make_authority, utc_now
from edge.certificates.workshop import Workshop
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, free_port
from tests.edge.mine_certificates import SITE, Mine, days, make_mine, running
from tests.faults.cluster_stage import ApartStage, now_s, started, write_site
from tests.faults.size import WRONG_CERTIFICATES

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
PLACES = {"gateway": "gateways/gw1", "control room": "control_room", "broker": "broker"}
PAIRS = {
    "gateway": ("client.pem", "client.key"),
    "control room": ("client.pem", "client.key"),
    "broker": ("server.pem", "server.key"),
}


@dataclass(kw_only=True)
class Told:
    """What a trial's parts have said."""

    stage: ApartStage

    def own(self, state: str, *words: str, kind: str = "delivery_trouble") -> bool:
        """Tell whether the control room has told so of itself, and it stands so."""
        sql = "SELECT body FROM change WHERE site = '-' AND kind = ? AND state = ?"
        with closing(sqlite3.connect(self.stage.journal)) as db:
            found = [body for (body,) in db.execute(sql, (kind, state))]
        return any(all(word in body for word in words) for body in found)

    def log(self, part: str) -> str:
        file = self.stage.folder / f"{part.replace(' ', '-')}.log"
        return file.read_text(errors="replace")


@contextmanager
def mute_port() -> Iterator[int]:
    """Give a port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield int(server.getsockname()[1])


@contextmanager
def on_stage(folder: Path, mine: Mine, hosts: str) -> Iterator[ApartStage]:
    """Start gateway and control room with certificates at these brokers."""
    room, gateway = mine.folder / "control_room", mine.folder / "gateways" / "gw1"
    options = {
        "--ca-file": "ca.pem",
        "--certificate-file": "client.pem",
        "--key-file": "client.key",
    }
    words = [word for option, file in options.items() for word in (option, str(room / file))]
    stage = ApartStage(
        folder=folder,
        disk=folder,
        port=0,
        below=hosts,
        above=hosts,
        room_words=(*words, "--expect", f"{SITE}/gw1"),
    )
    broker = f"broker:\n  url: {hosts}\n  ca_file: {gateway / 'ca.pem'}\n"
    broker += (
        f"  certificate_file: {gateway / 'client.pem'}\n  key_file: {gateway / 'client.key'}\n"
    )
    write_site(stage, SITE, broker)
    with started(stage):
        yield stage


def nothing_is_lost(stage: ApartStage) -> None:
    stage.drain()
    assert not set(stage.noted()) - set(stage.arrived()), "lost"
    assert len(stage.rows()) == len(stage.arrived()), "doubled in the journal"


def test_of_four_addresses_one_is_right_and_then_none(tmp_path: Path) -> None:
    mine = make_mine(tmp_path)
    closed = free_port()
    with mute_port() as mute:
        hosts = (
            f"mqtts://localhost:{closed},no-such-host.invalid:8883,localhost:{mute},"
            f"localhost:{mine.port}"
        )
        names = (f"localhost:{closed}", "no-such-host.invalid:8883", f"localhost:{mute}")
        with (
            running(mine.folder / "broker", mine.port) as broker,
            on_stage(tmp_path, mine, hosts) as stage,
        ):
            told = Told(stage=stage)
            for part in ("gateway", "control room"):  # each is named on the terminal
                assert all(name in told.log(part) for name in names), told.log(part)
            gone_s = now_s()
            broker.process.kill()
            broker.process.wait()
            stage.wait_until(lambda: bool(stage.siren("control_room_silent", gone_s)))
            stage.wait_until(lambda: bool(stage.raised_s("gateway_silent", gone_s)))
            all_names = (*names, f"localhost:{mine.port}")
            stage.wait_until(lambda: told.own("active", "has lost the MQTT broker", *all_names))
            with running(mine.folder / "broker", mine.port):
                stage.wait_until(lambda: told.own("cleared"))
                stage.wait_until(lambda: bool(stage.siren("over", gone_s)))
                nothing_is_lost(stage)


@pytest.mark.parametrize(("who", "how"), WRONG_CERTIFICATES)
def test_a_certificate_that_does_not_count_is_named_and_nothing_is_lost(
    tmp_path: Path, who: str, how: str
) -> None:
    mine = make_mine(tmp_path)
    place, pair = mine.folder / PLACES[who], PAIRS[who]
    hosts = f"mqtts://localhost:{mine.port}"
    with (
        running(mine.folder / "broker", mine.port) as first,
        on_stage(tmp_path, mine, hosts) as stage,
    ):
        told = Told(stage=stage)
        for name in pair:
            shutil.copy(place / name, tmp_path / f"good-{name}")
        bad = make_bad(mine, tmp_path, who, how)
        for name in pair:
            shutil.copy(bad / name, place / name)
        first.process.kill()
        first.process.wait()
        gone_s = now_s()
        with running(mine.folder / "broker", mine.port) as second:
            stage.wait_until(lambda: bool(stage.siren("control_room_silent", gone_s)))
            stage.wait_until(lambda: bool(stage.raised_s("gateway_silent", gone_s)))
            if who == "gateway":
                stage.wait_until(lambda: REASONS[who, how] in told.log("gateway"))
            else:
                stage.wait_until(lambda: told.own("active", REASONS[who, how]))
            for name in pair:
                shutil.copy(tmp_path / f"good-{name}", place / name)
            if who == "broker":
                second.process.kill()
                second.process.wait()
                with running(mine.folder / "broker", mine.port):
                    all_is_well(stage, told, gone_s)
            else:
                all_is_well(stage, told, gone_s)


def all_is_well(stage: ApartStage, told: Told, gone_s: float) -> None:
    stage.wait_until(lambda: bool(stage.siren("over", gone_s)))
    stage.wait_until(lambda: not told.own("active") or told.own("cleared"))
    nothing_is_lost(stage)


REASONS = {
    ("gateway", "expired"): "has expired on",
    ("gateway", "not yet"): "counts only from",
    ("gateway", "foreign"): "client.pem",
    ("control room", "expired"): "has expired on",
    ("control room", "not yet"): "counts only from",
    ("control room", "foreign"): "client.pem",
    ("broker", "expired"): "the broker's certificate has expired",
    ("broker", "not yet"): "does not count yet",
    ("broker", "foreign"): "does not come from an authority that we trust",
}


def make_bad(mine: Mine, folder: Path, who: str, how: str) -> Path:
    """Make a certificate that does not count, in the place of somebody's; gives its folder."""
    workshop = mine.workshop
    if how == "foreign":
        other = folder / "other"
        make_authority(other / "ca", SITE, utc_now(), replace=False)
        workshop = Workshop(other)
    elif how == "expired":
        workshop = mine.at(utc_now() - days(800))
    else:
        workshop = mine.at(utc_now() + days(300))
    if who == "broker":
        settings = BrokerSettings(bind="127.0.0.1", port=mine.port)
        kept = folder / "kept"
        shutil.copytree(mine.folder / "broker", kept, ignore=shutil.ignore_patterns("state"))
        workshop.issue_broker(settings, ("localhost",), days=30, replace=True)
        made = folder / "bad"
        shutil.copytree(workshop.folder / "broker", made, ignore=shutil.ignore_patterns("state"))
        shutil.copytree(kept, mine.folder / "broker", dirs_exist_ok=True)
        return made
    kind, name = ("gateway", "late") if who == "gateway" else ("control_room", "late")
    workshop.issue(kind, name, days=30)  # type: ignore[arg-type]
    return next(workshop.folder.glob("**/late*/client.pem")).parent
