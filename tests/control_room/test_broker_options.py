import argparse
from pathlib import Path

import pytest

from control_room.broker_options import add_broker_arguments, broker_of
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
