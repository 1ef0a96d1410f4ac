"""Gateways that are added, renamed, replaced, doubled and taken away while the control room runs.

A real broker, a control room as it is started, and a real browser.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from delivery.guard import Guard
from delivery.mqtt import Connection
from delivery.outbox import Outbox
from delivery.publisher import Publisher
from delivery.signing import Signer
from delivery.trust import Trust, trust_file
from delivery.voice import Voice
from scene.clock import SystemClock
from scene.site import BrokerConfig, parse_site
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import SITE, description, health
from tests.control_room.ticking import ticking
from tests.delivery.keys import Keys, pair
from tests.delivery.parts import HANG_S, MOSQUITTO, NO_MOSQUITTO, mosquitto
from tests.delivery.parts import SITE as SITE_YAML

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
CLOCK = SystemClock()
PATIENCE_MS = 120_000


@contextmanager
def gateway(folder: Path, url: str, name: str, signer: Signer, keys: Keys) -> Iterator[Publisher]:
    """Run a gateway that says how it is; it ends without a goodbye."""
    folder.mkdir(exist_ok=True)
    text = SITE_YAML.replace("gateway: gw1", f"gateway: {name}")
    site = parse_site(text, name="site.yaml", folder=folder)
    link = Connection(BrokerConfig(url=url), f"{name}-{folder.name}", log=lambda _text: None)
    box = Outbox(folder / "state", CLOCK)
    guard = Guard(Trust([keys.trusted], CLOCK, log=lambda _text: None), required=True)
    voice = Voice(CLOCK, run=CLOCK.now_ns(), signer=signer)
    made = Publisher(site, link, box, CLOCK, voice=voice, guard=guard)
    made.announce(replace(description(), gateway=name, cameras=()))
    link.connect(HANG_S, wait=True)

    def beat() -> None:
        said = health(CLOCK.now_ns())
        made.health(replace(said, cameras=said.cameras[:1]))
        if outlived := made.attendance.outlived():  # as the sender does
            made.speak_anew(outlived + 1)

    with ticking(beat, 0.5):
        try:
            yield made
        finally:
            link.close()
    box.close()


@contextmanager
def control_room(folder: Path, url: str, keys: Keys) -> Iterator[str]:
    """Start the command; gives the page's address."""
    words = ["control-room", "--broker", url, "--port", "0", "--keys", keys.trusted]
    words += ["--require-signed", "--signing-key", keys.private["control_room"]]
    words += ["--journal", folder / "journal.sqlite"]
    with (
        (folder / "room.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "edge.main", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            yield next(word for word in line.split() if word.startswith("http://"))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=HANG_S)


def looks(page: Any, name: str, look: str) -> None:
    """Wait until the table shows a gateway so; a critical alarm that comes closes the table."""
    page.wait_for_function(
        """([name, look]) => {
            const table = document.getElementById("all-gateways");
            if (!table.open) document.getElementById("gateways-open").click();
            return [...document.querySelectorAll(`#gateway-table tr.${look}`)]
                .some((row) => row.textContent.includes(name));
        }""",
        arg=[name, look],
    )


def alarm_is(page: Any, kind: str, name: str, state: str = "active") -> None:
    """Wait until the page has such an alarm, be it behind another one in a line of several."""
    page.wait_for_function(
        """([kind, name, state]) => lamproom.alarms.some(({ gateway, anomaly }) =>
            gateway === name && anomaly.kind === kind && anomaly.state === state)""",
        arg=[kind, name, state],
    )


def test_gateways_come_go_and_change_without_a_restart(tab: Tab, tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.add("control_room")
    first = keys.add("gateway", SITE, "gw1")
    with mosquitto(tmp_path) as broker, control_room(tmp_path, broker.url, keys) as url:

        def run(folder: str, name: str, signer: Signer) -> Any:
            return gateway(tmp_path / folder, broker.url, name, signer, keys)

        with ExitStack() as closing:
            closing.enter_context(run("a", "gw1", first))
            page = tab.open(url)
            page.set_default_timeout(PATIENCE_MS)

            # Added: its key comes first, and until it speaks that is an alarm.
            second = keys.add("gateway", SITE, "gw2")
            alarm_is(page, "gateway_silent", "gw2")
            added = closing.enter_context(ExitStack())
            added.enter_context(run("b", "gw2", second))
            looks(page, "gw2", "good")
            tab.shoot("added")
            page.keyboard.press("Escape")

            # Replaced: the same name, a new machine with a key that is not known here yet.
            added.close()
            renewed_private, renewed_public = pair(tmp_path, "renewed")
            added.enter_context(run("c", "gw2", Signer.from_file(renewed_private)))
            alarm_is(page, "message_refused", "gw2")
            tab.shoot("new-key")
            renewed_public.rename(keys.trusted / trust_file("gateway", SITE, "gw2"))
            looks(page, "gw2", "good")
            page.keyboard.press("Escape")

            # Renamed: the same key under a new name, which nobody trusts with it yet.
            added.close()
            added.enter_context(run("d", "gw9", Signer.from_file(renewed_private)))
            alarm_is(page, "message_refused", "gw9")
            (keys.trusted / trust_file("gateway", SITE, "gw2")).rename(
                keys.trusted / trust_file("gateway", SITE, "gw9")
            )
            looks(page, "gw9", "good")
            looks(page, "gw2", "bad")
            tab.shoot("renamed")
            page.keyboard.press("Escape")

            # Doubled: a copied disk, with the same name and the same key.
            with run("e", "gw9", Signer.from_file(renewed_private)):
                alarm_is(page, "two_gateways", "gw9")
                tab.shoot("doubled")
            alarm_is(page, "two_gateways", "gw9", "cleared")
        assert tab.complaints == []
