"""Schemathesis against a control room that runs: whatever its API's document allows, and more.

As a process of its own: its warnings are not ours, and it needs the server in another process's
loop anyway.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from control_room.access import gate
from control_room.access.roles import Role
from control_room.journal.positions import PositionLog
from scene.clock import SystemClock
from scene.topics import Address
from scene.wire import Envelope
from tests.control_room.access.house import NAMES, House, house
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm, people_at

DOCUMENT = Path(__file__).parents[2] / "docs" / "http" / "openapi.json"
TOOL = Path(sys.executable).with_name("schemathesis")
NEVER_ACCEPTED = {
    "GET /api/history": "what goes with what no schema says",
    "POST /api/users/add": "a name is normalised before it is looked at",
}
"""Where what fits the schema may still be refused with 400."""
ENDS_ITS_OWN_LOGIN = ("POST /api/users/logout", "POST /api/users/password")
"""Not to be called with names that came in answers: one of them is the caller's."""


@contextmanager
def furnished(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Open a control room with a journal that holds alarms, acts and positions; nobody waits."""
    for burst in ("ACTS_BURST", "LOOKS_BURST"):
        monkeypatch.setattr(gate, burst, 10**9)
    file, clock = folder / "journal.sqlite", SystemClock()
    now_ns = clock.now_ns()
    with house(folder, journal_file=file) as home:
        for i in range(5):
            home.gateway.say(alarm(f"man_down-{i}", at_ns=now_ns + i, worker="李伟"))
        home.gateway.say(alarm("man_down-0", at_ns=now_ns + 9, state="cleared", xyz_m=None))
        home.gateway.say(alarm("lost", at_ns=now_ns, kind="camera_lost", camera="c1", track=None))
        log = PositionLog(file, clock, home.said.append, every_s=1.0, keep_days=30.0)
        with closing(log):
            people = people_at(0, now_ns, names={12: "李伟"})
            home.gateway.say(people)
            log.hear(
                Address(prefix="mine", site=SITE, gateway=GATEWAY, topic="positions"),
                Envelope(type="positions", gateway=GATEWAY, seq=1, sent_at_ns=now_ns, body=people),
            )
        home.journal.audit(who="Ada", what="log_in", at_ns=now_ns, body={"address": "::1"})
        yield home


def run(
    home: House,
    role: Role | None,
    folder: Path,
    phases: str,
    examples: int,
    *,
    surprise: bool = False,
) -> str:
    """Let it loose as somebody with a role, or nobody; gives what it says, raises if it found much.

    `phases` are `examples`, `coverage` (each limit of each field) and `fuzzing` (that many requests
    for each call), with commas. With `surprise` they are others each time; the seed is told.
    """
    config = folder / f"schemathesis-{role}.toml"
    config.write_text(_config(home, role), encoding="utf-8")
    address = home.url.rstrip("/")
    words = [
        *(str(TOOL), "--no-color", "--config-file", str(config), "run", str(DOCUMENT)),
        *("--url", address, "--header", f"Origin: {address}", "--phases", phases),
        *("--max-examples", str(examples), "--continue-on-failure", "--warnings", "off"),
        *(("--generation-database", "none") if surprise else ("--generation-deterministic",)),
        *("--suppress-health-check", "all"),
    ]
    done = subprocess.run(
        words,
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def _config(home: House, role: Role | None) -> str:
    lines = []
    if role is None:
        # Who has not logged in is not told which methods there are.
        lines += ["[checks]", "unsupported_method.enabled = false"]
    else:
        user = home.doorkeeper.users.need(NAMES[role])
        token = home.doorkeeper.sessions.start(user.name, role, "local", user.stamp)
        lines += ["[auth.openapi.session]", f'api_key = "{token}"']
        # Where no login is needed the tool gives none.
        lines += ["[[operations]]", 'include-name = "GET /api/me"']
        lines += ["checks.unsupported_method.enabled = false"]
    for name in NEVER_ACCEPTED:
        lines += ["[[operations]]", f'include-name = "{name}"']
        lines += ["checks.positive_data_acceptance.enabled = false"]
    for name in ENDS_ITS_OWN_LOGIN:
        lines += ["[[operations]]", f'include-name = "{name}"']
        lines += [
            f"phases.{phase}.extra-data-sources.responses = false"
            for phase in ("examples", "coverage", "fuzzing")
        ]
    return "\n".join([*lines, ""])
