"""The whole matrix: everybody, every topic, saying and hearing, at the real broker."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from delivery.mqtt import Connection
from edge.broker_files.access_list import access_list
from edge.broker_files.rights import RIGHTS
from scene.topics import LIVE_PREFIX, REPLAY_PREFIX, TOPICS, topic_name
from tests.delivery.parts import HANG_S, MOSQUITTO, NO_MOSQUITTO, wait_until
from tests.edge.mine_certificates import DAYS, SITE, Mine, make_broker, make_mine, running

PLACES = {
    "gw1": "gateways/gw1",
    "gw-2": "gateways/gw-2",
    "control_room": "control_room",
    "control_room-spare": "control_room-spare",
    "siren": "subscribers/siren",
    "tags": "systems/tags",
    "machines": "systems/machines",
    "stranger": "subscribers/stranger",
}
"""Everybody with a certificate of the site; the stranger is in no access list."""
GATEWAYS = ("gw1", "gw-2", "gw9")
"""Nobody has hung up the last one."""
EVERYTHING = "user tester\ntopic readwrite #\n"

# Written out by hand, so that a slip in the product's table is not believed here.
SAYS = {
    "state": "gateway",
    "site": "gateway",
    "positions": "gateway",
    "alarm": "gateway",
    "health": "gateway",
    "receipt": "control_room",
    "order": "control_room",
    "control_room": "control_room",
    "tags": "tags",
    "machines": "machines",
}
KEPT = {"state", "site", "alarm"}
"""What a control room may have the broker forget, when a gateway is taken out of service; by MQTT
that is a right to write there. It can't speak as a gateway: that takes a gateway's signature."""
READERS = {"state", "site", "positions", "alarm", "health"}
"""What whoever only listens may hear."""


def addresses() -> Iterator[tuple[str, str, str, str, str]]:
    """Give (name, prefix, site, gateway, topic) of every topic there is."""
    for prefix in (LIVE_PREFIX, REPLAY_PREFIX):
        for site in (SITE, "other"):
            for topic, row in TOPICS.items():
                for gateway in GATEWAYS if row.of_gateway else ("",):
                    name = topic_name(topic, site=site, gateway=gateway, id="a1", prefix=prefix)
                    yield name, prefix, site, gateway, topic


def may_say(who: str, prefix: str, site: str, gateway: str, topic: str) -> bool:
    if site != SITE or who == "stranger":
        return False
    if who == "control_room-spare":
        who = "control_room"
    if prefix == REPLAY_PREFIX or (topic in KEPT and who == "control_room"):
        return who == "control_room"
    return who == (gateway if SAYS[topic] == "gateway" else SAYS[topic]) and who != "gw9"


def may_hear(who: str, prefix: str, site: str, gateway: str, topic: str) -> bool:
    if site != SITE or who in ("stranger", "tags", "machines"):
        return False
    if who == "siren":
        return topic in READERS
    if who in ("control_room", "control_room-spare"):
        return True
    return prefix == LIVE_PREFIX and gateway in (who, "")


def test_every_topic_has_a_decision() -> None:
    assert set(RIGHTS) == set(TOPICS), "decide in edge/broker_files/rights.py who may say and hear"
    assert set(SAYS) == set(TOPICS), "and write it down here by hand"


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_nobody_says_or_hears_anything_that_is_not_theirs(tmp_path: Path) -> None:
    mine = make_mine(tmp_path)
    mine.workshop.issue("subscriber", "tester", days=DAYS)
    mine.workshop.issue("subscriber", "stranger", days=DAYS)
    mine.workshop.issue("control_room", "control_room-spare", days=DAYS)
    rules = mine.folder / "broker" / "acl"
    rules.write_text(rules.read_text().replace("user stranger", "user nobody"))
    with (
        running(mine.folder / "broker", mine.port, EVERYTHING),
        ExitStack() as closing,
    ):
        people = {who: mine.connection(place) for who, place in PLACES.items()}
        tester = mine.connection("subscribers/tester")
        heard = {who: listen(one) for who, one in people.items()}
        at_broker = listen(tester)
        for one in (*people.values(), tester):
            closing.callback(one.close)
            one.connect(HANG_S, wait=True)
        said = {who: say_everything(who, one) for who, one in people.items()}
        say_everything("tester", tester)
        # What the tester says last comes last to everybody: then all the others have come, too.
        count = sum(1 for _ in addresses())
        wait_until(lambda: len([1 for _, who in at_broker if who == "tester"]) == count)
        end(tester, people, heard)

    crossings = []
    for name, *rest in addresses():
        for who in PLACES:
            if ((name, who) in at_broker) != may_say(who, *rest):
                crossings.append(f"{who} says {name}")
            if said[who][name] != may_say(who, *rest):
                crossings.append(f"{who} is told otherwise about saying {name}")
            if ((name, "tester") in heard[who]) != may_hear(who, *rest):
                crossings.append(f"{who} hears {name}")
    assert crossings == []
    assert at_broker
    assert len(said) * count > 400


def listen(one: Connection) -> set[tuple[str, str]]:
    heard: set[tuple[str, str]] = set()

    def on_message(topic: str, payload: bytes, _kept: bool) -> None:
        heard.add((topic, json.loads(payload)))

    one.subscribe("#", 1, on_message)
    return heard


def say_everything(who: str, one: Connection) -> dict[str, bool]:
    """Say something on every topic; tells which the broker took."""
    taken: dict[str, bool] = {}
    names = [name for name, *_ in addresses()]
    for name in names:
        assert one.publish(
            name,
            json.dumps(who).encode(),
            qos=1,
            retain=False,
            on_result=lambda ok, _why, name=name: taken.update({name: ok}),  # type: ignore[misc]
        )
    wait_until(lambda: len(taken) == len(names))
    return taken


def end(
    tester: Connection, people: dict[str, Connection], heard: dict[str, set[tuple[str, str]]]
) -> None:
    """Wait until everybody who hears anything has heard the tester's last message to them."""
    last = {
        who: [name for name, *rest in addresses() if may_hear(who, *rest)][-1:] for who in people
    }
    for who, names in last.items():
        for name in names:
            wait_until(lambda: (name, "tester") in heard[who])  # noqa: B023


def test_the_name_of_no_reader_becomes_a_gateway(tmp_path: Path) -> None:
    """With Mosquitto's `pattern write mine/SITE/gw/%u/#` it would."""
    mine = make_mine(tmp_path)
    rules = access_list(SITE, mine.workshop.register.users())
    assert "%u" not in rules
    assert "pattern" not in rules


def test_on_a_gateways_broker_only_it_and_readers_are_known(tmp_path: Path) -> None:
    mine = make_mine(tmp_path)
    make_broker(mine.workshop, 8883, "gw1", "broker.mine")
    folder = mine.folder / "gateways" / "gw1" / "broker"
    lines = (folder / "acl").read_text().splitlines()
    assert [line for line in lines if line.startswith("user")] == ["user gw1", "user siren"]
    assert not any("gw-2" in line or "/+/" in line for line in lines if "replay" not in line)
    mine.workshop.issue("subscriber", "horn", days=DAYS)
    assert "user horn\n" in (folder / "acl").read_text()
    assert (folder / "crl.pem").read_bytes() == (mine.folder / "broker/crl.pem").read_bytes()


def test_the_access_list_follows_every_change(tmp_path: Path) -> None:
    mine: Mine = make_mine(tmp_path)
    rules = mine.folder / "broker" / "acl"
    assert "user gw3\n" not in rules.read_text()
    mine.workshop.issue("gateway", "gw3", days=DAYS)
    assert "user gw3\n" in rules.read_text()
    mine.workshop.revoke("gw3", former=False)
    assert "user gw3\n" not in rules.read_text()
