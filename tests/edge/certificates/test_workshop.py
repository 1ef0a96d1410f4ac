import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from delivery.signing import Signer, public_keys_of
from delivery.trust import Trust
from edge.broker_files.config import BrokerSettings
from edge.broker_files.nats import NodeSettings
from edge.certificates.authority import make_authority, read_certificate, utc_now
from edge.certificates.register import Role
from edge.certificates.workshop import CONTROL_ROOM, Workshop, control_room_name
from scene.clock import SystemClock
from scene.errors import CertificateError
from scene.topics import Address
from tests.edge.mine_certificates import DAYS, SITE, days, make_mine


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    return make_mine(tmp_path).folder


def test_secrets_are_for_their_owner_alone(certs: Path) -> None:
    Workshop(certs).make_signer(replace=False)
    keys = list(certs.rglob("*.key"))
    assert len(keys) > 10
    for key in keys:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600, key
    assert stat.S_IMODE((certs / "ca").stat().st_mode) == 0o700
    assert not list(certs.rglob(".*"))


def test_keys_are_never_overwritten_by_accident(certs: Path) -> None:
    before = {path: path.read_bytes() for path in certs.rglob("*.key")}
    workshop = Workshop(certs)
    for again in (
        lambda: workshop.issue("gateway", "gw1", days=DAYS),
        lambda: workshop.issue("control_room", CONTROL_ROOM, days=DAYS),
        lambda: workshop.issue_broker(BrokerSettings(), ("h",), days=DAYS, replace=False),
        lambda: make_authority(certs / "ca", SITE, utc_now(), replace=False),
    ):
        with pytest.raises(CertificateError, match="--replace"):
            again()
    assert {path: path.read_bytes() for path in certs.rglob("*.key")} == before
    count = len(workshop.register.entries)
    assert len(Workshop(certs).register.entries) == count
    workshop.issue("gateway", "gw1", days=DAYS, replace=True)
    changed = [path for path, key in before.items() if path.read_bytes() != key]
    assert changed == [certs / "gateways" / "gw1" / "client.key"]


def test_a_certificate_says_who_one_is_and_for_what_it_counts(certs: Path) -> None:
    client = read_certificate(certs / "gateways" / "gw1" / "client.pem")
    number = f"2.5.4.5={client.serial_number:x}"
    assert client.subject.rfc4514_string() == f"{number},CN=gw1,O={SITE}"
    use = client.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(use) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    server = read_certificate(certs / "broker" / "server.pem")
    use = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(use) == [ExtendedKeyUsageOID.SERVER_AUTH]
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    authority = read_certificate(certs / "ca" / "ca.pem")
    for issued in (client, server):
        issued.verify_directly_issued_by(authority)
        assert not issued.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_clusters_node_is_server_and_client_under_the_names_the_others_call(certs: Path) -> None:
    hosts = [("a.mine", "10.0.0.1"), ("b.mine",), ("10.0.0.3",)]
    nodes = [NodeSettings(hosts=one) for one in hosts]
    Workshop(certs).issue_nodes(nodes, days=DAYS, replace=False)
    for number, names in enumerate(hosts, 1):
        node = read_certificate(certs / f"nats-{number}" / "server.pem")
        use = node.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert set(use) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
        said = node.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        # NATS compares with names only, clients of TLS with addresses as such.
        assert set(said.get_values_for_type(x509.DNSName)) == set(names)
        addresses = {str(one) for one in said.get_values_for_type(x509.IPAddress)}
        assert addresses == {name for name in names if name[0].isdecimal()}


def test_a_name_is_given_once(certs: Path) -> None:
    workshop = Workshop(certs)
    for role, name in (("subscriber", "gw1"), ("gateway", "siren"), ("gateway", "tags")):
        with pytest.raises(CertificateError, match=f"{name}: is the name of a"):
            workshop.issue(role, name, days=DAYS)  # type: ignore[arg-type]
    for name in (CONTROL_ROOM, "broker", "authority"):
        with pytest.raises(CertificateError, match="Lamproom's own"):
            workshop.issue("gateway", name, days=DAYS)
    workshop.revoke("gw1", former=False)
    with pytest.raises(CertificateError, match="gw1: is the name of a gateway"):
        Workshop(certs).issue("subscriber", "gw1", days=DAYS)


def test_renewing_keeps_the_key_and_gives_a_new_end(certs: Path) -> None:
    file, key = certs / "gateways/gw1/client.pem", certs / "gateways/gw1/client.key"
    before, secret = read_certificate(file), key.read_bytes()
    parcels = Workshop(certs, utc_now() + days(400)).renew("gw1", days=DAYS)
    after = read_certificate(file)
    assert after.not_valid_after_utc > before.not_valid_after_utc + days(390)
    assert after.serial_number != before.serial_number
    assert after.public_key() == before.public_key()
    assert key.read_bytes() == secret
    assert [(parcel.machine, parcel.files) for parcel in parcels] == [
        ("gateway gw1", ("client.pem",))
    ]


def test_nothing_outlives_the_authority(certs: Path) -> None:
    workshop = Workshop(certs, utc_now() + days(19 * 365 + 10))
    workshop.renew("gw1", days=DAYS)
    end = read_certificate(certs / "gateways/gw1/client.pem").not_valid_after_utc
    assert end == workshop.authority.until
    assert any("authority itself ends" in warning for warning in workshop.warnings())


def test_what_ends_soon_is_said_with_the_remedy(certs: Path) -> None:
    assert Workshop(certs).warnings() == []
    Workshop(certs).issue("gateway", "brief", days=20)
    assert Workshop(certs).warnings() == [
        w for w in Workshop(certs).warnings() if w.startswith("brief (client): ends in")
    ]
    (warning,) = Workshop(certs).warnings()
    assert "`lamproom certs renew brief`" in warning
    (late,) = Workshop(certs, utc_now() + days(21)).warnings()
    assert "EXPIRED" in late
    Workshop(certs).renew("brief", days=DAYS)
    assert Workshop(certs).warnings() == []


def revoked(certs: Path) -> list[int]:
    lists = x509.load_pem_x509_crl((certs / "broker" / "crl.pem").read_bytes())
    authority = read_certificate(certs / "ca" / "ca.pem")
    assert lists.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    return [one.serial_number for one in lists]


def test_the_list_of_revoked_certificates_never_runs_out_and_is_always_later(certs: Path) -> None:
    assert revoked(certs) == []
    ends = []
    for name in ("gw1", "gw-2"):
        Workshop(certs).revoke(name, former=False)
        lists = x509.load_pem_x509_crl((certs / "broker" / "crl.pem").read_bytes())
        assert lists.next_update_utc == Workshop(certs).authority.until
        assert lists.last_update_utc < utc_now() - days(0.5), "brokers' clocks may be behind"
        ends.append(lists.last_update_utc)
    assert ends[0] < ends[1]
    assert len(revoked(certs)) == 2
    # Also when this machine's clock was put back.
    Workshop(certs, utc_now() - days(300)).revoke("siren", former=False)
    lists = x509.load_pem_x509_crl((certs / "broker" / "crl.pem").read_bytes())
    assert lists.last_update_utc > ends[1]


def test_revoking_the_former_ones_leaves_the_newest(certs: Path) -> None:
    file = certs / "gateways/gw1/client.pem"
    old = read_certificate(file).serial_number
    Workshop(certs).renew("gw1", days=DAYS)
    new = read_certificate(file).serial_number
    Workshop(certs).revoke("gw1", former=True)
    assert revoked(certs) == [old]
    with pytest.raises(CertificateError, match="no former certificate"):
        Workshop(certs).revoke("gw1", former=True)
    Workshop(certs).revoke("gw1", former=False)
    assert sorted(revoked(certs)) == sorted([old, new])
    with pytest.raises(CertificateError, match="gw1: has no certificate that counts"):
        Workshop(certs).renew("gw1", days=DAYS)


def test_a_gateways_own_broker_needs_the_gateway_first(certs: Path) -> None:
    settings = BrokerSettings(gateway="gw7", surface="broker")
    with pytest.raises(CertificateError, match="lamproom certs gateway gw7"):
        Workshop(certs).issue_broker(settings, ("localhost",), days=DAYS, replace=False)


def test_hosts_are_names_or_addresses(certs: Path) -> None:
    for host in ("a b", "mqtts://x", "host:8883", "", "-x"):
        with pytest.raises(CertificateError, match="name or address"):
            Workshop(certs).issue_broker(BrokerSettings(), (host,), days=DAYS, replace=True)


ADDRESS = Address(prefix="mine", site=SITE, gateway="gw-2", topic="alarm", id="a")


def test_signing_keys_are_found_by_those_who_check(certs: Path) -> None:
    trust = Trust([certs / "trusted"], SystemClock())
    assert set(trust.gateways()) == {(SITE, "gw1"), (SITE, "gw-2")}
    signer = Signer.from_file(certs / "gateways/gw-2/signing.key")
    message = signer.sign("t", b'{"a":1}')
    keys = trust.keys_for(ADDRESS)
    assert keys is not None
    assert keys[0].fits("t", message)


def test_signing_keys_are_changed_without_a_gap(certs: Path) -> None:
    former = Signer.from_file(certs / "gateways/gw-2/signing.key").sign("t", b'{"a":1}')
    Workshop(certs).new_signing_keys("gw-2")
    new = Signer.from_file(certs / "gateways/gw-2/signing.key").sign("t", b'{"a":1}')
    assert new != former

    def counts(message: bytes) -> bool:
        keys = Trust([certs / "trusted"], SystemClock()).keys_for(ADDRESS) or ()
        return any(key.fits("t", message) for key in keys)

    assert counts(former)
    assert counts(new)
    Workshop(certs).drop_former_signing_keys("gw-2")
    assert not counts(former)
    assert counts(new)
    # A new certificate leaves the signing keys alone.
    Workshop(certs).issue("gateway", "gw-2", days=DAYS, replace=True)
    assert counts(Signer.from_file(certs / "gateways/gw-2/signing.key").sign("t", b"{}"))
    Workshop(certs).new_signing_keys(CONTROL_ROOM)
    assert len(public_keys_of(certs / "trusted" / "control_room.pub")) == 2


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("ca/ca.key", "is not a key"),
        ("ca/ca.pem", "is not a certificate"),
        ("ca/certificates.json", "is not a list of certificates"),
    ],
)
def test_damaged_files_are_named(certs: Path, file: str, said: str) -> None:
    (certs / file).write_text("x")
    with pytest.raises(CertificateError, match=rf"{file}: {said}"):
        Workshop(certs)


def test_a_key_of_another_authority_is_refused(certs: Path, tmp_path: Path) -> None:
    make_authority(tmp_path / "ca", SITE, utc_now(), replace=False)
    (certs / "ca" / "ca.key").write_bytes((tmp_path / "ca" / "ca.key").read_bytes())
    with pytest.raises(CertificateError, match="is not the key of"):
        Workshop(certs)


@pytest.mark.parametrize(
    ("name", "place", "file"),
    [
        ("gw1", "gateways/gw1", "gateway-north--7-gw1.pub"),
        (CONTROL_ROOM, "control_room", "control_room.pub"),
    ],
)
def test_a_stolen_machines_signing_key_is_not_trusted_again(
    certs: Path, name: str, place: str, file: str
) -> None:
    stolen = (certs / place / "signing.key").read_bytes()
    others = set((certs / "trusted").iterdir()) - {certs / "trusted" / file}
    parcels = Workshop(certs).revoke(name, former=False)
    assert any("delete it" in parcel.note and file in parcel.files for parcel in parcels)
    assert set((certs / "trusted").iterdir()) == others
    role: Role = "gateway" if name == "gw1" else "control_room"
    Workshop(certs).issue(role, name, days=DAYS, replace=True)
    key = certs / place / "signing.key"
    assert key.read_bytes() != stolen
    [trusted] = public_keys_of(certs / "trusted" / file)
    assert trusted.id == Signer.from_file(key).public_key().id


def test_who_signs_nothing_is_taken_back_without_a_word_on_keys(certs: Path) -> None:
    before = set((certs / "trusted").iterdir())
    Workshop(certs).revoke("gw1", former=False)
    Workshop(certs).revoke("siren", former=False)
    assert len(before - set((certs / "trusted").iterdir())) == 1


def test_a_second_control_room_has_keys_of_its_own_and_loses_only_them(certs: Path) -> None:
    first, name = certs / "control_room", control_room_name("spare")
    before = {path: path.read_bytes() for path in first.iterdir()}
    parcels = Workshop(certs).issue("control_room", name, days=DAYS)
    machines = {parcel.machine: parcel for parcel in parcels}
    assert machines["control room spare"].folder == certs / name
    assert machines["gateways, control rooms, readers"].files == ("control_room-spare.pub",)
    assert {path: path.read_bytes() for path in first.iterdir()} == before
    client = read_certificate(certs / name / "client.pem")
    number = f"2.5.4.5={client.serial_number:x}"
    assert client.subject.rfc4514_string() == f"{number},CN={name},O={SITE}"
    order = Address(prefix="mine", site=SITE, gateway="gw1", topic="order", id="a")

    def trusted() -> set[str]:
        keys = Trust([certs / "trusted"], SystemClock()).keys_for(order) or ()
        return {key.id for key in keys}

    ids = {
        place: Signer.from_file(certs / place / "signing.key").public_key().id
        for place in ("control_room", name)
    }
    assert trusted() == set(ids.values())
    Workshop(certs).new_signing_keys(name)
    assert len(trusted()) == 3
    Workshop(certs).drop_former_signing_keys(name)
    assert len(trusted()) == 2
    Workshop(certs).revoke(name, former=False)
    assert trusted() == {ids["control_room"]}
    with pytest.raises(CertificateError, match="`lamproom certs control-room spare`"):
        Workshop(certs).new_signing_keys(name)
    with pytest.raises(CertificateError, match="Lamproom's own"):
        Workshop(certs).issue("gateway", "control_room-east", days=DAYS)
