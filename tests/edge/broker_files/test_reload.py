"""What `systemctl reload mosquitto` does with files that are not whole, with the real broker."""

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.broker_files.templates import fill
from scene.topics import topic_name
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, wait_until
from tests.edge.mine_certificates import SITE, Broker, Mine, make_mine, running

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)


def reload(folder: Path, broker: Broker) -> bool:
    """Do what our unit says: one command after the other, until one fails; tells whether none did.

    The last one reloads, which the broker does before it lets the next client in.
    """
    unit = fill("systemd/mosquitto.service.d/lamproom.conf", {"BROKER": str(folder), "LIMITS": ""})
    *checks, kill = (line for line in re.findall(r"^ExecReload=(.*)$", unit, re.M) if line)
    assert kill == "/bin/kill -HUP $MAINPID"
    for check in checks:
        if subprocess.run(shlex.split(check), check=False).returncode:
            return False
    broker.reload()
    return True


def forged_is_refused(mine: Mine) -> bool:
    """Tell whether a reader is refused who says something as a gateway."""
    answers: list[bool] = []
    reader = mine.connect("subscribers/siren")
    topic = topic_name("alarm", site=SITE, gateway="gw1", id="x")

    def is_answered() -> bool:
        # Whoever connects while the broker reloads may be cut, and is there again a moment later.
        reader.publish(topic, b"", qos=1, retain=False, on_result=lambda ok, _: answers.append(ok))
        return bool(answers)

    wait_until(is_answered)
    reader.close()
    return not any(answers)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "absent": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(b"hello world\n"),
    "half": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
}


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *(("acl", damage) for damage in DAMAGES),
        ("crl.pem", "absent"),
        *((name, "half") for name in ("crl.pem", "ca.pem", "server.pem", "server.key")),
    ],
)
def test_a_file_that_is_not_whole_opens_nothing_and_ends_nothing(
    tmp_path: Path, name: str, damage: str
) -> None:
    mine = make_mine(tmp_path, gateways=())
    folder = mine.folder / "broker"
    whole = (folder / name).read_bytes()
    with running(folder, mine.port) as broker:
        DAMAGES[damage](folder / name)
        assert not reload(folder, broker)
        assert forged_is_refused(mine)
        (folder / name).write_bytes(whole)
        assert reload(folder, broker)
        assert forged_is_refused(mine)
