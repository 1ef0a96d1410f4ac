import base64
import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from delivery.signing import Signer, SigningError, is_signed, public_keys_of
from scene.wire import decode, encode
from tests.delivery.keys import pair
from tests.delivery.parts import alarm

TOPIC = "mine/roadway/gw/gw1/alarm/man_down-1"
MESSAGE = encode(alarm(), gateway="gw1", run=5, seq=7, sent_at_ns=9)


@pytest.fixture(name="signer")
def _signer(tmp_path: Path) -> Signer:
    return Signer.from_file(pair(tmp_path, "gw1")[0])


def test_a_signed_message_is_the_same_message_with_a_last_field(signer: Signer) -> None:
    signed = signer.sign(TOPIC, MESSAGE)
    assert list(json.loads(signed))[-1] == "signature"
    assert decode(signed) == decode(MESSAGE)
    assert is_signed(signed)
    assert not is_signed(MESSAGE)
    assert signer.public_key().fits(TOPIC, signed)


def test_every_changed_byte_is_noticed(signer: Signer) -> None:
    signed, key = signer.sign(TOPIC, MESSAGE), signer.public_key()
    for at in range(len(signed)):
        changed = signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]
        # Base64 has 4 bits at its end that say nothing.
        if at != len(signed) - 5:
            assert not key.fits(TOPIC, changed), at


def test_a_message_fits_its_own_topic_only(signer: Signer) -> None:
    signed, key = signer.sign(TOPIC, MESSAGE), signer.public_key()
    for topic in (TOPIC.replace("gw1", "gw2"), TOPIC + "2", "replay" + TOPIC[4:], TOPIC[:-1]):
        assert not key.fits(topic, signed)


def test_a_byte_cannot_be_shifted_between_topic_and_message(signer: Signer) -> None:
    signed, key = signer.sign("mine/a", b'{"b":1}'), signer.public_key()
    assert not key.fits("mine/", b"a" + signed)
    assert not key.fits('mine/a{"b":1', signed.removeprefix(b'{"b":1'))


def test_what_others_sign_or_nobody_does_not_fit(signer: Signer, tmp_path: Path) -> None:
    key = signer.public_key()
    other = Signer.from_file(pair(tmp_path, "other")[0])
    assert not key.fits(TOPIC, other.sign(TOPIC, MESSAGE))
    assert not key.fits(TOPIC, MESSAGE)
    twice = signer.sign(TOPIC, other.sign(TOPIC, MESSAGE))
    assert key.fits(TOPIC, twice)
    with pytest.raises(Exception, match="twice"):
        decode(twice)


def test_a_signature_made_for_something_else_fits_no_message(tmp_path: Path) -> None:
    private, _ = pair(tmp_path, "gw1")
    signer = Signer.from_file(private)
    raw = load_pem_private_key(private.read_bytes(), password=None)
    body = MESSAGE[:-1]
    for said in (body, TOPIC.encode() + b"\0" + body):
        loose = base64.b64encode(raw.sign(said))  # type: ignore[union-attr,call-arg]
        assert not signer.public_key().fits(TOPIC, body + b',"signature":"' + loose + b'"}')


@pytest.mark.parametrize("what", ["RSA", "EC"])
def test_keys_of_another_kind_are_refused(what: str, tmp_path: Path) -> None:
    key = (
        rsa.generate_private_key(65537, 2048)
        if what == "RSA"
        else ec.generate_private_key(ec.SECP256R1())
    )
    private, public = tmp_path / "x.key", tmp_path / "x.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(SigningError, match=r"x\.key: .*Ed25519; `lamproom certs`"):
        Signer.from_file(private)
    with pytest.raises(SigningError, match=r"x\.pub: .*Ed25519; `lamproom certs`"):
        public_keys_of(public)


def test_each_wrong_key_file_is_one_clear_line(tmp_path: Path) -> None:
    private, public = pair(tmp_path, "gw1")
    with pytest.raises(SigningError, match=r"none\.key: there is no such key file"):
        Signer.from_file(tmp_path / "none.key")
    with pytest.raises(SigningError, match="can't be read"):
        Signer.from_file(tmp_path)
    public.chmod(0o600)
    with pytest.raises(SigningError, match="is a public key; give the private one"):
        Signer.from_file(public)
    with pytest.raises(SigningError, match="is a private key, which nobody but its owner"):
        public_keys_of(private)
    junk = tmp_path / "junk"
    for data in (b"", b"junk", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        junk.write_bytes(data)
        junk.chmod(0o600)
        with pytest.raises(SigningError, match=r"junk: is no private key in PEM"):
            Signer.from_file(junk)
    for data in (b"", b"junk", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        junk.write_bytes(data)
        with pytest.raises(SigningError, match=r"junk: is no public key in PEM"):
            public_keys_of(junk)
    junk.write_bytes(bytes(200_000))
    with pytest.raises(SigningError, match="too long"):
        public_keys_of(junk)
    locked = load_pem_private_key(private.read_bytes(), password=None)
    private.write_bytes(
        locked.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    )
    with pytest.raises(SigningError, match="locked with a password"):
        Signer.from_file(private)


def test_a_private_key_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    private, _ = pair(tmp_path, "gw1")
    os.chmod(private, 0o644)
    with pytest.raises(SigningError, match=r"chmod o= .*gw1\.key"):
        Signer.from_file(private)


def test_a_file_may_hold_the_former_key_and_the_next(tmp_path: Path) -> None:
    (old, old_public), (new, new_public) = pair(tmp_path, "old"), pair(tmp_path, "new")
    both = tmp_path / "both.pub"
    both.write_bytes(old_public.read_bytes() + b"# from May on:\n" + new_public.read_bytes())
    keys = public_keys_of(both)
    for path in (old, new):
        signed = Signer.from_file(path).sign(TOPIC, MESSAGE)
        assert sum(key.fits(TOPIC, signed) for key in keys) == 1
