import shutil
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_server

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from delivery.mqtt import Connection
from delivery.tls import soon_expired, tls_context
from edge.broker_files.config import BrokerSettings
from edge.certificates import authority
from edge.certificates.authority import make_authority, utc_now
from edge.certificates.workshop import Workshop
from scene.errors import BrokerError, SiteError
from scene.site import BrokerConfig, parse_site
from scene.topics import topic_name
from tests.delivery.parts import HANG_S, MOSQUITTO, NO_MOSQUITTO, free_port, mosquitto, wait_until
from tests.delivery.parts import SITE as PLAIN_SITE
from tests.edge.mine_certificates import (
    DAYS,
    SITE,
    Broker,
    Log,
    Mine,
    days,
    make_mine,
    running,
    tried,
)

needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Mine:
    return make_mine(tmp_path_factory.mktemp("mine"))


@pytest.fixture(scope="module")
def broker(mine: Mine) -> Iterator[Broker]:
    with running(mine.folder / "broker", mine.port) as started:
        yield started


@pytest.fixture(scope="module")
def other_mine(tmp_path_factory: pytest.TempPathFactory) -> Mine:
    folder = tmp_path_factory.mktemp("other") / "certs"
    make_authority(folder / "ca", SITE, utc_now(), replace=False)
    Workshop(folder).issue("gateway", "gw1", days=DAYS)
    return Mine(folder=folder, port=0)


@needs_mosquitto
def test_with_a_certificate_of_the_site_one_is_let_in(mine: Mine, broker: Broker) -> None:
    made = mine.connect("gateways/gw1")
    try:
        assert made.protocol == "MQTT 5"
        assert made.trouble == ""
    finally:
        made.close()


@needs_mosquitto
def test_certificates_from_when_they_had_no_number_in_their_subject_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_now = authority._subject
    with monkeypatch.context() as then:
        then.setattr(authority, "_subject", lambda site, name, _number="": made_now(site, name))
        mine = make_mine(tmp_path)
    mine.workshop.renew("gw-2", days=DAYS)
    room = mine.connection("control_room")
    heard: list[str] = []
    room.subscribe("mine/#", 1, lambda topic, _payload, _kept: heard.append(topic))
    with running(mine.folder / "broker", mine.port):
        room.connect(HANG_S, wait=True)
        for name in ("gw1", "gw-2"):
            gateway = mine.connect(f"gateways/{name}")
            said = topic_name("state", site=SITE, gateway=name)
            gateway.publish(said, b"x", qos=1, retain=False)
            wait_until(lambda said=said: said in heard)  # type: ignore[misc]
            gateway.close()
        room.close()


def refused(mine: Mine, files: Path, how: str) -> BrokerConfig:
    """Give the files of somebody who must not be let in."""
    copy = files / "copy"
    shutil.copytree(mine.folder / "gateways" / "gw1", copy)
    if how == "none":
        return mine.client("broker", certificate_file=None, key_file=None)
    if how == "expired":
        past = mine.at(utc_now() - days(800))
        past.issue("gateway", "late", days=30)
        copy = mine.folder / "gateways" / "late"
    if how == "a broker's":
        shutil.copy(mine.folder / "broker" / "server.pem", copy / "client.pem")
        shutil.copy(mine.folder / "broker" / "server.key", copy / "client.key")
    return mine.client("", ca_file=mine.folder / "ca" / "ca.pem").model_copy(
        update={"certificate_file": copy / "client.pem", "key_file": copy / "client.key"}
    )


@needs_mosquitto
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("none", ("wants a certificate", "give broker.certificate_file")),
        ("expired", ("expired", "late/client.pem", "lamproom certs renew")),
        ("a broker's", ("certificate", "copy/client.pem", "lamproom certs list")),
    ],
)
def test_who_has_no_good_certificate_is_refused_and_told_so(
    mine: Mine, broker: Broker, tmp_path: Path, how: str, said: tuple[str, ...]
) -> None:
    log = Log()
    made = tried(refused(mine, tmp_path, how), "x", log, lambda: log.has("trying again"))
    try:
        assert log.has(f"mqtts://localhost:{mine.port}", *said), log
        assert not log.has("connected to")
        assert not any("\n" in line for line in log)
    finally:
        made.close()


@needs_mosquitto
def test_a_foreign_certificate_is_refused_and_a_good_one_in_its_place_is_taken(
    mine: Mine, broker: Broker, other_mine: Mine, tmp_path: Path
) -> None:
    for name in ("client.pem", "client.key"):
        shutil.copy(other_mine.folder / "gateways" / "gw1" / name, tmp_path / name)
    config = mine.client("gateways/gw1").model_copy(
        update={"certificate_file": tmp_path / "client.pem", "key_file": tmp_path / "client.key"}
    )
    log = Log()
    made = tried(config, "x", log, lambda: log.has("trying again"))
    try:
        assert log.has("authority", "client.pem") or log.has("does not take", "client.pem"), log
        (tmp_path / "client.key").unlink()
        wait_until(lambda: log.has("client.key can't be read", "trying again"))
        for name in ("client.pem", "client.key"):
            shutil.copy(mine.folder / "gateways" / "gw1" / name, tmp_path / name)
        wait_until(lambda: made.connected)
    finally:
        made.close()


@needs_mosquitto
def test_who_is_revoked_is_mute_once_the_broker_has_reloaded_and_never_let_in_again(
    tmp_path: Path,
) -> None:
    mine = make_mine(tmp_path)
    with running(mine.folder / "broker", mine.port) as broker:
        log, results = Log(), list[tuple[bool, str]]()
        topic = f"mine/{SITE}/gw/gw1/alarm/a"
        here = mine.connect("gateways/gw1", log)
        other = mine.connect("gateways/gw-2")
        try:
            here.publish(topic, b"1", qos=1, retain=False, on_result=lambda *r: results.append(r))
            wait_until(lambda: bool(results))
            assert results[0][0]
            mine.workshop.revoke("gw1", former=False)
            broker.reload()
            wait_until(lambda: _is_mute(here, topic))
            new_log = Log()
            again = tried(
                mine.client("gateways/gw1"), "again", new_log, lambda: new_log.has("trying again")
            )
            again.close()
            assert new_log.has("revoked", "gw1/client.pem"), new_log
            assert not new_log.has("connected to")
            assert other.connected
        finally:
            here.close()
            other.close()


def _is_mute(made: Connection, topic: str) -> bool:
    results: list[tuple[bool, str]] = []
    if not made.publish(topic, b"2", qos=1, retain=False, on_result=lambda *r: results.append(r)):
        return True  # cut off
    wait_until(lambda: bool(results))
    return not results[0][0]


@needs_mosquitto
def test_a_renewed_certificate_is_taken_and_the_former_can_be_revoked(tmp_path: Path) -> None:
    mine = make_mine(tmp_path)
    former = tmp_path / "former"
    shutil.copytree(mine.folder / "gateways" / "gw1", former)
    mine.workshop.issue("gateway", "gw1", days=DAYS, replace=True)
    mine.workshop.revoke("gw1", former=True)
    with running(mine.folder / "broker", mine.port):
        mine.connect("gateways/gw1").close()
        log = Log()
        old = mine.client("gateways/gw1").model_copy(
            update={"certificate_file": former / "client.pem", "key_file": former / "client.key"}
        )
        tried(old, "old", log, lambda: log.has("trying again")).close()
        assert log.has("revoked"), log


@needs_mosquitto
def test_one_authority_follows_another_without_a_gap(tmp_path: Path, other_mine: Mine) -> None:
    """As docs/security.md tells: both in one file, at the broker and at those who connect."""
    mine = make_mine(tmp_path)
    new = Workshop(other_mine.folder)
    new.issue_broker(BrokerSettings(), ("localhost",), days=DAYS, replace=True)
    for name in ("ca.pem", "crl.pem"):
        both = (mine.folder / "broker" / name).read_bytes()
        both += (other_mine.folder / "broker" / name).read_bytes()
        (mine.folder / "broker" / name).write_bytes(both)
    trusted = tmp_path / "both.pem"
    trusted.write_bytes((mine.folder / "broker" / "ca.pem").read_bytes())
    for server in (mine, other_mine):
        for end in ("key", "pem"):
            if server is not mine:
                file = f"broker/server.{end}"
                shutil.copy(server.folder / file, mine.folder / file)
        with running(mine.folder / "broker", mine.port):
            for client in (mine, other_mine):
                config = client.client("gateways/gw1", mine.port, ca_file=trusted)
                made = Connection(config, "x", log=Log().append)
                made.connect(HANG_S, wait=True)
                made.close()


@needs_mosquitto
def test_a_broker_of_somebody_else_is_not_trusted(
    mine: Mine, broker: Broker, other_mine: Mine
) -> None:
    config = mine.client("gateways/gw1", ca_file=other_mine.folder / "ca" / "ca.pem")
    made = Connection(config, "x", log=Log().append)
    with pytest.raises(BrokerError, match=r"authority that we trust \(broker\.ca_file: .*ca\.pem"):
        made.connect(2.0, wait=True)


@needs_mosquitto
def test_a_broker_under_another_name_is_not_trusted(mine: Mine, broker: Broker) -> None:
    # Another spelling of 127.0.0.1, which no certificate names.
    config = mine.client("gateways/gw1", url=f"mqtts://127.1:{mine.port}")
    made = Connection(config, "x", log=Log().append)
    with pytest.raises(BrokerError, match=r"for other names: .*127\.1.*broker\.url"):
        made.connect(2.0, wait=True)


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """Answer TLS at a port, one after the other, and say nothing."""
    server, over = create_server(("127.0.0.1", 0)), threading.Event()
    server.settimeout(0.1)

    def serve() -> None:
        while not over.is_set():
            with suppress(OSError):
                plain, _ = server.accept()
                plain.settimeout(1.0)
                with plain, suppress(OSError):
                    raw = context.wrap_socket(plain, server_side=True)
                    with raw:
                        raw.recv(1000)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(server.getsockname()[1])
    finally:
        over.set()
        thread.join()
        server.close()


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def why_not(config: BrokerConfig) -> str:
    log = Log()
    tried(config, "x", log, lambda: log.has("trying again")).close()
    return log[0]


def test_who_has_stolen_a_gateways_key_is_no_broker(mine: Mine) -> None:
    files = mine.folder / "gateways" / "gw1"
    with tls_server(server_context(files / "client.pem", files / "client.key")) as port:
        assert "not a broker's" in why_not(mine.client("gateways/gw-2", port))


@pytest.mark.parametrize(("shift", "said"), [(-800, "has expired"), (800, "clock")])
def test_a_brokers_certificate_out_of_its_time(mine: Mine, shift: int, said: str) -> None:
    workshop = mine.at(utc_now() + days(shift))
    workshop.issue_broker(BrokerSettings(), ("localhost",), days=30, replace=True)
    files = mine.folder / "broker"
    with tls_server(server_context(files / "server.pem", files / "server.key")) as port:
        assert said in why_not(mine.client("gateways/gw1", port))


def test_old_tls_is_not_spoken(mine: Mine) -> None:
    files = mine.folder / "broker"
    mine.workshop.renew("broker", days=DAYS)
    context = server_context(files / "server.pem", files / "server.key")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    with tls_server(context) as port:
        assert "older than 1.2" in why_not(mine.client("gateways/gw1", port))


@needs_mosquitto
def test_a_port_without_tls_is_named(mine: Mine, tmp_path: Path) -> None:
    with mosquitto(tmp_path) as plain:
        port = int(plain.url.rpartition(":")[2])
        assert "speak TLS on this port" in why_not(mine.client("gateways/gw1", port))


def test_with_an_authority_of_our_own_no_other_counts(mine: Mine) -> None:
    context = tls_context(mine.client("gateways/gw1"))
    assert [dict(one["subject"][0]) for one in context.get_ca_certs()] == [  # type: ignore[arg-type]
        {"organizationName": SITE}
    ]
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_a_certificate_is_said_to_end_soon(mine: Mine) -> None:
    config = mine.client("gateways/gw1")
    assert soon_expired(config) == ""
    assert soon_expired(config, utc_now() + days(DAYS - 40)) == ""
    soon = soon_expired(config, utc_now() + days(DAYS - 12))
    assert "gw1/client.pem expires in 1" in soon
    assert "lamproom certs renew" in soon
    assert "has expired on" in soon_expired(config, utc_now() + days(DAYS + 2))
    assert "counts only from" in soon_expired(config, utc_now() - days(9))
    assert "ca.pem expires in" in soon_expired(config, utc_now() + days(20 * 365 - 3))


def test_a_connection_says_that_its_certificate_ends_soon(mine: Mine) -> None:
    mine.workshop.issue("gateway", "brief", days=10)
    files = mine.folder / "broker"
    mine.workshop.renew("broker", days=DAYS)
    log = Log()
    with tls_server(server_context(files / "server.pem", files / "server.key")) as port:
        made = tried(mine.client("gateways/brief", port), "x", log, lambda: log.has("expires in"))
        made.close()
    assert "brief/client.pem expires in" in made.trouble


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "client.pem").unlink(), r"client\.pem can't be read: No such"),
        (lambda folder: (folder / "ca.pem").unlink(), r"ca_file: .*ca\.pem can't be read"),
        (lambda folder: (folder / "ca.pem").write_text("x"), r"ca_file: .*ca\.pem: not PEM"),
        (lambda folder: (folder / "client.pem").write_text("x"), r"not PEM, or cut off"),
        (lambda folder: (folder / "client.key").chmod(0o604), r"key_file: .*chmod o="),
    ],
)
def test_files_that_cannot_be_used_are_named(mine: Mine, tmp_path: Path, spoil, said) -> None:  # type: ignore[no-untyped-def]
    shutil.copytree(mine.folder / "gateways" / "gw1", tmp_path / "gw1")
    spoil(tmp_path / "gw1")
    config = Mine(folder=tmp_path, port=free_port()).client("gw1")
    with pytest.raises(BrokerError, match=said):
        Connection(config, "x")


def test_a_key_of_another_certificate_or_with_a_password_is_named(
    mine: Mine, tmp_path: Path
) -> None:
    config = mine.client("gateways/gw1", key_file=mine.folder / "gateways" / "gw-2" / "client.key")
    with pytest.raises(BrokerError, match="don't belong together"):
        tls_context(config)
    key = load_pem_private_key((mine.folder / "gateways/gw1/client.key").read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    locked.chmod(0o600)
    with pytest.raises(BrokerError, match="a key with a password"):
        tls_context(mine.client("gateways/gw1", key_file=locked))


@pytest.mark.parametrize(
    ("broker", "said"),
    [
        ("{url: mqtt://h, ca_file: ca.pem}", r"broker: url: ca_file is for mqtts://"),
        ("{url: mqtts://h, key_file: k}", r"broker: certificate_file and key_file go together"),
        ("{url: mqtts://h, certificate_file: c}", r"go together"),
    ],
)
def test_a_site_file_that_would_not_protect_is_refused(broker: str, said: str) -> None:
    with pytest.raises(SiteError, match=said):
        parse_site(f"{PLAIN_SITE}broker: {broker}\n", name="site.yaml", folder=Path("/"))
