"""Heads of the audit that are signed: what a copy, or a sheet of paper, proves by itself."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from control_room.heads_file import Heads
from control_room.journal.audit import Head
from control_room.journal.database import Place, beside, open_database
from control_room.journal.journal import Journal
from control_room.main import open_room
from control_room.signed_heads import signs_with
from delivery.broker import EmbeddedBroker
from delivery.signing import Signer
from edge.main import main
from scene.clock import SystemClock
from scene.site import BrokerConfig

Verify = Callable[..., tuple[int, str]]


@pytest.fixture
def verify(place: Place, capfd: pytest.CaptureFixture[str]) -> Verify:
    def run(*words: object) -> tuple[int, str]:
        capfd.readouterr()
        code = main(["journal", "verify", "--journal", str(place), *map(str, words)])
        return code, "".join(capfd.readouterr())

    return run


def new_key(folder: Path, name: str) -> tuple[Path, Path]:
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return new_key(tmp_path, "control_room")


def act(place: Place, private: Path | None, times: int, *, who: str = "Ada") -> None:
    sign = signs_with(Signer.from_file(private)) if private else None
    with closing(Journal(place, sign=sign)) as journal:
        for _ in range(times):
            journal.audit(who=who, what="log_in", at_ns=1_795_939_200_000_000_000)


def kept_file(place: Place) -> Path:
    file = beside(place, ".heads")
    assert file is not None
    return file


@pytest.fixture
def heads(place: Place, keys: tuple[Path, Path]) -> Iterator[Path]:
    """Two heads from before there was a key, and three after."""
    file = kept_file(place)
    file.unlink(missing_ok=True)  # of a PostgreSQL server it lies in `state/`
    act(place, None, 2)
    act(place, keys[0], 3)
    yield file
    file.unlink(missing_ok=True)


def test_heads_are_signed_once_there_is_a_key(
    heads: Path, keys: tuple[Path, Path], verify: Verify
) -> None:
    lines = heads.read_text().splitlines()
    assert [len(line.split(" ")) for line in lines] == [2, 2, 3, 3, 3]
    code, said = verify("--key", keys[1], "--head", of_old(heads))
    assert code == 0, said
    assert "3 of them are signed with that key" in said
    assert f"signed head: {lines[-1]}" in said
    code, said = verify()
    assert code == 0, said
    assert "3 of them are signed; nobody looked at that" in said
    assert verify("--key", keys[1], "--head", lines[-1])[0] == 0, "as it was printed"


def of_old(heads: Path) -> str:
    """The head from before there was a key, as somebody keeps it elsewhere."""
    return heads.read_text().splitlines()[1].split(" ")[1]


def change_line(heads: Path, i: int, change: Callable[[str], str]) -> None:
    lines = heads.read_text().splitlines()
    lines[i] = change(lines[i])
    heads.write_text("".join(f"{line}\n" for line in lines))


def test_a_head_that_is_not_as_it_was_signed_is_found(
    heads: Path, keys: tuple[Path, Path], verify: Verify
) -> None:
    before = heads.read_text()
    for change, words in (
        (lambda line: line.replace("2026", "2025"), "entry 4 is not signed with that key"),
        (lambda line: line.replace(" 4:", " 5:"), "entry 5 is not signed with that key"),
        (lambda line: line[:-10] + "AAAAAAAA==", "entry 4 is not signed with that key"),
        (lambda line: line + "x", "entry 4 is not signed with that key"),
        (lambda line: line.rpartition(" ")[0], "the head of entry 4 is not signed: it was put in"),
    ):
        change_line(heads, 3, change)
        code, said = verify("--key", keys[1])
        assert (code, words in said) == (1, True), said
        heads.write_text(before)


def cut_off(place: Place, after: int) -> None:
    with closing(open_database(place, lambda *_: None)) as database:
        database.write(lambda session: session.change("DELETE FROM audit WHERE number > ?", after))


def test_who_writes_all_anew_without_the_key_is_found(
    place: Place, heads: Path, keys: tuple[Path, Path], tmp_path: Path, verify: Verify
) -> None:
    """Somebody who can write the database and the file with the heads, but has not the key."""
    printed = heads.read_text().splitlines()[-1]
    cut_off(place, 2)
    heads.unlink()
    act(place, None, 3, who="Eve")
    code, said = verify()
    assert code == 0, "whole in itself"
    code, said = verify("--key", keys[1])
    assert (code, "no head is signed" in said) == (1, True), said
    other = new_key(tmp_path, "eve")[0]
    act(place, other, 1)
    code, said = verify("--key", keys[1])
    assert (code, "entry 6 is not signed with that key" in said) == (1, True), said
    code, said = verify("--key", keys[1], "--head", printed)
    assert "entry 5 is not the one whose hash was kept" in said
    lie = printed.replace(" 5:", " 6:")
    said = verify("--key", keys[1], "--head", lie)[1]
    assert said.count("entry 6 is not signed with that key") == 2, (
        "the one kept, and the printed one"
    )


def test_a_key_may_be_changed(
    place: Place, heads: Path, keys: tuple[Path, Path], tmp_path: Path, verify: Verify
) -> None:
    private, public = new_key(tmp_path, "next")
    act(place, private, 1)
    old = ("--head", of_old(heads))
    assert verify("--key", public, *old)[0] == 1
    code, said = verify("--key", keys[1], "--key", public, *old)
    assert (code, "4 of them are signed" in said) == (0, True), said
    both = tmp_path / "both.pub"
    both.write_text(keys[1].read_text() + public.read_text())
    assert verify("--key", both, *old)[0] == 0


def test_what_nobody_vouches_for_yet_is_said(
    heads: Path, keys: tuple[Path, Path], verify: Verify
) -> None:
    heads.write_text("".join(heads.read_text().splitlines(keepends=True)[:-1]))
    code, said = verify("--key", keys[1], "--head", of_old(heads))
    assert code == 0, said
    assert "entries after 4 have no signed head" in said


def test_what_was_never_signed_is_known_only_by_a_head_from_elsewhere(
    heads: Path, keys: tuple[Path, Path], verify: Verify
) -> None:
    """Lines without a signature are written by whoever wrote the chain anew."""
    lines = [line.split(" ")[1] for line in heads.read_text().splitlines()]
    code, said = verify("--key", keys[1])
    assert (code, "TAMPERED" in said) == (1, False)
    assert "UNPROVEN: entries before 3 have no signed head" in said
    code, said = verify("--key", keys[1], "--head", lines[0])
    assert (code, "TAMPERED" in said) == (1, False)
    assert "UNPROVEN: entry 2 has no signed head" in said
    assert verify("--key", keys[1], "--head", lines[1])[0] == 0
    assert verify()[0] == 0, "nobody asked for signatures"


def test_a_forged_chain_is_not_signed_by_a_control_room_that_starts(
    place: Place, heads: Path, keys: tuple[Path, Path], verify: Verify
) -> None:
    """Who has no key takes the heads away, or those of what they write anew."""
    whole = heads.read_text().splitlines(keepends=True)
    for kept, unproven in (("", "before 6"), ("".join(whole[:3]), "4 to 5")):
        cut_off(place, 3)
        heads.unlink()
        act(place, None, 2, who="Eve")
        heads.write_text(kept) if kept else heads.unlink()
        act(place, keys[0], 0)
        assert len(heads.read_text().splitlines()[-1].split(" ")) == (3 if kept else 2)
        act(place, keys[0], 1)
        code, said = verify("--key", keys[1], *(("--head", of_old(heads)) if kept else ()))
        assert (code, f"UNPROVEN: entries {unproven} have no signed head" in said) == (1, True)
        assert "TAMPERED" not in said


def test_where_no_head_is_signed_a_key_says_nothing_good(
    heads: Path, keys: tuple[Path, Path], verify: Verify
) -> None:
    printed, old = heads.read_text().splitlines()[-1], of_old(heads)
    heads.unlink()
    code, said = verify("--key", keys[1], "--head", old)
    assert (code, "UNPROVEN: entries 3 to 5 have no signed head" in said) == (1, True), said
    code, said = verify("--key", keys[1])
    assert (code, "UNPROVEN: there is no head that is signed" in said) == (1, True), said
    code, said = verify("--key", keys[1], "--head", printed)
    assert code == 0, said
    code, said = verify("--key", keys[1], "--head", printed.replace("2026", "2025"))
    assert (code, "is not signed with that key" in said) == (1, True), said


def test_a_power_failure_in_the_middle_of_a_line_is_no_tampering(
    place: Place, heads: Path, keys: tuple[Path, Path], verify: Verify
) -> None:
    whole, old = heads.read_text(), of_old(heads)
    for cut in (1, 2, 30, 88, 89, 90, 120, 160):
        heads.write_text(whole[:-cut])
        code, said = verify("--key", keys[1], "--head", old)
        assert code == 0, (cut, said)
    act(place, keys[0], 1)
    code, said = verify("--key", keys[1], "--head", old)
    assert (code, "UNPROVEN: entry 5 has no" in said, "TAMPERED" in said) == (1, True, False)
    assert verify("--key", keys[1], "--head", whole.splitlines()[-1])[0] == 0, "as it was printed"
    assert [line.split(" ")[1][:2] for line in heads.read_text().splitlines()][-1] == "6:"


def test_a_half_line_that_is_longer_than_any_is_cut_off_too(tmp_path: Path) -> None:
    file = tmp_path / "heads"
    for torn in ("", "x" * 5000, "2026-11-30T00:00:00Z 1:" + "a" * 64 + "\n" + "y" * 300):
        file.write_text(torn)
        Heads(file).keep([(0, Head(number=2, hash="b" * 64))])
        assert file.read_text().splitlines()[-1] == f"1970-01-01T00:00:00Z 2:{'b' * 64}"


def test_a_control_room_with_a_key_signs(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    place = tmp_path / "state" / "journal.sqlite"
    with EmbeddedBroker() as broker:
        config = BrokerConfig(url=broker.url)
        signer = Signer.from_file(keys[0])
        with open_room(config, place, SystemClock(), signer=signer) as room:
            room.journal.audit(who="Ada", what="log_in", at_ns=5)
    words = ["journal", "verify", "--journal", str(place), "--key", str(keys[1])]
    assert main(words) == 0
    assert len(kept_file(place).read_text().split(" ")) == 3
