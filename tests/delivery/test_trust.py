import os
from itertools import product
from pathlib import Path

import pytest

from delivery.signing import SigningError
from delivery.trust import COPYING_S, LOOK_EVERY_S, Trust, sender_name, trust_file
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


def test_one_bad_file_makes_no_other_worthless_and_is_named_until_it_is_mended(
    tmp_path: Path,
) -> None:
    keys, clock, said = Keys(tmp_path), ReplayClock(), list[str]()
    keys.add("gateway", "roadway", "gw1")
    keys.add("gateway", "north-7", "gw2")
    bad = keys.trusted / "gateway-north--7-gw2.pub"
    whole = bad.read_bytes()
    bad.write_bytes(whole[:40])
    pair(tmp_path, "somebody")[1].rename(keys.trusted / "somebody.pub")
    trust = Trust([keys.trusted], clock, said.append)
    assert len(trust.keys_for(of()) or ()) == 1
    assert trust.keys_for(of(site="north-7", gateway="gw2")) == (), "who has a file must sign"
    assert set(trust.gateways()) == {("roadway", "gw1"), ("north-7", "gw2")}
    named, nameless = trust.distrusted()
    assert (named.site, named.gateway) == ("north-7", "gw2")
    assert "gateway-north--7-gw2.pub: is no public key in PEM" in named.text
    assert (nameless.site, nameless.gateway) == ("", "")
    assert "somebody.pub: whose key is it? Name it gateway-" in nameless.text
    assert said == [named.text, nameless.text]
    bad.write_bytes(whole)
    (keys.trusted / "somebody.pub").unlink()
    clock.sleep(LOOK_EVERY_S)
    assert trust.distrusted() == ()
    assert len(trust.keys_for(of(site="north-7", gateway="gw2")) or ()) == 1


def test_a_file_that_is_being_copied_is_no_bad_one_yet(tmp_path: Path) -> None:
    keys, clock = Keys(tmp_path), ReplayClock()
    keys.add("gateway", "roadway", "gw1")
    trust = Trust([keys.trusted], clock, lambda _text: None)
    (keys.trusted / "control_room.pub").write_text("half")
    clock.sleep(LOOK_EVERY_S)
    assert trust.distrusted() == ()
    clock.sleep(COPYING_S)
    [found] = trust.distrusted()
    assert "control_room.pub" in found.text


def test_a_file_that_was_mended_and_looks_as_old_as_before_counts(tmp_path: Path) -> None:
    """As `rsync -t` and `cp -p` leave it; `chown` and `chmod` change even less."""
    keys, clock = Keys(tmp_path), ReplayClock()
    keys.add("gateway", "roadway", "gw1")
    file = keys.trusted / "gateway-roadway-gw1.pub"
    keys.add("control_room")
    whole, was = file.read_bytes(), file.stat()
    file.write_bytes(b"x" * len(whole))
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    trust = Trust([keys.trusted], clock, lambda _text: None)
    assert len(trust.distrusted()) == 1
    file.write_bytes(whole)
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    clock.sleep(LOOK_EVERY_S)
    assert trust.distrusted() == ()


def test_a_folder_that_is_away_takes_no_key_along(tmp_path: Path) -> None:
    keys, clock = Keys(tmp_path), ReplayClock()
    keys.add("gateway", "roadway", "gw1")
    trust = Trust([keys.trusted], clock, lambda _text: None)
    keys.trusted.rename(tmp_path / "elsewhere")
    clock.sleep(LOOK_EVERY_S)
    assert len(trust.keys_for(of()) or ()) == 1
    clock.sleep(COPYING_S)
    assert "trusted: there is no such key file or folder" in trust.distrusted()[0].text


def test_a_folder_whose_last_key_was_taken_away_is_told(tmp_path: Path) -> None:
    keys, clock = Keys(tmp_path), ReplayClock()
    keys.add("gateway", "roadway", "gw1")
    trust = Trust([keys.trusted], clock, lambda _text: None)
    (keys.trusted / "gateway-roadway-gw1.pub").unlink()
    clock.sleep(LOOK_EVERY_S)
    assert trust.keys_for(of()) == ()
    clock.sleep(COPYING_S)
    assert "there are no public keys" in trust.distrusted()[0].text


def test_without_one_usable_key_there_is_no_start(tmp_path: Path) -> None:
    (tmp_path / "control_room.pub").write_text("x")
    (tmp_path / "gateway-a-b.pub").write_text("y")
    with pytest.raises(SigningError, match=r"control_room\.pub: .*; .*gateway-a-b\.pub: "):
        Trust([tmp_path], ReplayClock(), lambda _text: None)


def test_our_own_key_is_known_without_any_folder_and_the_former_one_for_now(
    tmp_path: Path,
) -> None:
    private, _ = pair(tmp_path, "gw1")
    clock, name = ReplayClock(), sender_name("gateway", "roadway", "gw1")
    trust = Trust([], clock, lambda _text: None, own=(name, private))
    [first] = trust.keys_for(of()) or ()
    private.write_bytes(pair(tmp_path, "new")[0].read_bytes())
    clock.sleep(LOOK_EVERY_S)
    both = trust.keys_for(of()) or ()
    assert len(both) == 2
    assert first.id in {key.id for key in both}
    private.unlink()
    clock.sleep(LOOK_EVERY_S + COPYING_S)
    assert len(trust.keys_for(of()) or ()) == 2
    clock.sleep(COPYING_S)
    assert "gw1.key: there is no such key file" in trust.distrusted()[0].text


def test_what_is_raised_is_not_said_as_well(tmp_path: Path) -> None:
    said = list[str]()
    with pytest.raises(SigningError, match="no such key file or folder"):
        Trust([tmp_path / "gone"], ReplayClock(), said.append)
    assert said == []
