import pytest

from delivery.address import address_of, addresses_of
from delivery.broker import EmbeddedBroker
from scene.errors import BrokerError


def test_a_list_of_brokers_is_read_in_its_order() -> None:
    found = addresses_of("mqtts://a.mine:8884, b.mine,[fe80::1]:99")
    assert [(one.host, one.port, one.tls) for one in found] == [
        ("a.mine", 8884, True),
        ("b.mine", 8883, True),
        ("fe80::1", 99, True),
    ]
    assert [one.url for one in found] == [
        "mqtts://a.mine:8884",
        "mqtts://b.mine",
        "mqtts://[fe80::1]:99",
    ]
    assert addresses_of("mqtt://a,b")[1].port == 1883


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mqtts://a,,b", "between two commas"),
        ("mqtts://a,", "between two commas"),
        ("mqtts://", "no host"),
        ("mqtts://a,mqtts://b", "stands once"),
        ("mqtts://a:8883,b:x", "b:x: the port"),
        ("mqtts://a,b:99999", "b:99999: the port"),
        ("mqtts://a,b,a:8883", "a:8883 stands there twice"),
        ("mqtts://a,b/topic", "b/topic: give"),
        ("mqtts://a b", "give mqtt://"),
        ("mqtts://a,[::1", "no address"),
        ("mqtts://a,joe:secret@b", "broker.username"),
        ("joe:secret@b", "broker.username"),
        ("a,b", "give mqtt://"),
        ("http://a", "give mqtt://"),
    ],
)
def test_a_list_that_can_not_be_used_is_said_to_be_wrong(url: str, said: str) -> None:
    with pytest.raises(BrokerError, match=said) as caught:
        addresses_of(url)
    assert str(caught.value).startswith("broker.url: ")
    assert "secret" not in str(caught.value)


def test_where_one_broker_is_meant_several_are_refused() -> None:
    assert address_of("mqtt://a").host == "a"
    with pytest.raises(BrokerError, match="one broker here, not 2"):
        address_of("mqtt://a,b")
    with pytest.raises(BrokerError, match="one broker here"):
        EmbeddedBroker.at("mqtt://127.0.0.1,127.0.0.2")
