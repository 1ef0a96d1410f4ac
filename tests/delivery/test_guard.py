"""What somebody who holds the broker may try: forge, alter, redirect, play again."""

from pathlib import Path

import pytest

from delivery.guard import MOST_RECENT, SAVE_EVERY_S, Guard
from delivery.signing import RefusedError, Signer
from delivery.trust import Trust
from delivery.voice import Voice, next_run
from scene.clock import ReplayClock
from scene.errors import WireError
from scene.messages import (
    ControlRoomBeat,
    GatewayState,
    Order,
    Receipt,
    Tags,
)
from scene.topics import topic_name
from scene.wire import Message, encode, type_name
from tests.delivery.keys import Keys
from tests.delivery.parts import HANG_S, HEALTH, alarm, people

NOW_NS = 1_790_000_000_000_000_000
ORDER = Order(alarm="man_down-1", action="end", by="Li", reason="out", ordered_at_ns=5)
RECEIPT = Receipt(alarm="man_down-1", state="active", stored_at_ns=5)
BEAT = ControlRoomBeat(said_at_ns=5)
ONLINE = GatewayState(online=True, since_ns=5)


class Mine:
    """One gateway, one control room, and a guard that knows both."""

    def __init__(self, folder: Path) -> None:
        self.clock = ReplayClock(NOW_NS)
        self.keys = Keys(folder)
        self.signers = {
            "gateway": self.keys.add("gateway", "roadway", "gw1"),
            "control_room": self.keys.add("control_room"),
        }
        self.voices = {
            name: Voice(self.clock, run=NOW_NS, signer=signer)
            for name, signer in self.signers.items()
        }
        self.memory = folder / "heard.json"
        self.guard = self.new_guard()

    def new_guard(self, *, required: bool = False) -> Guard:
        trust = Trust([self.keys.trusted], self.clock)
        return Guard(trust, required=required, memory=self.memory, clock=self.clock)

    def let_write(self) -> None:
        """Wait until what a guard has begun to write is on the disk, as it is a moment later."""
        assert self.guard._disk is not None and self.guard._disk.settle(HANG_S)

    def restart(self, who: str) -> None:
        self.clock.sleep(1)
        self.voices[who] = Voice(self.clock, run=self.clock.now_ns(), signer=self.signers[who])

    def say(self, message: Message, *, gateway: str = "gw1") -> tuple[str, bytes]:
        who = (
            "control_room" if isinstance(message, Order | Receipt | ControlRoomBeat) else "gateway"
        )
        topic = topic_of(message, gateway)
        return topic, self.voices[who].write(topic, message, gateway=gateway)[1]

    def hears(self, said: tuple[str, bytes], *, retained: bool = False) -> bool:
        return self.guard.read(*said, retained=retained) is not None


def topic_of(message: Message, gateway: str = "gw1") -> str:
    id = getattr(message, "alarm", getattr(message, "id", None))
    return topic_name(type_name(message), site="roadway", gateway=gateway, id=id)


def unsigned(message: Message, gateway: str = "gw1") -> tuple[str, bytes]:
    return topic_of(message, gateway), encode(
        message, gateway=gateway, run=2**62, seq=2**62, sent_at_ns=9
    )


@pytest.fixture(name="mine")
def _mine(tmp_path: Path) -> Mine:
    return Mine(tmp_path)


EVERYTHING = (HEALTH, people(), alarm(), ONLINE, ORDER, RECEIPT, BEAT)


@pytest.mark.parametrize("message", EVERYTHING, ids=type_name)
def test_what_is_signed_is_heard_and_what_is_not_is_refused(mine: Mine, message: Message) -> None:
    said = mine.say(message)
    assert mine.hears(said)
    with pytest.raises(RefusedError, match="not signed, though its sender signs"):
        mine.hears(unsigned(message))
    topic = topic_of(message)
    forged = mine.keys.stranger().sign(topic, unsigned(message)[1])
    with pytest.raises(RefusedError, match="signature is wrong"):
        mine.hears((topic, forged))
    altered = said[1].replace(b'"gateway":"gw1"', b'"gateway":"gw1" ')
    with pytest.raises(RefusedError, match="signature is wrong"):
        mine.hears((topic, altered))


def test_a_gateway_cannot_speak_for_the_control_room_nor_for_another(mine: Mine) -> None:
    mine.keys.add("gateway", "roadway", "gw2")
    mine.guard = mine.new_guard()
    for message in (ORDER, RECEIPT, BEAT):
        topic, payload = unsigned(message)
        with pytest.raises(RefusedError, match="signature is wrong"):
            mine.hears((topic, mine.signers["gateway"].sign(topic, payload)))
    topic, payload = unsigned(alarm(), "gw2")
    with pytest.raises(RefusedError, match="signature is wrong"):
        mine.hears((topic, mine.signers["gateway"].sign(topic, payload)))


def test_an_order_cannot_be_carried_to_another_alarm_or_gateway(mine: Mine) -> None:
    topic, payload = mine.say(ORDER)
    for other in (topic.replace("man_down-1", "man_down-2"), topic.replace("gw1", "gw2")):
        with pytest.raises(RefusedError, match="signature is wrong"):
            mine.hears((other, payload))


@pytest.mark.parametrize("message", [HEALTH, people(), BEAT], ids=type_name)
def test_a_heartbeat_is_believed_once(mine: Mine, message: Message) -> None:
    first, second = mine.say(message), mine.say(message)
    assert mine.hears(first)
    assert mine.hears(second)
    for old in (first, second):
        with pytest.raises(RefusedError, match="plays it again") as caught:
            mine.hears(old)
        assert caught.value.replayed


@pytest.mark.parametrize("message", [ORDER, RECEIPT], ids=type_name)
def test_an_order_counts_once_and_an_older_one_not_at_all(mine: Mine, message: Message) -> None:
    first, second = mine.say(message), mine.say(message)
    assert mine.hears(second)
    assert not mine.hears(second), "a broker may deliver twice"
    with pytest.raises(RefusedError, match="plays it again"):
        mine.hears(first)


def test_alarms_may_come_again_in_any_order(mine: Mine) -> None:
    first, second = mine.say(alarm()), mine.say(alarm())
    for said in (second, first, second):
        assert mine.hears(said, retained=True)


def test_what_the_broker_keeps_comes_again_and_a_last_will_late(mine: Mine) -> None:
    state = topic_of(ONLINE)
    will = (
        state,
        mine.voices["gateway"].last_will(
            state, GatewayState(online=False, since_ns=1), gateway="gw1"
        ),
    )
    online = mine.say(ONLINE)
    assert mine.hears(online)
    assert mine.hears(online, retained=True)
    assert mine.hears(will)
    mine.restart("gateway")
    assert mine.hears(mine.say(ONLINE))
    assert not mine.hears(will), "that was the run before"
    assert not mine.hears(online, retained=True)


def test_a_new_start_counts_from_1_and_the_run_before_is_over(mine: Mine) -> None:
    old = [mine.say(HEALTH) for _ in range(5)]
    assert mine.hears(old[0])
    mine.restart("gateway")
    assert mine.hears(mine.say(HEALTH))
    for one in old:
        with pytest.raises(RefusedError, match="plays it again"):
            mine.hears(one)


def test_a_restart_of_the_listener_forgets_no_run_and_little_of_it(mine: Mine) -> None:
    old = []
    for _ in range(int(SAVE_EVERY_S) + 3):
        old.append(mine.say(HEALTH))
        assert mine.hears(old[-1])
        mine.clock.sleep(1)
    mine.let_write()
    mine.guard = mine.new_guard()
    believed = 0
    for one in old:
        try:
            believed += mine.hears(one)
        except RefusedError:
            continue
    assert believed <= SAVE_EVERY_S
    mine.restart("gateway")
    assert mine.hears(mine.say(HEALTH))
    mine.let_write()
    mine.guard = mine.new_guard()
    with pytest.raises(RefusedError):
        mine.hears(old[-1])


def test_without_keys_all_is_heard_and_numbers_spoil_nothing(tmp_path: Path) -> None:
    mine = Mine(tmp_path)
    mine.guard = Guard(clock=mine.clock)
    for message in EVERYTHING:
        assert mine.hears(unsigned(message))
        assert mine.hears(mine.say(message)), "signed by somebody whose key is not here"
        assert mine.hears(unsigned(message))


def test_who_has_no_key_may_speak_unless_signatures_are_required(mine: Mine) -> None:
    assert mine.hears(unsigned(HEALTH, "gw2"))
    mine.guard = mine.new_guard(required=True)
    with pytest.raises(RefusedError, match="must be signed"):
        mine.hears(unsigned(HEALTH, "gw2"))
    assert mine.hears(mine.say(HEALTH))
    tags = encode(Tags(captured_at_ns=1, fixes=()), gateway="uwb", seq=1, sent_at_ns=1)
    assert mine.hears(("mine/roadway/tags", tags)), "the mine's own systems need not sign"


def test_the_mines_own_systems_may_sign_and_then_must(mine: Mine) -> None:
    signer: Signer = mine.keys.add("mine", "roadway")
    mine.guard = mine.new_guard()
    tags = encode(Tags(captured_at_ns=1, fixes=()), gateway="uwb", run=1, seq=1, sent_at_ns=1)
    with pytest.raises(RefusedError, match="not signed"):
        mine.hears(("mine/roadway/tags", tags))
    assert mine.hears(("mine/roadway/tags", signer.sign("mine/roadway/tags", tags)))


def test_what_is_signed_and_nonsense_is_bad_not_forged(mine: Mine) -> None:
    topic = topic_of(HEALTH)
    signed = mine.signers["gateway"].sign(topic, b'{"schema":"lamproom/health/1"}')
    with pytest.raises(WireError, match="envelope") as caught:
        mine.hears((topic, signed))
    assert not isinstance(caught.value, RefusedError)


def test_a_replay_is_not_checked_and_counts_for_nothing(mine: Mine) -> None:
    topic, payload = unsigned(HEALTH)
    assert mine.hears(("replay" + topic.removeprefix("mine"), payload))
    with pytest.raises(RefusedError):
        mine.hears((topic, payload))


def test_a_run_is_always_greater_than_the_one_before(tmp_path: Path) -> None:
    file, clock = tmp_path / "state" / "run", ReplayClock(NOW_NS)
    assert next_run(file, clock) == NOW_NS
    assert next_run(file, clock) == NOW_NS + 1
    hour_before = ReplayClock(NOW_NS - 3_600_000_000_000)
    assert next_run(file, hour_before) == NOW_NS + 2, "a clock that was set back"
    file.write_text("junk")
    assert next_run(file, clock) == NOW_NS
    assert next_run(Path("/proc/nowhere/run"), clock) == NOW_NS


def test_a_damaged_memory_is_an_empty_one(mine: Mine) -> None:
    wrong = '[["a", "b", "c", "d", Infinity, 1]]'
    for text in ("", "{", "[1]", '[["a"]]', "null", wrong, "[" * 100_000):
        mine.memory.write_text(text)
        assert mine.new_guard().read(*mine.say(HEALTH)) is not None


@pytest.mark.parametrize("name", ["x" * 65, "a\x1b[2J", "a b", "-a", ""])
def test_a_name_that_no_site_file_can_give_is_not_heard(mine: Mine, name: str) -> None:
    """Nobody could acknowledge an alarm about it, which would then stand for ever."""
    for topic in (f"mine/{name}/gw/gw7/health", f"mine/roadway/gw/{name}/health"):
        payload = encode(HEALTH, gateway=topic.split("/")[3], seq=1, sent_at_ns=1)
        with pytest.raises(WireError, match="name") as raised:
            mine.guard.read(topic, payload)
        assert not isinstance(raised.value, RefusedError)


@pytest.mark.parametrize("message", [ORDER, RECEIPT], ids=type_name)
def test_what_a_bridge_says_again_is_passed_over_and_no_attack(
    mine: Mine, message: Message
) -> None:
    """It says again, in their order, all whose arrival it does not know of."""
    said = [mine.say(message) for _ in range(200)]
    for one in said:
        assert mine.hears(one)
    for one in said:
        assert not mine.hears(one)
    mine.restart("control_room")
    assert mine.hears(mine.say(message))
    for one in said:
        assert not mine.hears(one), "also those of the run before"


@pytest.mark.parametrize("message", [ORDER, RECEIPT], ids=type_name)
def test_what_is_said_again_after_our_restart_is_passed_over_too(
    mine: Mine, message: Message
) -> None:
    said = [mine.say(message) for _ in range(50)]
    for one in said:
        assert mine.hears(one)
    mine.guard.remember()
    mine.guard = mine.new_guard()
    for one in said:
        assert not mine.hears(one)


def test_what_is_too_old_to_be_said_again_is_played_again(
    mine: Mine, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [mine.say(RECEIPT) for _ in range(MOST_RECENT + 1)]
    for one in said:
        assert mine.hears(one)
    with pytest.raises(RefusedError, match="plays it again"):
        mine.hears(said[0])
    assert not mine.hears(said[1])
    mine.guard.remember()
    mine.guard = mine.new_guard()
    with pytest.raises(RefusedError, match="plays it again"):
        mine.hears(said[0])


def test_two_control_rooms_with_a_key_each_do_not_look_like_one_that_is_played_again(
    mine: Mine,
) -> None:
    spare = mine.keys.add_file("control_room-spare.pub")
    mine.guard = mine.new_guard(required=True)
    # Its clock is an hour behind, and it counts for itself.
    voice = Voice(mine.clock, run=NOW_NS - 3_600_000_000_000, signer=spare)
    for message in (BEAT, RECEIPT, ORDER):
        topic = topic_of(message)
        for _ in range(3):
            assert mine.hears(mine.say(message))
            other = voice.write(topic, message, gateway="gw1")[1]
            assert mine.hears((topic, other))
        if message is BEAT:
            with pytest.raises(RefusedError, match="plays it again"):
                mine.hears((topic, other))


def test_two_listeners_with_one_memory_forget_nothing_of_each_other(mine: Mine) -> None:
    first, second = mine.say(HEALTH), mine.say(HEALTH)
    other = mine.new_guard()
    assert mine.hears(first)
    assert mine.hears(second)
    mine.guard.remember()
    assert other.read(*first) is not None
    other.remember()
    with pytest.raises(RefusedError):
        mine.new_guard().read(*second)


def test_a_file_that_cannot_be_used_refuses_its_owner_alone(mine: Mine) -> None:
    (mine.keys.trusted / "gateway-roadway-gw2.pub").write_text("half a f")
    mine.guard = mine.new_guard()
    assert mine.hears(mine.say(HEALTH))
    with pytest.raises(RefusedError, match="its file can't be used"):
        mine.hears(unsigned(HEALTH, "gw2"))
    assert [one.gateway for one in mine.guard.distrusted()] == ["gw2"]


def test_whether_a_message_was_signed_is_known(mine: Mine) -> None:
    assert mine.guard.check(*mine.say(HEALTH)).signed
    assert not mine.guard.check(*unsigned(HEALTH, "gw2")).signed
    assert mine.guard.checks
    assert not Guard().checks
