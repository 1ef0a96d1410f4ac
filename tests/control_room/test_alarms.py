import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from control_room.alarm_line import line_of
from control_room.alarms import (
    MOST_SITES,
    MOST_TOLD,
    AlarmListener,
    Caller,
    add_arguments,
    run,
)
from control_room.broker_loss import REASON_S, BrokerLoss
from control_room.broker_options import client_name, guard_of
from control_room.over import OverAlarms
from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.signing import RefusedError
from delivery.voice import Voice
from scene.alarms import ALARMS
from scene.clock import ReplayClock, SystemClock
from scene.errors import BrokerError, LamproomError
from scene.messages import Anomaly, GatewayState, Landmark
from scene.site import BrokerConfig
from scene.topics import TOPICS, Address, topic_name
from scene.wire import Envelope, Message, decode, encode, type_name
from tests.control_room.fake_gateway import (
    EVIL_NAME,
    GATEWAY,
    SITE,
    alarm,
    description,
    health,
)
from tests.delivery.keys import Keys
from tests.delivery.parts import HANG_S, wait_until
from tests.faults.loop_disk import loop_disk, no_loop_disk, stalled

NOW_NS = 1_790_000_000_123_456_789


def address(anomaly: Anomaly) -> Address:
    return Address(prefix="mine", site=SITE, gateway=GATEWAY, topic="alarm", id=anomaly.id)


def hear(listener: AlarmListener, message: Message, *, sent_at_ns: int = NOW_NS) -> None:
    topic = type_name(message)
    id = message.id if isinstance(message, Anomaly) else None
    listener.hear(
        Address(prefix="mine", site=SITE, gateway=GATEWAY, topic=topic, id=id),
        Envelope(type=topic, gateway=GATEWAY, seq=1, sent_at_ns=sent_at_ns, body=message),
    )


def changes(listener: AlarmListener) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    while (change := listener.next(0.0)) is not None:
        found.append((change[1].kind, change[1].state))
    return found


def test_every_change_is_told_once() -> None:
    listener = AlarmListener(ReplayClock(NOW_NS))
    for state in ("active", "active", "cleared", "cleared", "active"):
        hear(listener, alarm(at_ns=NOW_NS, state=state))
    assert changes(listener) == [("man_down", "active"), ("man_down", "cleared")]


def test_what_was_told_is_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_room.alarms.MOST_TOLD", 2)
    listener = AlarmListener(ReplayClock(NOW_NS))
    for id in ("a", "b", "c", "c", "a"):
        hear(listener, alarm(id, at_ns=NOW_NS))
    assert len(changes(listener)) == 4


def test_what_was_cleared_long_ago_is_no_news() -> None:
    listener = AlarmListener(ReplayClock(NOW_NS))
    hear(listener, alarm("old", at_ns=5, state="cleared"), sent_at_ns=5)
    hear(listener, alarm("still", at_ns=5), sent_at_ns=5)
    assert changes(listener) == [("man_down", "active")]


def test_silence_is_told_within_5_s_and_so_is_its_end() -> None:
    clock = ReplayClock(NOW_NS)
    listener = AlarmListener(clock)
    hear(listener, health(NOW_NS))
    clock.sleep(3.9)
    assert changes(listener) == []
    clock.sleep(0.6)
    assert changes(listener) == [("gateway_silent", "active")]
    hear(listener, health(NOW_NS))
    assert changes(listener) == [("gateway_silent", "cleared")]
    clock.sleep(0.1)
    hear(listener, GatewayState(online=False, since_ns=NOW_NS))
    assert changes(listener) == [("gateway_silent", "active")]


def test_an_expected_gateway_that_never_speaks_is_silent_from_the_start() -> None:
    clock = ReplayClock(NOW_NS)
    listener = AlarmListener(clock, expected=[(SITE, GATEWAY)])
    clock.sleep(3.9)
    assert changes(listener) == []
    clock.sleep(0.6)
    assert changes(listener) == [("gateway_silent", "active")]


def test_refused_messages_are_told_once_and_so_is_their_end() -> None:
    clock = ReplayClock(NOW_NS)
    listener = AlarmListener(clock)
    for _ in range(3):
        listener.refuse(address(alarm(at_ns=NOW_NS)), RefusedError("its signature is wrong"))
    assert changes(listener) == [("message_refused", "active")]
    clock.sleep(61)
    assert changes(listener) == [("message_refused", "cleared")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--require-signed"], "--keys FOLDER"),
        (["--keys", "/nowhere"], "/nowhere: there is no such key file"),
    ],
)
def test_wrong_key_options_are_one_clear_line(words: list[str], said: str) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(LamproomError, match=said):
        run(parser.parse_args(["--broker", "mqtt://127.0.0.1:1", *words]))


def test_whose_key_is_known_is_expected_too(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.add("gateway", "north-7", "gw1")
    keys.add("control_room")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(["--keys", str(keys.trusted), "--expect", "a/b"])
    _, expected = guard_of(args, ReplayClock(), print)
    assert expected == (("a", "b"), ("north-7", "gw1"))


def test_whom_to_expect_is_a_site_and_a_gateway(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert parser.parse_args(["--expect", "a/b", "--expect", "a/c"]).expect == [
        ("a", "b"),
        ("a", "c"),
    ]
    with pytest.raises(SystemExit):
        parser.parse_args(["--expect", "gw1"])
    assert "give SITE/GATEWAY" in capsys.readouterr().err


def test_a_line_says_what_where_and_how_sure() -> None:
    found = alarm(at_ns=NOW_NS)
    line = line_of(address(found), found)
    for part in (
        "CRITICAL",
        "RAISED",
        "Man down 人员倒地",
        "x 29.5 m",
        "zone conveyor",
        "#3",
        "0.97",
    ):
        assert part in line


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_clearing_is_sure_of_nothing(language: str) -> None:
    for state, sure in (("active", True), ("cleared", False)):
        found = alarm(at_ns=NOW_NS, state=state, probability=0.0, certainty="certainly")
        line = line_of(address(found), found, language=language)
        assert ("0.00" in line) is sure


def test_a_line_holds_no_control_characters() -> None:
    found = alarm(at_ns=NOW_NS, zone="a\x1b[2Jb\nc", evidence="\r\x9b31m" + EVIL_NAME)
    line = line_of(address(found), found)
    assert line.isprintable()


@pytest.mark.parametrize("kind", ALARMS)
def test_every_kind_is_one_line_in_english_and_chinese(kind: str) -> None:
    row = ALARMS[kind]
    found = alarm(at_ns=NOW_NS, kind=kind, severity=row.severity, track=None, zone=None, xyz_m=None)
    line = line_of(address(found), found)
    assert f"RAISED   {row.english} {row.chinese}  {SITE}/{GATEWAY}  certainly" in line
    assert any("\u4e00" <= letter <= "\u9fff" for letter in line)
    assert line.isprintable()
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert parser.parse_args(["--broker", "mqtt://b", "--kind", kind]).kind == [kind]


def test_a_line_names_whom_it_is_about() -> None:
    found = alarm(at_ns=NOW_NS, track=3, worker="Li")
    assert "#3 Li" in line_of(address(found), found)


SUPPORTS = tuple(
    Landmark(name=str(number), kind="support", chainage_m=1.75 * number, reach_m=0.875)
    for number in range(1, 21)
)


def test_a_line_tells_the_support_and_is_chinese_if_asked() -> None:
    found, site = alarm(at_ns=NOW_NS), replace(description(), landmarks=SUPPORTS)
    assert "; support 17; x 29.5 m" in line_of(address(found), found, site)
    assert "support" not in line_of(address(found), found, description())
    said = replace(found, evidence="Person 3: moved 1.0 m, at x 29.5 m, y -1.0 m ± 0.1 m.")
    line = line_of(address(said), said, site, "zh")
    assert line[21:] == (
        f"严重  触发  人员倒地  {SITE}/{GATEWAY}；17 号支架；x 29.5 米，y -1.0 米；区域 conveyor；"
        "#3  确定（概率 0.97）  人员 3：移动了 1.0 米，位置 x 29.5 米，y -1.0 米 ± 0.1 米。"
    )


def test_an_unknown_kind_is_shown_as_it_is() -> None:
    found = alarm(at_ns=NOW_NS, kind="unheard_of")
    assert "unheard_of" in line_of(address(found), found)


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


def args_of(broker: EmbeddedBroker, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["--broker", broker.url, *words])


class Sender:
    """Publishes what a gateway would, once a listener is there."""

    def __init__(self, broker: EmbeddedBroker, *messages: Message) -> None:
        self._connection = Connection(BrokerConfig(url=broker.url), client_id="sender")
        self._messages = messages
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Sender":
        self._connection.connect(20.0, wait=True)
        self._thread.start()
        return self

    def _run(self) -> None:
        for message in self._messages:
            self.say(message)

    def say(self, message: Message, *, kept: bool = True) -> None:
        kind = type_name(message)
        id = message.id if isinstance(message, Anomaly) else None
        topic = topic_name(kind, site=SITE, gateway=GATEWAY, id=id)
        payload = (
            encode(message, gateway=GATEWAY, seq=1, sent_at_ns=time.time_ns()) if kept else b""
        )
        assert self._connection.publish(
            topic, payload, qos=TOPICS[kind].qos, retain=TOPICS[kind].retain
        )

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        for message in self._messages:
            if TOPICS[type_name(message)].retain:
                self.say(message, kept=False)
        self._connection.close()


def test_alarms_arrive_over_a_real_broker(
    broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = alarm("camera_lost-1", at_ns=time.time_ns(), kind="camera_lost", severity="warning")
    with Sender(broker, lost, alarm(at_ns=time.time_ns())):
        assert run(args_of(broker, "--once", "--kind", "man_down", "--timeout", "60")) == 0
    out = capsys.readouterr().out
    assert "Man down 人员倒地" in out
    assert out.count("\n") == 1


def test_lines_are_chinese_if_asked(
    broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    said = alarm(at_ns=time.time_ns(), evidence="Person 3: seen again.")
    with Sender(broker, said):
        assert run(args_of(broker, "--once", "--language", "zh", "--timeout", "60")) == 0
    assert "触发  人员倒地" in (line := capsys.readouterr().out)
    assert line.endswith("人员 3：再次看到。\n")


def test_a_listener_keeps_of_sites_only_what_tells_a_place() -> None:
    listener = AlarmListener(ReplayClock(NOW_NS))
    found = alarm(at_ns=NOW_NS)
    assert listener.site_of(address(found)) is None
    said = replace(description(), landmarks=SUPPORTS, site_yaml="zones: []\n" * 1000)
    hear(listener, said)
    kept = listener.site_of(address(found))
    assert line_of(address(found), found, kept) == line_of(address(found), found, said)
    assert kept is not None
    unused = (kept.zones, kept.cameras, kept.ruler, kept.site_yaml)
    assert unused == ((), (), (), ""), "they would be kept for as long as this runs"


def test_who_invents_gateways_fills_no_memory_with_their_sites() -> None:
    listener = AlarmListener(ReplayClock(NOW_NS))
    for number in range(MOST_SITES + 50):
        named = Address(prefix="mine", site=SITE, gateway=f"gw{number}", topic="site", id=None)
        envelope = Envelope(
            type="site", gateway=f"gw{number}", seq=1, sent_at_ns=NOW_NS, body=description()
        )
        listener.hear(named, envelope)
    assert len(listener._sites) == MOST_SITES
    first = Address(prefix="mine", site=SITE, gateway="gw0", topic="site", id=None)
    fresh = replace(description(), landmarks=SUPPORTS)
    listener.hear(first, Envelope(type="site", gateway="gw0", seq=2, sent_at_ns=NOW_NS, body=fresh))
    known = listener.site_of(first)
    assert known is not None
    assert known.landmarks == SUPPORTS, "who is known already is heard"


def test_json_lines_decode_by_the_schema(
    broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = alarm(at_ns=NOW_NS)
    with Sender(broker, sent):
        assert run(args_of(broker, "--once", "--json", "--timeout", "60")) == 0
    assert decode(capsys.readouterr().out.encode()).body == sent


def test_the_hook_gets_the_alarm(broker: EmbeddedBroker, tmp_path: Path) -> None:
    copy = tmp_path / "hook got.json"
    hook = f"""{sys.executable} -c 'import sys; open(sys.argv[1], "w").write(sys.stdin.read())' """
    with Sender(broker, alarm(at_ns=NOW_NS)):
        assert run(args_of(broker, "--once", "--exec", f"{hook} '{copy}'", "--timeout", "60")) == 0
    assert json.loads(copy.read_text())["body"]["kind"] == "man_down"


def test_a_failing_hook_is_told(broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    with Sender(broker, alarm(at_ns=NOW_NS)):
        args = args_of(broker, "--once", "--exec", "/nowhere/siren", "--timeout", "60")
        assert run(args) == 4
    assert "/nowhere/siren" in capsys.readouterr().err


def test_a_hook_that_hangs_delays_no_line_and_is_run_for_all(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    gate, ran, said = tmp_path / "gate", tmp_path / "ran", tmp_path / "said"
    script = f"echo >> {ran}; until [ -e {gate} ]; do sleep 0.05; done"
    command = [sys.executable, "-m", "edge.main", "alarms", "--broker", broker.url]
    command += ["--exec", f"sh -c '{script}'"]
    with (
        Sender(broker, alarm("a", at_ns=NOW_NS), alarm("b", at_ns=NOW_NS)),
        said.open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as told,
    ):
        try:
            assert told.stdout is not None
            assert [b"Man down" in told.stdout.readline() for _ in range(2)] == [True, True]
            assert "timed out" not in said.read_text(), "the second line waited for the first hook"
            gate.touch()
            wait_until(lambda: ran.exists() and len(ran.read_text()) == 2)
        finally:
            gate.touch()
            told.kill()


def test_hooks_that_wait_do_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_room.alarms.MOST_WAITING", 1)
    caller = Caller(["sh", "-c", 'read line; [ "$line" = good ]'])
    for _ in range(200):
        caller.put(b"good")
    caller.finish()
    assert 0 < caller.failures < 200, "what was not run counts as failed"


def test_no_alarm_in_time_is_3(broker: EmbeddedBroker) -> None:
    assert run(args_of(broker, "--once", "--timeout", "0.3")) == 3
    assert run(args_of(broker, "--timeout", "0.3")) == 0


def test_an_unreachable_broker_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_room.alarms.CONNECT_S", 1.0)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1"):
        run(parser.parse_args(["--broker", "mqtt://127.0.0.1:1"]))
    with pytest.raises(BrokerError, match="mqtt://host:port"):
        run(parser.parse_args(["--broker", "nonsense"]))


def test_a_lost_broker_is_one_line_and_its_return_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said: list[str] = []

    def told(words: str) -> bool:
        said.extend(capsys.readouterr().err.splitlines())
        return any(words in line for line in said)

    broker = EmbeddedBroker()
    with broker:
        args = args_of(broker, "--once", "--kind", "man_down")
        listening = threading.Thread(target=run, args=(args,), daemon=True)
        listening.start()
        wait_until(lambda: told("listening to "))
        said.clear()
    wait_until(lambda: told("LOST THE BROKER"))
    [line] = said
    assert line.startswith("lamproom alarms: LOST THE BROKER: alarms do not arrive (")
    assert "MQTT broker" in line
    with EmbeddedBroker(port=broker.port) as again:
        wait_until(lambda: told("is back"))
        assert said[-1] == "lamproom alarms: the broker is back"
        steps = ("alarms: lost the MQTT broker", "alarms: connected to", "LOST THE BROKER")
        assert [sum(step in line for line in said) for step in steps] == [0, 0, 1]
        with Sender(again, alarm(at_ns=time.time_ns())):
            listening.join(HANG_S)
    assert not listening.is_alive()
    assert "Man down" in capsys.readouterr().out


def test_a_broker_that_says_nothing_is_told_as_lost_without_a_reason_in_time() -> None:
    said: list[str] = []
    loss = BrokerLoss(said.append, "alarms do not arrive")
    loss.log("connected")
    loss.look(True, 0.0)
    loss.log("not authorized for a topic")
    loss.look(True, 0.5)
    loss.log("lost the broker")
    loss.look(False, 1.0)
    assert said == ["connected", "not authorized for a topic"]
    loss.look(False, 1.0 + REASON_S)
    assert said[2:] == ["LOST THE BROKER: alarms do not arrive (lost the broker)"]
    loss.log("it refuses us")
    loss.look(False, 3.0)
    loss.log("connected")
    loss.look(True, 3.5)
    assert said[3:] == ["it refuses us", "the broker is back"]
    # As short as this it is told all the same: alarms may come late.
    for text in ("lost the broker", "connected"):
        loss.log(text)
    loss.look(True, 4.0)
    assert said[5:] == ["lost the broker", "connected"]


def test_help_tells_the_exit_codes() -> None:
    done: Any = subprocess.run(
        [sys.executable, "-m", "edge.main", "alarms", "--help"], capture_output=True, check=True
    )
    for part in (b"exit codes", b"--exec", b"--once", b"--prefix"):
        assert part in done.stdout


class Echo:
    """Says signed messages, the same bytes again and again, until the block ends."""

    def __init__(self, broker: EmbeddedBroker, said: list[tuple[str, bytes]]) -> None:
        self._connection = Connection(BrokerConfig(url=broker.url), client_name("echo"))
        self._said, self._stop = said, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._connection.connect(20.0, wait=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            for topic, payload in self._said:
                self._connection.publish(topic, payload, qos=1, retain=False)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._connection.close()


def test_what_was_heard_before_a_restart_cannot_be_played_after_it(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = Keys(tmp_path)
    voice = Voice(SystemClock(), run=5, signer=keys.add("gateway", SITE, GATEWAY))
    now_ns, said = time.time_ns(), list[tuple[str, bytes]]()
    for message in (
        health(now_ns),
        alarm(at_ns=now_ns),
        alarm(at_ns=now_ns, state="cleared"),
        alarm("camera_lost-1", at_ns=now_ns, kind="camera_lost", severity="warning"),
    ):
        kind = type_name(message)
        id = message.id if isinstance(message, Anomaly) else None
        topic = topic_name(kind, site=SITE, gateway=GATEWAY, id=id)
        said.append((topic, voice.write(topic, message, gateway=GATEWAY)[1]))
    memory = tmp_path / "state" / "alarms"
    words = ("--keys", str(keys.trusted), "--require-signed", "--memory", str(memory))
    with Echo(broker, said):
        assert run(args_of(broker, *words, "--once", "--kind", "camera_lost")) == 0
        capsys.readouterr()
        # Now the gateway is gone, and somebody plays all of it again.
        kinds = ("--kind", "man_down", "--kind", "gateway_silent")
        assert run(args_of(broker, *words, "--once", *kinds, "--timeout", "60")) == 0
        told = capsys.readouterr().out
        assert "Gateway silent" in told, "an old heartbeat ends no silence"
        assert "Man down" not in told, "an alarm that was over is not raised again"
        # What is still active is told at every start.
        assert run(args_of(broker, *words, "--once", "--kind", "camera_lost")) == 0


def test_without_keys_nothing_is_written_unless_it_is_asked_for(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(args_of(broker, "--timeout", "0.3")) == 0
    assert list(tmp_path.iterdir()) == []
    keys = Keys(tmp_path)
    keys.add("gateway", SITE, GATEWAY)
    assert run(args_of(broker, "--timeout", "0.3", "--keys", str(keys.trusted))) == 0
    found = {path.name for path in (tmp_path / "state").iterdir()}
    assert found == {"alarms.heard.json", "alarms.over.jsonl"}


def test_a_memory_that_cannot_be_written_is_said_and_ends_nothing(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    memory = str(tmp_path / "file" / "alarms")
    assert run(args_of(broker, "--timeout", "0.3", "--memory", memory)) == 0
    said = capsys.readouterr().err
    assert "alarms.heard.json: can't be written" in said
    assert "give --memory FILE" in said


def test_a_bad_file_of_keys_is_told_as_an_alarm(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = Keys(tmp_path)
    keys.add("gateway", SITE, GATEWAY)
    (keys.trusted / "gateway-a-b.pub").write_text("half a file")
    words = ("--keys", str(keys.trusted), "--memory", str(tmp_path / "m"))
    assert run(args_of(broker, *words, "--once", "--timeout", "60")) == 0
    assert "gateway-a-b.pub: is no public key" in capsys.readouterr().out


def test_what_is_over_is_remembered_whole_and_not_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "over.jsonl"
    for i in range(5):
        over = OverAlarms(file, most=3)
        over.note(("s", "g", f"a-{i}"))
        assert over.settle(HANG_S)
    file.write_bytes(file.read_bytes() + b'["s","g"]\n\xff\n[1\n{}\n["s","g","a-5')
    over = OverAlarms(file, most=3)
    assert list(over.before) == [("s", "g", f"a-{i}") for i in range(2, 5)]
    over.note(("s", "g", "a-4"))
    assert over.settle(HANG_S)
    assert file.read_bytes().endswith(b'"a-5'), "known already"
    over.note(("s", "g", "a-6"))  # not at the end of the half line
    assert over.settle(HANG_S)
    kept = [*map(str, range(2, 5)), "6"]
    assert [id for _, _, id in OverAlarms(file, most=9).before][-4:] == [f"a-{i}" for i in kept]
    for i in range(100, 150):  # within one run, too, it does not grow for ever
        over.note(("s", "g", f"a-{i}"))
        assert over.settle(HANG_S)
        assert file.read_bytes().count(b"\n") <= 9
    assert list(OverAlarms(file, most=3).before) == [("s", "g", f"a-{i}") for i in (147, 148, 149)]
    assert OverAlarms(tmp_path / "none", most=3).before == {}


@pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk())
def test_a_disk_that_hangs_keeps_no_alarm_from_being_told(tmp_path: Path) -> None:
    with loop_disk(tmp_path) as (_, disk):
        over = OverAlarms(disk / "over.jsonl", most=MOST_TOLD)
        listener = AlarmListener(ReplayClock(NOW_NS), over=over)

        def speak() -> None:
            for id in ("a", "b"):
                hear(listener, alarm(id, at_ns=NOW_NS))
                hear(listener, alarm(id, at_ns=NOW_NS, state="cleared"))

        with stalled(disk):
            speaking = threading.Thread(target=speak, daemon=True)
            speaking.start()
            speaking.join(HANG_S)
            assert not speaking.is_alive(), "it waits for the disk"
            assert [state for _, state in changes(listener)] == ["active", "cleared"] * 2
        assert over.settle(HANG_S)
        ids = [id for _, _, id in OverAlarms(disk / "over.jsonl", most=MOST_TOLD).before]
        assert ids == ["a", "b"]
