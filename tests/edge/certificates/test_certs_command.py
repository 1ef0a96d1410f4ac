from pathlib import Path

import pytest

from edge.main import main


def certs(folder: Path, *words: str) -> int:
    return main(["certs", "--folder", str(folder), *words])


def test_a_site_from_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "certs"
    for words in (
        ("init", "north-7"),
        ("broker", "broker.mine", "10.0.0.5"),
        ("control-room",),
        ("control-room", "spare"),
        ("gateway", "gw1"),
        ("gateway-broker", "gw1", "--surface", "broker.mine"),
        ("system", "tags"),
        ("subscriber", "siren1"),
        ("signer",),
    ):
        assert certs(folder, *words) == 0, words
    said = capsys.readouterr().out
    for machine, place in (
        ("the broker", "certs/broker"),
        ("the control room", "certs/control_room"),
        ("control room spare", "certs/control_room-spare"),
        ("gateway gw1", "certs/gateways/gw1"),
        ("the broker on gateway gw1", "certs/gateways/gw1/broker"),
        ("the mine's tags system", "certs/systems/tags"),
        ("siren1", "certs/subscribers/siren1"),
    ):
        assert any(
            line.startswith(f"{machine} ") and f"{place} " in line for line in said.splitlines()
        ), machine
    assert certs(folder, "list") == 0
    listed = capsys.readouterr().out
    assert "authority until" in listed
    assert len([line for line in listed.splitlines() if "valid" in line]) == 8


def test_what_ends_soon_makes_list_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certs(tmp_path, "init", "north")
    certs(tmp_path, "gateway", "gw1", "--days", "29")
    capsys.readouterr()
    assert certs(tmp_path, "list") == 1
    assert "WARNING: gw1 (client): ends in" in capsys.readouterr().out
    assert certs(tmp_path, "renew", "gw1") == 0
    assert certs(tmp_path, "list") == 0


def test_revoking_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certs(tmp_path, "init", "north")
    certs(tmp_path, "gateway", "gw1")
    assert certs(tmp_path, "revoke", "gw1") == 0
    assert "No broker was made here yet" in capsys.readouterr().out
    certs(tmp_path, "list")
    assert "revoked 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("gateway", "gw1"), "lamproom certs init SITE"),
        ((), "say what"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert certs(tmp_path / "none", *words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_names_are_those_of_site_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certs(tmp_path, "init", "north")
    for name in ("a/b", "../x", "+", "#", "a b", "x" * 65):
        with pytest.raises(SystemExit):
            certs(tmp_path, "gateway", name)
    assert "letters, digits" in capsys.readouterr().err


def test_an_authority_that_has_issued_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certs(tmp_path, "init", "north")
    assert certs(tmp_path, "init", "north") == 2
    assert certs(tmp_path, "init", "north", "--replace") == 0
    certs(tmp_path, "gateway", "gw1")
    assert certs(tmp_path, "init", "north", "--replace") == 2
    assert "would make worthless" in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["certs", "--help"])
    said = capsys.readouterr().out
    for word in ("init", "renew", "revoke", "--former", "signing", "ca/ca.key"):
        assert word in said
