import argparse
from pathlib import Path

import pytest

from control_room.broker_options import add_broker_arguments, broker_of, in_options
from edge.main import main
from scene.errors import BrokerError


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_broker_arguments(parser)
    return parser.parse_args(words)


def test_certificates_are_given_as_files() -> None:
    files = ("--ca-file", "ca.pem", "--certificate-file", "client.pem", "--key-file", "client.key")
    broker = broker_of(options("--broker", "mqtts://broker.mine", *files))
    assert broker.url == "mqtts://broker.mine"
    assert (broker.ca_file, broker.certificate_file, broker.key_file) == (
        Path("ca.pem"),
        Path("client.pem"),
        Path("client.key"),
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--broker", "http://x"), "give mqtt://host:port or mqtts://host:port"),
        (
            ("--ca-file", "ca.pem"),
            "ca-file is for mqtts://; mqtt://127.0.0.1:1883 is not encrypted",
        ),
        (
            ("--broker", "mqtts://x", "--key-file", "client.key"),
            "certificate-file and key-file go together",
        ),
    ],
)
def test_mistakes_are_one_line(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(BrokerError, match=said) as caught:
        broker_of(options(*words))
    assert "\n" not in str(caught.value)


def test_what_is_said_of_the_broker_names_options_and_not_a_site_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = str(tmp_path / "gone.pem")
    for command in (["alarms"], ["muster"]):
        assert main([*command, "--broker", "mqtts://localhost:1", "--ca-file", gone]) == 2
        assert f"--ca-file: {gone} can't be read" in capsys.readouterr().err
    said = list[str]()
    in_options(said.append)("start one there, or mend broker.url; broker.urls broker.mine")
    assert said == ["start one there, or mend --broker; broker.urls broker.mine"]
