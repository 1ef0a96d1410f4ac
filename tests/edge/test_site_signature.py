import shutil
from pathlib import Path

import pytest

from delivery.signing import SigningError, read_private_key
from edge.certificates.signing_keys import make_signing_pair
from edge.main import main
from edge.options import RunOptions
from edge.site_signature import sign_site, signature_of
from edge.site_watch import SiteWatch
from scene.errors import SiteError
from tests.delivery.parts import SITE

ZONES = "zones: [{name: belt, polygon_m: [[1, -1], [5, -1], [5, 1]]}]\n"


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    make_signing_pair(tmp_path / "s.key", tmp_path / "s.pub", replace=False)
    site_file = tmp_path / "site.yaml"
    site_file.write_text(SITE)
    sign_site(site_file, tmp_path / "s.key")
    return site_file


def options(site_file: Path) -> RunOptions:
    return RunOptions(site_file=site_file, trusted_key=site_file.with_name("s.pub"))


def test_what_was_signed_is_taken(signed: Path) -> None:
    assert options(signed).site().gateway == "gw1"
    assert options(signed).site_yaml() == SITE


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.write_text(SITE + "\n"), "is not what was signed"),
        (lambda file: file.write_text(SITE.replace("40", "41")), "is not what was signed"),
        (lambda file: signature_of(file).unlink(), r"is not signed, there is no .*site\.yaml\.sig"),
        (lambda file: signature_of(file).write_text("!"), "is no signature, or cut off"),
        (lambda file: signature_of(file).write_text("AAAA"), "is not what was signed"),
    ],
)
def test_what_was_not_signed_is_refused(signed: Path, spoil, said: str) -> None:  # type: ignore[no-untyped-def]
    spoil(signed)
    with pytest.raises(SiteError, match=said) as caught:
        options(signed).site()
    assert "lamproom sign" in str(caught.value)
    with pytest.raises(SiteError, match=said):
        options(signed).site_yaml()
    # Who trusts no key in particular takes it as it is.
    RunOptions(site_file=signed).site()


def test_a_signature_for_a_message_fits_no_site_file(signed: Path) -> None:
    from base64 import b64encode

    raw = read_private_key(signed.with_name("s.key")).sign(signed.read_bytes())
    signature_of(signed).write_bytes(b64encode(raw))
    with pytest.raises(SiteError, match="is not what was signed"):
        options(signed).site()


def test_another_key_does_not_count_until_it_is_trusted_too(signed: Path, tmp_path: Path) -> None:
    make_signing_pair(tmp_path / "new.key", tmp_path / "new.pub", replace=False)
    sign_site(signed, tmp_path / "new.key")
    with pytest.raises(SiteError, match="another key"):
        options(signed).site()
    trusted = tmp_path / "s.pub"
    trusted.write_bytes(trusted.read_bytes() + (tmp_path / "new.pub").read_bytes())
    options(signed).site()


@pytest.mark.parametrize("content", ["", "x", "-----BEGIN PUBLIC KEY-----\nx\n"])
def test_a_trusted_key_that_is_none_is_named(signed: Path, content: str) -> None:
    signed.with_name("s.pub").write_text(content)
    with pytest.raises(SigningError, match=r"s\.pub: is no public key in PEM"):
        options(signed).site()


def test_a_change_while_the_gateway_runs_counts_once_it_is_signed(signed: Path) -> None:
    read = options(signed).site
    watch = SiteWatch(signed, read(), read)
    assert watch.poll() is None
    signed.write_text(SITE + ZONES)
    assert watch.poll() is None
    assert "is not what was signed" in watch.trouble
    assert "the former one is in force" in watch.trouble
    sign_site(signed, signed.with_name("s.key"))
    changed = watch.poll()
    assert changed is not None
    assert [zone.name for zone in changed.zones] == ["belt"]
    assert watch.trouble == ""


def test_the_command_signs_and_the_gateway_says_why_it_does_not_run(
    signed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, public = str(signed.with_name("s.key")), str(signed.with_name("s.pub"))
    signed.write_text(SITE + ZONES)
    assert main(["run", str(signed), "--trusted-key", public]) == 2
    error = capsys.readouterr().err
    assert "is not what was signed" in error
    assert error.count("\n") == 1
    assert main(["sign", str(signed), "--key", key]) == 0
    assert "site.yaml.sig" in capsys.readouterr().out
    options(signed).site()
    signed.write_text("version: 1\n")
    assert main(["sign", str(signed), "--key", key]) == 2
    assert "site" in capsys.readouterr().err
    assert main(["sign", str(signed), "--key", public]) == 2


def test_only_the_bytes_that_were_checked_are_read(signed: Path) -> None:
    """A link that is turned round between two readings changes nothing: there is but one."""
    other = signed.with_name("other.yaml")
    shutil.copy(signed, other)
    other.write_text(SITE.replace("gw1", "gw2"))
    signed.rename(signed.with_name("real.yaml"))
    signed.symlink_to(signed.with_name("real.yaml"))
    assert options(signed).site().gateway == "gw1"
    signed.unlink()
    signed.symlink_to(other)
    with pytest.raises(SiteError, match="is not what was signed"):
        options(signed).site()


def test_a_key_that_everybody_can_read_signs_nothing(signed: Path) -> None:
    signed.with_name("s.key").chmod(0o644)
    with pytest.raises(SigningError, match=r"s\.key: everybody on this computer can use"):
        sign_site(signed, signed.with_name("s.key"))
