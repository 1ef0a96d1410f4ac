"""The NATS cluster that `lamproom certs nats` writes: who is let in, who may say and hear what."""

import contextlib
import json
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from delivery.mqtt import Connection
from delivery.tls import tls_context
from edge.broker_files.nats import NodeSettings, user_list
from edge.certificates.workshop import Workshop
from scene.errors import CertificateError
from scene.site import BrokerConfig
from scene.topics import topic_filter, topic_name
from tests.delivery.nats_cluster import NATS, NO_NATS, Cluster, cluster
from tests.delivery.parts import HANG_S, wait_until
from tests.edge.broker_files.test_rights import (
    GATEWAYS,
    PLACES,
    SAYS,
    addresses,
    may_hear,
    may_say,
)
from tests.edge.mine_certificates import DAYS, SITE, Log, Mine, days, make_mine

needs_nats = pytest.mark.skipif(not NATS, reason=NO_NATS)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(make_mine(tmp_path_factory.mktemp("nats"))) as made:
        yield made


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Cluster]:
    """Run a cluster of one, for tests that change who is let in."""
    mine = make_mine(tmp_path)
    for name in ("tester", "stranger"):
        mine.workshop.issue("subscriber", name, days=DAYS)
    mine.workshop.issue("control_room", "control_room-spare", days=DAYS)
    with cluster(mine, 1) as made:
        yield made


def connected(nodes: Cluster, place: str, log: Log | None = None) -> Connection:
    said = Log() if log is None else log
    made = Connection(nodes.client(place), place.replace("/", "-"), log=said.append)
    made.connect(HANG_S, wait=True)
    return made


def said_to(broker: BrokerConfig) -> str:
    """Give the first line that somebody is told who is not let in."""
    log = Log()
    made = Connection(broker, "stranger", log=log.append)
    made.connect()
    try:
        wait_until(lambda: bool(log))
        assert not made.connected
        return log[0]
    finally:
        made.close()


@needs_nats
def test_with_a_certificate_one_is_let_in_and_speaks_the_older_mqtt(nodes: Cluster) -> None:
    log = Log()
    made = connected(nodes, "gateways/gw1", log)
    assert made.protocol == "MQTT 3.1.1"
    assert log.has("connected to mqtts://localhost:", "MQTT 3.1.1")
    made.close()


@needs_nats
def test_who_has_no_good_certificate_is_told_so(nodes: Cluster, tmp_path: Path) -> None:
    mine, other = nodes.mine, make_mine(tmp_path)
    none = nodes.client("gateways/gw1", certificate_file=None, key_file=None)
    assert "wants a certificate and got none" in said_to(none) or "give broker.cert" in said_to(
        none
    )
    foreign = {
        "certificate_file": other.folder / "gateways/gw1/client.pem",
        "key_file": other.folder / "gateways/gw1/client.key",
    }
    assert "certificate_file" in said_to(nodes.client("gateways/gw1", **foreign))
    mine.at(mine.workshop.now - days(1000)).issue("gateway", "old", days=DAYS)
    assert "has expired" in said_to(nodes.client("gateways/old"))
    stranger = nodes.client("gateways/gw1", ca_file=other.folder / "gateways/gw1/ca.pem")
    assert "broker.ca_file" in said_to(stranger)


@needs_nats
def test_no_client_becomes_a_node_and_no_user_speaks_nats_own_protocol(nodes: Cluster) -> None:
    context = tls_context(nodes.mine.client("gateways/gw1"))
    words = b'CONNECT {"verbose":true,"name":"nats-2"}\r\nPUB mine.x 1\r\nx\r\nPING\r\n'
    node = nodes.settings[0]

    def answer(talk: socket.socket) -> bytes:
        heard = b""
        with contextlib.suppress(OSError):
            talk.sendall(words)
            while data := talk.recv(4096):
                heard += data
        return heard

    with (
        socket.create_connection(("127.0.0.1", node.route_port), timeout=HANG_S) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as talk,
    ):
        heard = answer(talk)
    assert b"PONG" not in heard
    assert b"+OK" not in heard
    wait_until(lambda: "Router connection closed: Authentication Failure" in nodes.log(0))
    with socket.create_connection(("127.0.0.1", node.client_port), timeout=HANG_S) as raw:
        heard = answer(raw)
    assert b"Authorization Violation" in heard
    assert b"PONG" not in heard


@needs_nats
def test_the_next_node_is_asked_when_one_has_a_certificate_that_has_run_out(tmp_path: Path) -> None:
    mine = make_mine(tmp_path)
    with cluster(mine) as nodes:
        old = mine.at(mine.workshop.now - days(1000))
        old.renew("nats-1", days=DAYS)
        nodes.reload(0)
        log = Log()
        wait_until(lambda: "has expired" in said_to(nodes.client("gateways/gw1")))
        made = connected(nodes, "gateways/gw1", log)
        assert log.has(f"localhost:{nodes.settings[0].port}: the broker's certificate has expired")
        assert log.has(f"connected to mqtts://localhost:{nodes.settings[1].port}")
        made.close()


@needs_nats
def test_who_is_revoked_is_cut_off_and_never_let_in_again(node: Cluster) -> None:
    mine = node.mine
    made = connected(node, "gateways/gw1")
    other = connected(node, "gateways/gw-2")
    mine.workshop.revoke("gw1", former=False)
    node.reload(0)
    wait_until(lambda: not made.connected)
    made.close()
    assert "refuses us" in said_to(node.client("gateways/gw1"))
    assert other.connected, "whom it does not concern is not cut"
    other.close()


@needs_nats
def test_a_former_certificate_counts_until_it_is_taken_back(node: Cluster, tmp_path: Path) -> None:
    mine = node.mine
    shutil.copytree(mine.folder / "gateways/gw1", tmp_path / "stolen")
    mine.workshop.issue("gateway", "gw1", days=DAYS, replace=True)
    node.reload(0)
    stolen = {
        "certificate_file": tmp_path / "stolen" / "client.pem",
        "key_file": tmp_path / "stolen" / "client.key",
    }
    for place in ({}, stolen):
        made = Connection(node.client("gateways/gw1", **place), "gw1", log=Log().append)
        made.connect()
        wait_until(lambda made=made: made.connected)  # type: ignore[misc]
        made.close()
    mine.workshop.revoke("gw1", former=True)
    node.reload(0)
    wait_until(lambda: "eload" in node.log(0))
    assert "refuses us" in said_to(node.client("gateways/gw1", **stolen))
    connected(node, "gateways/gw1").close()


@needs_nats
def test_a_list_that_is_not_whole_opens_nothing_and_ends_nothing(node: Cluster) -> None:
    file = node.folder(0) / "users.conf"
    whole = file.read_bytes()
    made = connected(node, "gateways/gw1")
    for part in (b"", whole[: len(whole) // 2], whole[:-3], b"hello world\n"):
        file.write_bytes(part)
        before = node.log(0).count("reload")
        node.reload(0)
        wait_until(lambda before=before: node.log(0).count("reload") > before)  # type: ignore[misc]
        assert made.connected
        assert "refuses us" in said_to(without_right(node))
    file.unlink()
    node.reload(0)
    assert "refuses us" in said_to(without_right(node))
    made.close()


def without_right(node: Cluster) -> BrokerConfig:
    """Give somebody with a certificate of the site who is in no list."""
    folder = node.mine.folder / "nats-1"
    changes = {"certificate_file": folder / "server.pem", "key_file": folder / "server.key"}
    return node.client("subscribers/stranger", **changes)


@needs_nats
def test_nobody_says_or_hears_anything_that_is_not_theirs(node: Cluster) -> None:
    """As at Mosquitto, but for two things: MQTT 3.1.1 acknowledges what is refused, and readers may
    ask for other sites, of which nobody but the tester, who may everything, says anything here.
    """
    open_up(node, "tester", "stranger")
    names = [name for name, *_ in addresses()]
    with ExitStack() as closing:
        made = dict[str, Connection]()
        heard = dict[str, set[tuple[str, str]]]()
        for who, place in (PLACES | {"tester": "subscribers/tester"}).items():
            if who == "stranger":
                continue
            made[who] = Connection(node.client(place), place.replace("/", "-"), log=Log().append)
            heard[who] = listen(made[who], who)
            made[who].connect(HANG_S, wait=True)
            closing.callback(made[who].close)
        for who, one in made.items():
            say_everything(who, one)
        wanted, crossings = set[tuple[str, str, str]](), []
        for name, *rest in addresses():
            for who in made.keys() - {"tester"}:
                if may_say(who, *rest):
                    wanted.add(("tester", name, who))
                elif (name, who) in heard["tester"]:
                    crossings.append(f"{who} says {name}")
                if may_hear(who, *rest):
                    wanted.add((who, name, "tester"))

        def missing() -> list[tuple[str, str, str]]:
            return [one for one in wanted if one[1:] not in heard[one[0]]]

        with contextlib.suppress(AssertionError):
            wait_until(lambda: not missing())
        assert missing() == []
        for name, *rest in addresses():  # now that all has come that is to come
            for who in made.keys() - {"tester"}:
                if (name, "tester") in heard[who] and rest[1] == SITE and not may_hear(who, *rest):
                    crossings.append(f"{who} hears {name}")
        assert crossings == []
        assert len(wanted) > 100
        assert {name for name, who in heard["tester"] if who == "tester"} == set(names)
        elsewhere = {who for name, who in heard["tester"] if f"/{SITE}/" not in name}
        assert elsewhere == {"tester"}, "somebody speaks as another site"
        inside = [name for who in heard for name, _ in heard[who] if name.startswith("$")]
        assert inside == [], "NATS's own messages are heard"


def open_up(node: Cluster, everything: str, nobody: str) -> None:
    """Let one say and hear everything, and leave one out."""
    register = node.mine.workshop.register
    users = [one for one in register.let_in() if one.name not in (everything, nobody)]
    text = user_list(SITE, users)
    free = re.sub(
        r"    permissions: \{.*?\n    \}\n", "", only(register.of(everything)), flags=re.S
    )
    (node.folder(0) / "users.conf").write_text(text.replace("USERS: [\n", f"USERS: [\n{free}\n"))
    node.reload(0)
    made = Connection(node.client("subscribers/tester"), "tester", log=Log().append)
    made.subscribe("#", 1, lambda *_: None)
    made.connect()
    wait_until(lambda: made.connected and not made.trouble)
    made.close()
    assert "refuses us" in said_to(node.client("subscribers/stranger"))


def only(users: "tuple[object, ...]") -> str:
    """Write out a user without what stands around the list."""
    return user_list(SITE, users).split("USERS: [\n")[1].removesuffix("\n]\n")  # type: ignore[arg-type]


def listen(one: Connection, who: str) -> set[tuple[str, str]]:
    heard: set[tuple[str, str]] = set()

    def on_message(topic: str, payload: bytes, _kept: bool) -> None:
        heard.add((topic, json.loads(payload)))

    filters = {"#"}
    if who != "tester":
        filters |= {
            topic_filter(topic, prefix=prefix, site=site, gateway=gateway)
            for topic in SAYS
            for prefix in ("mine", "replay")
            for gateway in ("+", *GATEWAYS)
            for site in ("+", SITE)
        }
        filters |= {
            "$MQTT/#",
            "$MQTT/sub/#",
            "$MQTT/sub/+",
            "+/sub/#",
            "$SYS/#",
            "$JS/#",
            "mine/#",
            "+/#",
            "mine",
        }
    # QoS 0: of QoS 1 NATS gives a client 65 subscriptions of 1000 messages each, and no more.
    for wanted in sorted(filters):
        one.subscribe(wanted, 0, on_message)
    return heard


def say_everything(who: str, one: Connection) -> None:
    answered: list[bool] = []
    names = [name for name, *_ in addresses()]
    for name in names:
        assert one.publish(
            name,
            json.dumps(who).encode(),
            qos=1,
            retain=False,
            on_result=lambda ok, _why: answered.append(ok),
        )
    wait_until(lambda: len(answered) == len(names))


@needs_nats
def test_a_last_will_on_somebody_elses_topic_is_not_said(node: Cluster) -> None:
    heard: list[str] = []
    room = Connection(node.client("control_room"), "room", log=Log().append)
    room.subscribe("mine/+/gw/+/state", 1, lambda topic, _payload, _kept: heard.append(topic))
    room.connect(HANG_S, wait=True)
    own, foreign = (topic_name("state", site=SITE, gateway=name) for name in ("gw1", "gw-2"))
    for topic in (foreign, own):
        made = Connection(
            node.client("gateways/gw1"), "gw1", will=(topic, b"gone"), log=Log().append
        )
        made.connect(HANG_S, wait=True)
        cut(made)
        made.close()
    wait_until(lambda: own in heard)
    assert foreign not in heard
    room.close()


def cut(made: Connection) -> None:
    """End a connection without a goodbye."""
    client = made._client
    assert client is not None
    raw = client.socket()
    assert isinstance(raw, socket.socket)
    raw.shutdown(socket.SHUT_RDWR)


def mine_at(folder: Path) -> Mine:
    return make_mine(folder, gateways=("gw1",))


def node_at(*hosts: str) -> NodeSettings:
    return NodeSettings(hosts=hosts)


def test_a_cluster_is_made_of_three_nodes(tmp_path: Path) -> None:
    workshop: Workshop = mine_at(tmp_path).workshop
    with pytest.raises(CertificateError, match=r"2 nodes: give 3"):
        workshop.issue_nodes([node_at("a"), node_at("b")], days=DAYS, replace=False)
    with pytest.raises(CertificateError, match="twice"):
        workshop.issue_nodes([node_at("a"), node_at("b"), node_at("a")], days=DAYS, replace=False)
    three = [node_at("a.mine"), node_at("b.mine", "10.0.0.2"), node_at("10.0.0.3")]
    workshop.issue_nodes(three, days=DAYS, replace=False)
    with pytest.raises(CertificateError, match="is there already"):
        workshop.issue_nodes(three, days=DAYS, replace=False)
    with pytest.raises(CertificateError, match=r"nats-2.*certs revoke nats-2"):
        workshop.issue_nodes(three[:1], days=DAYS, replace=True)
    text = (workshop.folder / "nats-2" / "nats.conf").read_text()
    assert "@" not in text
    assert 'server_name: "nats-2"' in text
    for route in ("a.mine", "b.mine", "10.0.0.3"):
        assert f'"tls://{route}:6248"' in text
    for word in ("sync_interval: always", "verify_and_map: true", "stream_replicas: 3"):
        assert word in text
    assert "verify_cert_and_check_known_urls: true" in text


def test_every_user_is_in_the_list_of_every_node_after_every_change(tmp_path: Path) -> None:
    workshop: Workshop = mine_at(tmp_path).workshop
    workshop.issue_nodes([node_at("a"), node_at("b"), node_at("c")], days=DAYS, replace=False)

    def known(name: str) -> set[int]:
        texts = [(workshop.folder / f"nats-{i}" / "users.conf").read_text() for i in (1, 2, 3)]
        return {text.count(f',CN={name},O={SITE}"') for text in texts}

    assert known("gw1") == {1}
    workshop.issue("gateway", "gw7", days=DAYS)
    assert known("gw7") == {1}
    parcels = workshop.renew("gw7", days=DAYS)
    assert known("gw7") == {2}
    files = [parcel.files for parcel in parcels]
    assert files == [("users.conf",)] * 3 + [("client.pem",)], "the nodes must know of it before"
    workshop.revoke("gw7", former=True)
    assert known("gw7") == {1}
    workshop.revoke("gw7", former=False)
    assert known("gw7") == {0}
    assert known("nats-1") == {0}, "a node is no user"


@pytest.mark.parametrize("folder", ["here", "/a b", '/a"', "/a$B"])
def test_what_nats_can_not_take_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(CertificateError, match="whole path without spaces"):
        mine_at(tmp_path).workshop.issue_nodes(
            [NodeSettings(hosts=("a",), folder=Path(folder))], days=DAYS, replace=False
        )
