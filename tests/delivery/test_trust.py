from itertools import product
from pathlib import Path

import pytest

from delivery.signing import SigningError
from delivery.trust import LOOK_EVERY_S, Trust, trust_file
from scene.clock import ReplayClock
from scene.topics import Address
from tests.delivery.keys import Keys, pair


def of(topic: str = "health", site: str = "roadway", gateway: str = "gw1") -> Address:
    return Address(prefix="mine", site=site, gateway=gateway, topic=topic)


def test_keys_are_found_by_who_speaks(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    gateway, room = keys.add("gateway", "roadway", "gw1"), keys.add("control_room")
    mine = keys.add("mine", "roadway")
    trust = Trust([keys.trusted], ReplayClock())

    def ids(address: Address) -> list[str] | None:
        found = trust.keys_for(address)
        return None if found is None else [key.id for key in found]

    assert ids(of("alarm")) == [gateway.public_key().id]
    assert ids(of("order")) == ids(of("receipt", gateway="gw9")) == [room.public_key().id]
    assert ids(of("tags", gateway="")) == [mine.public_key().id]
    assert ids(of(gateway="gw2")) is None
    assert ids(of(site="other")) is None
    assert trust.gateways() == (("roadway", "gw1"),)


def test_no_two_gateways_share_a_file() -> None:
    names = ["a", "a-b", "a-b-c", "b", "b-c", "c", "a-", "a--b", "a--", "7-a"]
    files = [trust_file("gateway", site, gateway) for site, gateway in product(names, names)]
    assert len(set(files)) == len(files)


def test_names_with_hyphens_come_back_from_their_file(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    places = [("north-7", "gw1"), ("north", "7-gw1"), ("a-", "b--c"), ("a", "b")]
    for site, gateway in places:
        keys.add("gateway", site, gateway)
    assert sorted(Trust([keys.trusted], ReplayClock()).gateways()) == sorted(places)


def test_several_control_rooms_have_a_key_each(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.add("control_room")
    pair(tmp_path, "east")[1].rename(keys.trusted / "control_room-east.pub")
    found = Trust([keys.trusted], ReplayClock()).keys_for(of("order"))
    assert found is not None
    assert len(found) == 2


def test_files_are_followed_and_who_once_signed_must_go_on(tmp_path: Path) -> None:
    keys, clock, said = Keys(tmp_path), ReplayClock(), list[str]()
    keys.add("gateway", "roadway", "gw1")
    trust = Trust([keys.trusted], clock, said.append)
    late = keys.add("gateway", "roadway", "gw2")
    assert trust.keys_for(of(gateway="gw2")) is None
    clock.sleep(LOOK_EVERY_S)
    found = trust.keys_for(of(gateway="gw2"))
    assert found is not None
    assert [key.id for key in found] == [late.public_key().id]
    (keys.trusted / "gateway-roadway-gw2.pub").unlink()
    clock.sleep(LOOK_EVERY_S)
    assert trust.keys_for(of(gateway="gw2")) == ()
    (keys.trusted / "gateway-roadway-gw1.pub").write_text("half a file")
    clock.sleep(LOOK_EVERY_S)
    assert len(trust.keys_for(of()) or ()) == 1
    assert "stay in force" in said[0]


def test_wrong_folders_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="there are no public keys"):
        Trust([tmp_path], ReplayClock())
    with pytest.raises(SigningError, match=r"nowhere: there is no such key file"):
        Trust([tmp_path / "nowhere"], ReplayClock())
    pair(tmp_path, "somebody")
    with pytest.raises(SigningError, match=r"somebody\.pub: whose key is it\? Name it gateway-"):
        Trust([tmp_path], ReplayClock())
