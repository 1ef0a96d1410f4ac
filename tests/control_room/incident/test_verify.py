"""Whoever changes a byte of an export is found, and so is whoever makes one anew."""

import base64
import hashlib
import json
import os
import random
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_room.incident.error import IncidentError
from control_room.incident.manifest import DOMAIN, read
from control_room.incident.verify import Verdict, verify
from delivery.signing import PublicKey, public_keys_of, read_private_key
from tests.control_room.fake_gateway import alarm
from tests.control_room.incident.recordings import at, exported, record
from tests.delivery.keys import pair

RANDOM_FLIPS = 150


class Made:
    """An export with its keys."""

    def __init__(self, folder: Path) -> None:
        private, public = pair(folder, "room")
        self.key = read_private_key(private)
        self.trusted = public_keys_of(public)
        down = alarm("man_down-3", at_ns=at(1))
        recording = record(folder / "run.mcap", 3, (1, down))
        exported(recording, folder / "signed", 0, 3, key=self.key, zip=True)
        exported(recording, folder / "bare", 0, 3, zip=True)
        self.signed, self.bare = folder / "signed", folder / "bare"
        self.archive, self.bare_archive = folder / "signed.zip", folder / "bare.zip"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made"))


@pytest.fixture
def copy(made: Made, tmp_path: Path) -> Path:
    return shutil.copytree(made.signed, tmp_path / "copy")


def names_of(folder: Path) -> list[str]:
    found = (one for one in folder.rglob("*") if one.is_file())
    return sorted(one.relative_to(folder).as_posix() for one in found)


def begins_of(archive: Path) -> dict[str, int]:
    """Tell where each file's content begins."""
    with zipfile.ZipFile(archive) as file:
        return {one.filename: one.header_offset + 30 + len(one.filename) for one in file.filelist}


def faults_of(path: Path, trusted: tuple[PublicKey, ...]) -> list[str]:
    try:
        verdict = verify(path, trusted)
    except IncidentError as error:
        return [str(error)]
    return [*verdict.faults, *verdict.doubts]


def test_an_untouched_export_is_whole_in_folder_and_zip(made: Made) -> None:
    for path in (made.signed, made.archive):
        verdict = verify(path, made.trusted)
        assert (verdict.faults, verdict.doubts) == ((), ())
        assert verdict.signer == made.trusted[0].id
        assert verdict.files == len(names_of(made.signed)) - 2


def places(size: int, rng: random.Random) -> Iterator[int]:
    yield from {0, size // 2, size - 1, *(rng.randrange(size) for _ in range(4))}


@pytest.mark.parametrize("signed", [True, False])
def test_one_flipped_byte_in_any_file_is_found_and_the_file_named(
    made: Made, tmp_path: Path, signed: bool
) -> None:
    """Each bit of a byte at seven places of each file."""
    folder = shutil.copytree(made.signed if signed else made.bare, tmp_path / "copy")
    trusted, rng = made.trusted if signed else (), random.Random(7)
    names = names_of(folder)
    assert len(names) > 9
    own = ("manifest.json", "manifest.sha256")
    for name in names:
        whole = bytearray((folder / name).read_bytes())
        for place in places(len(whole), rng):
            spoiled = bytearray(whole)
            spoiled[place] ^= 1 << rng.randrange(8)
            (folder / name).write_bytes(spoiled)
            faults = verify(folder, trusted).faults
            assert len(faults) == 1, (name, place)
            expected = own if not signed and name in own else (name,)
            assert any(f"{one}: CHANGED" in faults[0] for one in expected), (faults, name, place)
        (folder / name).write_bytes(whole)
    assert verify(folder, trusted).faults == ()


def test_each_bit_of_the_signature_counts(copy: Path, made: Made) -> None:
    """Base64 has bits that say nothing, and a line end that could be another."""
    file = copy / "manifest.sig"
    whole = file.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            spoiled = bytearray(whole)
            spoiled[place] ^= 1 << bit
            file.write_bytes(spoiled)
            (fault,) = verify(copy, made.trusted).faults
            assert fault.startswith("manifest.sig: CHANGED"), (place, bit)
    file.write_bytes(whole + b"\n")
    assert verify(copy, made.trusted).faults


def test_one_flipped_byte_anywhere_in_the_zip_is_found(made: Made, tmp_path: Path) -> None:
    whole = made.archive.read_bytes()
    rng, archive = random.Random(3), tmp_path / "copy.zip"
    heads = begins_of(made.archive).values()
    around = [place + off for place in heads for off in range(-50, 2, 3) if place + off >= 0]
    directory = range(whole.rindex(b"PK\1\2"), len(whole))
    some = [rng.randrange(len(whole)) for _ in range(RANDOM_FLIPS)]
    for place in (*around, *directory, *some):
        spoiled = bytearray(whole)
        spoiled[place] ^= 1 << rng.randrange(8)
        archive.write_bytes(spoiled)
        assert faults_of(archive, made.trusted), place
    for longer in (whole + b"\0", b"\0" + whole, whole[:-1]):
        archive.write_bytes(longer)
        assert faults_of(archive, made.trusted)


def test_a_flipped_byte_of_a_file_in_the_zip_names_the_file(made: Made, tmp_path: Path) -> None:
    archive = tmp_path / "copy.zip"
    whole = made.archive.read_bytes()
    for name, begins in begins_of(made.archive).items():
        spoiled = bytearray(whole)
        spoiled[begins + 5] ^= 4
        archive.write_bytes(spoiled)
        (fault,) = verify(archive, made.trusted).faults
        assert f"{name}: CHANGED" in fault


def test_missing_added_and_swapped_files_are_named(copy: Path, made: Made) -> None:
    (copy / "tracks.csv").rename(copy / "pictures/tracks.csv")
    (copy / "Notes.txt").write_text("x")
    (copy / "empty").mkdir()
    first, last = copy / "pictures/first.png", copy / "pictures/last.png"
    first.rename(copy / "swap")
    last.rename(first)
    (copy / "swap").rename(last)
    faults = verify(copy, made.trusted).faults
    for said in (
        *("tracks.csv: MISSING", "pictures/tracks.csv: ADDED", "Notes.txt: ADDED"),
        *("empty/: ADDED", "pictures/first.png: CHANGED", "pictures/last.png: CHANGED"),
    ):
        assert any(one.startswith(said) for one in faults), (said, faults)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_without_manifest_or_signature_it_is_no_export(copy: Path, made: Made, name: str) -> None:
    (copy / name).unlink()
    assert any(f"{name}" in one and "MISSING" in one for one in faults_of(copy, made.trusted))


def resigned(folder: Path, made: Made, change: object = None, **changes: object) -> None:
    """Write a manifest that its owner could have signed, over whatever it says."""
    told = json.loads((folder / "manifest.json").read_text()) | changes
    data = json.dumps(told).encode() if change is None else change
    assert isinstance(data, bytes)
    (folder / "manifest.json").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    signature = base64.b64encode(made.key.sign(DOMAIN + digest.encode())).decode()
    key = PublicKey(made.key.public_key()).id
    line = f"lamproom/incident/1 {key} {digest} {signature}\n"
    (folder / "manifest.sig").write_text(line)


def test_a_wrong_key_an_unknown_key_and_no_key_are_not_believed(
    copy: Path, made: Made, tmp_path: Path
) -> None:
    stranger = public_keys_of(pair(tmp_path, "stranger")[1])
    for trusted, said in ((stranger, "NONE OF THE TRUSTED"), ((), "nobody here says whose")):
        verdict = verify(copy, trusted)
        assert verdict.faults == ()
        assert said in verdict.doubts[0]
    assert verify(copy, (*stranger, *made.trusted)).doubts == ()


def test_who_makes_it_all_anew_without_the_key_is_found(made: Made, tmp_path: Path) -> None:
    """Every hash fits; only the signature is somebody else's, or is not there."""
    verdict = verify(made.bare, made.trusted)
    assert verdict.faults == ()
    assert "NOT SIGNED" in verdict.doubts[0]
    forged = shutil.copytree(made.signed, tmp_path / "forged")
    other = Made.__new__(Made)
    other.key = read_private_key(pair(tmp_path, "forger")[0])
    resigned(forged, other, software="lamproom 9")
    assert "NONE OF THE TRUSTED" in verify(forged, made.trusted).doubts[0]


def test_a_signature_for_a_message_or_site_file_is_none_for_an_export(
    copy: Path, made: Made
) -> None:
    digest = hashlib.sha256((copy / "manifest.json").read_bytes()).hexdigest()
    key = PublicKey(made.key.public_key()).id
    for domain in (b"lamproom/site-file/1\0", b"lamproom/signed-message/1\0", b""):
        coded = base64.b64encode(made.key.sign(domain + digest.encode())).decode()
        (copy / "manifest.sig").write_text(f"lamproom/incident/1 {key} {digest} {coded}\n")
        assert verify(copy, made.trusted).faults == (
            "manifest.sig: CHANGED: its signature is wrong",
        )


@pytest.mark.parametrize(
    "path",
    [
        *("../../etc/passwd", "/etc/passwd", "pictures/../../x.png", "a\\..\\x.png", "C:\\x.png"),
        *("pictures//x.png", "./tracks.csv", "..", ".", "", "tracks.csv\0", "a/b/c.png", "~/x.csv"),
        *("TRACKS.CSV", "tracks．csv", "con.\u202egpj", "manifest.json", "x" * 5000),
    ],
)
def test_a_signed_manifest_that_leaves_the_folder_is_one_clear_error(
    copy: Path, made: Made, path: str
) -> None:
    """Even its owner's signature opens nothing outside."""
    listed = json.loads((copy / "manifest.json").read_text())["files"]
    resigned(copy, made, files=[*listed, {"path": path, "bytes": 1, "sha256": "0" * 64}])
    (fault,) = verify(copy, made.trusted).faults
    assert fault.startswith("manifest.json: ")
    assert len(fault) < 300
    assert fault.isprintable()


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"schema":1}', b"\xff\xfe", b"1e999"),
        b'{"schema":"lamproom/incident/1"}',
        b'{"schema":"lamproom/incident/1","files":7}',
        b'{"schema":"lamproom/incident/1","files":[{"path":"a.csv","bytes":"1","sha256":"0"}]}',
        b'{"schema":"lamproom/incident/1","files":[],"files":[]}',
        b'{"schema":"lamproom/incident/1","files":[{"path":"a.csv","bytes":-1,"sha256":"'
        + b"0" * 64
        + b'"}]}',
    ],
)
def test_a_manifest_that_is_none_is_one_clear_error(copy: Path, made: Made, data: bytes) -> None:
    resigned(copy, made, data)
    (fault,) = verify(copy, made.trusted).faults
    assert fault.startswith("manifest.json: ")


def test_a_file_listed_twice_or_endless_is_refused(copy: Path, made: Made) -> None:
    listed = json.loads((copy / "manifest.json").read_text())["files"]
    resigned(copy, made, files=[*listed, listed[0]])
    assert verify(copy, made.trusted).faults == (
        "manifest.json: names a file twice, or too many files",
    )
    big = copy / "manifest.json"
    with big.open("r+b") as file:
        file.truncate(9_000_000)
    assert "larger than any export's" in verify(copy, made.trusted).faults[0]


@pytest.mark.parametrize("kind", ["file", "folder", "loop", "pipe", "inner"])
def test_links_and_pipes_are_refused_and_never_opened(
    copy: Path, made: Made, tmp_path: Path, kind: str
) -> None:
    """Also where the linked file has just the right bytes."""
    place = copy / "tracks.csv"
    if kind in ("file", "loop", "pipe"):
        place.rename(tmp_path / "outside.csv")
    if kind == "file":
        place.symlink_to(tmp_path / "outside.csv")
    elif kind == "loop":
        place.symlink_to("tracks.csv")
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        (copy / "pictures").rename(tmp_path / "pictures")
        (copy / "pictures").symlink_to(tmp_path / "pictures")
    else:
        (copy / "pictures/first.png").rename(tmp_path / "first.png")
        (copy / "pictures/first.png").symlink_to(tmp_path / "first.png")
    (fault,) = faults_of(copy, made.trusted)
    assert "is a link or no plain file" in fault


def test_what_was_swapped_for_a_link_meanwhile_is_not_followed(
    copy: Path, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is listed first and read then; who is quick in between gains nothing."""

    def slow(data: bytes) -> object:
        (copy / "pictures").rename(tmp_path / "pictures")
        (copy / "pictures").symlink_to(tmp_path / "pictures")
        return read(data)

    monkeypatch.setattr("control_room.incident.verify.read", slow)
    (fault,) = faults_of(copy, made.trusted)
    assert "can't be read" in fault


class TestForeignZips:
    """Archives that no export is, whatever a program for archives would make of them."""

    def refused(self, archive: Path, made: Made) -> None:
        before = set(archive.parent.rglob("*"))
        with pytest.raises(IncidentError, match="packed by another program") as caught:
            verify(archive, made.trusted)
        assert len(str(caught.value)) < 500
        assert set(archive.parent.rglob("*")) == before, "nothing is unpacked"

    def test_slip(self, made: Made, tmp_path: Path) -> None:
        for name in ("../evil.png", "/tmp/evil.png", "pictures/../../evil.png", "C:\\evil.png"):
            archive = tmp_path / "slip.zip"
            with zipfile.ZipFile(archive, "w") as out:
                out.write(made.signed / "manifest.json", "manifest.json")
                out.writestr(zipfile.ZipInfo(name), b"evil")
            self.refused(archive, made)

    def test_bomb(self, made: Made, tmp_path: Path) -> None:
        archive = tmp_path / "bomb.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
            out.writestr("manifest.json", bytes(50_000_000))
        self.refused(archive, made)

    def test_a_member_that_says_it_is_huge(self, made: Made, tmp_path: Path) -> None:
        whole = bytearray(made.archive.read_bytes())
        whole[18:26] = b"\xff" * 8  # both sizes of the first file
        archive = tmp_path / "huge.zip"
        archive.write_bytes(whole)
        self.refused(archive, made)

    def test_packed_anew(self, made: Made, tmp_path: Path) -> None:
        """Its files are right: unpacked into a folder they verify."""
        archive = tmp_path / "anew.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
            for name in names_of(made.signed):
                out.write(made.signed / name, name)
        self.refused(archive, made)
        with zipfile.ZipFile(archive) as file:
            file.extractall(tmp_path / "unpacked")
        assert verify(tmp_path / "unpacked", made.trusted).faults == ()

    @pytest.mark.parametrize("data", [b"", b"PK", b"PK\3\4", b"\0" * 1000, b"PK\5\6" + b"\0" * 18])
    def test_none(self, made: Made, tmp_path: Path, data: bytes) -> None:
        archive = tmp_path / "none.zip"
        archive.write_bytes(data)
        self.refused(archive, made)


def test_an_ordinary_program_unpacks_our_zip(made: Made, tmp_path: Path) -> None:
    with zipfile.ZipFile(made.archive) as file:
        assert file.testzip() is None
        file.extractall(tmp_path / "unpacked")
    assert names_of(tmp_path / "unpacked") == names_of(made.signed)
    verdict: Verdict = verify(tmp_path / "unpacked", made.trusted)
    assert (verdict.faults, verdict.doubts) == ((), ())


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(IncidentError, match="there is no such export"):
        verify(tmp_path / "nothing", ())
    with pytest.raises(IncidentError, match=r"is no export: manifest\.json is MISSING"):
        verify(tmp_path, ())
