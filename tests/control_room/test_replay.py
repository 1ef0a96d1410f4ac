import argparse
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from control_room.judge import differences, judge, once_each, site_of
from control_room.main import open_room
from control_room.muster import from_json
from control_room.muster_text import text_of
from control_room.replay.as_recorded import AsRecorded
from control_room.replay.background import judging
from control_room.replay.command import _exporting, _files, _times_of, add_arguments, run
from control_room.replay.judging import Progress, judged
from control_room.replay.known import How, Known
from control_room.replay.outlets import broker_outlet, page_outlet
from control_room.replay.player import Player
from control_room.replay.recorded_clock import RecordedClock
from control_room.replay.recording import open_recording
from control_room.replay.times import time_in
from control_room.replay.wishes import Play, Seek
from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.recordings.writer import RecordingWriter
from delivery.subscriber import Subscriber
from scene.clock import ReplayClock, SystemClock
from scene.errors import RecordingError
from scene.messages import Anomaly, GatewayState, Positions, SiteDescription
from scene.site import BrokerConfig
from scene.topics import Address, topic_name
from scene.wire import Envelope, encode, type_name
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import FALLEN, FALLEN_RGB, FPS, GATEWAY, SITE, alarm
from tests.control_room.page_stage import staged
from tests.control_room.recorded_story import (
    SECONDS,
    SITE_YAML,
    START_NS,
    everything,
    live_alarms,
    story,
    told,
    write,
)
from tests.control_room.replay.hour_files import run_of, write_files
from tests.control_room.replay_stage import known_of, replaying
from tests.control_room.test_page import assert_tag_is_on_the_miner


def args_of(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(list(words))


def test_the_story_raises_both_alarms_and_clears_one() -> None:
    found = {(one.kind, one.state) for one in live_alarms()}
    assert ("restricted_zone", "active") in found
    assert ("restricted_zone", "cleared") in found
    assert ("man_down", "active") in found


def test_the_order_and_repetition_of_instants_do_not_matter() -> None:
    site = site_of(told(), name="live")
    assert judge(site, [*reversed(story()), *story()]) == live_alarms()


def test_check_finds_the_same_alarms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system = alarm("camera_lost-1", at_ns=START_NS, kind="camera_lost", track=None)
    alarms = live_alarms()
    recording = write(tmp_path / "run.mcap", *everything((*alarms, alarms[0], system)))
    assert run(args_of(str(recording), "--check")) == 0
    told = capsys.readouterr()
    assert "equal" in told.out
    assert told.err.count("messages were not checked for a signature") == 1


def test_a_site_that_was_changed_while_running_is_judged_by_as_it_was_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without = SITE_YAML.replace("zones:", "gates: []\n#")
    assert "conveyor" in SITE_YAML
    early = tuple(one for one in live_alarms() if one.kind == "man_down")
    zone = [one for one in live_alarms() if one.kind == "restricted_zone"]
    assert zone
    messages = everything(early)
    later = (messages[0][0] + 1_000_000, told(without))
    recording = write(tmp_path / "run.mcap", messages[0], later, *messages[1:])
    assert run(args_of(str(recording), "--check")) == 0, capsys.readouterr().out


@pytest.mark.parametrize("what", ["missing", "extra", "changed"])
def test_check_finds_every_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    alarms = list(live_alarms())
    if what == "missing":
        alarms.pop()
    elif what == "extra":
        alarms.append(alarm("man_down-99", at_ns=START_NS + 1))
    else:
        alarms[0] = replace(alarms[0], probability=0.123)
    recording = write(tmp_path / "run.mcap", *everything(tuple(alarms)))
    assert run(args_of(str(recording), "--check")) == 1
    out = capsys.readouterr().out
    assert "1 differences" in out
    expected = {
        "missing": "not in the recording",
        "extra": "man_down-99 active: in the recording, not raised",
        "changed": "probability 0.123 became",
    }
    assert expected[what] in out


def test_what_began_before_the_recording_is_not_compared() -> None:
    before = alarm("man_down-0", at_ns=5)
    assert differences([before], [], from_ns=6) == []
    assert differences([before], [], from_ns=5) != []


def test_an_alarm_that_was_over_before_the_recording_is_not_taken_back() -> None:
    site = site_of(told(), name="live")
    lying = replace(alarm("man_down-7", at_ns=START_NS - 5), zone=None, xyz_m=(20.3, 0.0, 0.0))
    over = replace(lying, state="cleared", captured_at_ns=START_NS - 1)
    assert judge(site, story(), [lying, over]) == live_alarms()
    assert judge(site, story(), [over, lying]) == live_alarms()


def test_an_alarm_is_taken_back_as_it_was_when_the_recording_began() -> None:
    """Not where it ended: whoever lies at its first place carries it on."""
    site = site_of(told(), name="live")
    lying = replace(alarm("man_down-7", at_ns=START_NS - 5), zone=None, xyz_m=(20.3, 0.0, 0.0))
    ended = replace(
        lying, state="cleared", captured_at_ns=START_NS + 60 * 10**9, xyz_m=(35.0, 0.0, 0.0)
    )
    found = judge(site, story(), [lying, ended])
    assert [one.id for one in found if one.kind == "man_down"] == ["man_down-7"]


def test_an_alarm_from_before_a_restart_is_not_raised_again_by_the_replay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = site_of(told(), name="live")
    lying = replace(alarm("man_down-7", at_ns=START_NS - 5), zone=None, xyz_m=(20.3, 0.0, 0.0))
    recorded = judge(site, story(), [lying])
    assert [one.id for one in recorded if one.kind == "man_down"] == ["man_down-7"], "carried on"
    recording = write(tmp_path / "run.mcap", *everything(recorded))
    assert run(args_of(str(recording), "--check")) == 0
    assert "equal" in capsys.readouterr().out


def test_repeated_alarms_count_once() -> None:
    first = alarm(at_ns=5)
    assert once_each([first, first]) == (first,)


@pytest.mark.parametrize(
    ("name", "content"), [("none.mcap", None), ("empty.mcap", b""), ("junk.mcap", b"junk" * 999)]
)
def test_what_is_no_recording_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordingError, match=name):
        open_recording(path, print)


def test_a_recording_that_was_cut_off_at_once_is_not_called_somebody_elses(tmp_path: Path) -> None:
    recording = write(tmp_path / "run.mcap", *everything(()))
    recording.write_bytes(recording.read_bytes()[:300])
    with pytest.raises(RecordingError, match="nothing in it can be read") as caught:
        open_recording(recording, print)
    assert "lamproom run" not in str(caught.value)


def test_a_recording_without_a_site_is_named(tmp_path: Path) -> None:
    recording = write(tmp_path / "run.mcap", *[(one.captured_at_ns, one) for one in story()])
    with pytest.raises(RecordingError, match=r"run\.mcap: has no site description"):
        open_recording(recording, print)


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


class Listener:
    """An ordinary subscriber of the replay."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.heard: list[tuple[Address, Envelope]] = []
        self._connection = Connection(
            BrokerConfig(url=broker.url), client_id="listener", log=lambda _: None
        )
        self._subscriber = Subscriber(
            self._connection,
            "replay",
            on_message=lambda address, envelope: self.heard.append((address, envelope)),
        )
        self._connection.connect(20.0, wait=True)

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def missed(self) -> dict[tuple[str, str, str], int]:
        return self._subscriber.missed

    def alarms(self) -> list[Anomaly]:
        return [one.body for _, one in self.heard if isinstance(one.body, Anomaly)]

    def positions(self) -> list[Positions]:
        return [one.body for _, one in self.heard if isinstance(one.body, Positions)]


def wait_until(condition: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + 30
    while not condition() and time.monotonic() < until_s:
        time.sleep(0.05)
    return condition()


@contextlib.contextmanager
def published(path: Path, broker: EmbeddedBroker) -> Iterator[Player]:
    """Play a recording to a broker, in a thread, until the block ends."""
    recording = open_recording(path, print)
    config, recorded = BrokerConfig(url=broker.url), RecordedClock(recording.from_ns)
    with broker_outlet(recording, config, print) as outlet:
        player = Player(
            recording, known_of(recording), [outlet], SystemClock(), recorded, speed=20.0
        )
        thread = threading.Thread(target=player.run)
        thread.start()
        try:
            yield player
        finally:
            player.close()
            thread.join()


def test_a_replay_raises_the_alarms_anew(broker: EmbeddedBroker, tmp_path: Path) -> None:
    system = alarm("camera_lost-1", at_ns=START_NS + 1, kind="camera_lost", track=None)
    # The people's alarms are not in the recording at all: the rules raise them.
    path = write(tmp_path / "run.mcap", *everything((system,)))
    with Listener(broker) as listener:
        with published(path, broker):
            expected = sorted((system, *live_alarms()), key=lambda one: one.captured_at_ns)
            assert wait_until(lambda: len(listener.alarms()) >= len(expected))
            assert listener.alarms() == expected
            assert wait_until(lambda: len(listener.positions()) >= len(story()))
            positions = listener.positions()
            assert positions == story(), "with the captured times as they were"
            [site] = [
                one.body for _, one in listener.heard if isinstance(one.body, SiteDescription)
            ]
            assert site == replace(told(), stream_url=site.stream_url)
            assert site.stream_url != told().stream_url
            assert {address.prefix for address, _ in listener.heard} == {"replay"}
            assert wait_until(lambda: GatewayState in {type(one.body) for _, one in listener.heard})
        # Nothing of it stays with the broker.
        with Listener(broker) as later:
            time.sleep(0.5)
            assert later.heard == []


def test_who_listens_over_mqtt_misses_nothing_when_a_replay_goes_back(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    """Numbers begin anew as after a restart; alarms that are not so then are cleared."""
    path = write(tmp_path / "run.mcap", *everything(()))
    with Listener(broker) as listener, published(path, broker) as player:
        assert wait_until(lambda: bool(player.status()["ended"]))
        [down] = [one for one in live_alarms() if one.kind == "man_down"]
        player.wish(Seek(at_ns=START_NS + 1_000_000_000))
        assert wait_until(lambda: listener.alarms()[-1].id == down.id)
        assert wait_until(lambda: listener.alarms()[-1].state == "cleared")
        player.wish(Play(on=True))
        assert wait_until(lambda: listener.alarms()[-1] == down), "raised again"
        assert wait_until(lambda: len(listener.positions()) >= 2 * len(story()) - 10)
        assert listener.missed() == {}


def test_a_replay_is_seen_on_the_page(tmp_path: Path, tab: Tab) -> None:
    messages = [one for one in everything(()) if not isinstance(one[1], Positions)]
    path = write(tmp_path / "run.mcap", *messages, pictures=SECONDS * FPS)
    with replaying(path, speed=4.0, playing=False) as stage:
        page = tab.open(stage.url)
        page.locator(".banner.replay").wait_for()
        page.get_by_role("button", name="Play", exact=True).click()
        page.wait_for_function("() => lamproom.framesDrawn > 3")
        assert_tag_is_on_the_miner(page, FALLEN, FALLEN_RGB)
        page.locator("#alarms button[data-kind='man_down']").wait_for()
        page.locator(".banner.replay", has_text="ended").wait_for()
        page.wait_for_timeout(2500)
        assert page.locator(".banner").count() == 1, "an end is no failure"
        assert page.locator("#panorama.old").count() == 0
        assert "(8 s)" in page.locator("#alarms button").inner_text(), "in the recording's time"
        tab.shoot("replay")
        assert tab.complaints == []


def test_only_a_replay_can_be_steered(tab: Tab) -> None:
    """The live mine's control room does not even read what a page asks."""
    with staged() as stage:
        page = tab.open(stage.url)
        page.wait_for_function("() => lamproom.framesDrawn > 3")
        assert page.locator("#replay-bar:visible").count() == 0
        for what in ({"replay": "play", "on": False}, {"replay": "seek", "at_ns": "1"}):
            page.evaluate("async (what) => (await import('/link.js')).ask(what)", what)
        drawn = page.evaluate("() => lamproom.framesDrawn")
        page.wait_for_function(f"() => lamproom.framesDrawn > {drawn} + 3")
        assert page.evaluate("() => lamproom.replay") is None
        assert tab.complaints == []


def test_the_command_plays_and_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = write(tmp_path / "run.mcap", *everything(live_alarms()), pictures=20)
    words = ["--speed", "50", "--no-browser", "--exit", "--port", "0"]
    assert run(args_of(str(recording), *words)) == 0
    out = capsys.readouterr().out
    assert "The replay is at http://127.0.0.1:" in out
    assert "ended" in out


def test_of_one_file_those_beside_it_are_played_too_and_it_comes_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_ = run_of(everything(()), SECONDS * FPS)
    files = write_files(tmp_path / "run.mcap", run_, ((0, 4.2), (4, 8.2), (8, SECONDS)))
    write(tmp_path / "other.mcap", *everything(()))
    words = ("--no-browser", "--exit", "--port", "0", "--speed", "1000", "--at", "+3")
    args = args_of(str(files[1]), *words)
    assert _files(args, pytest.fail) == [files[1], files[0], files[2]]
    assert run(args) == 0
    told = capsys.readouterr()
    assert "3 files: played as one, from 2026-09-21 14:13:20.000Z to" in told.err
    assert "Z: run.mcap to run-3.mcap\n" in told.err
    assert f"exported on its page is kept in {tmp_path / 'exports'}" in told.out
    recording = open_recording(files[1], print, files[0], files[2])
    span_ns, at_ns = _times_of(args, recording)
    assert span_ns == (recording.from_ns, recording.to_ns)
    assert (at_ns - START_NS) / 1e9 == pytest.approx(7, abs=0.2), "from the start of what was named"
    assert _files(args_of(str(files[1]), "--only", *words), pytest.fail) == [files[1]]
    both = args_of(str(files[2]), str(files[0]), *words)
    assert _files(both, pytest.fail) == [files[2], files[0]]
    # A time of the day may be before the file that was named.
    clock = datetime.fromtimestamp(START_NS // 10**9 + 2).strftime("%H:%M:%S")
    _, early_ns = _times_of(args_of(str(files[1]), "--at", clock), recording)
    assert early_ns == START_NS + 2 * 10**9


def test_a_file_beside_it_whose_clock_was_set_takes_nothing_from_the_one_that_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its times alone such a file has all of the other's."""
    monkeypatch.setattr("control_room.replay.command.BOTH_NS", 10**9)
    run_ = run_of(everything(()), SECONDS * FPS)
    files = write_files(tmp_path / "run.mcap", run_, ((0, SECONDS), (2, 6), (SECONDS, SECONDS)))
    said: list[str] = []
    assert _files(args_of(str(files[1])), said.append) == [files[1], files[2]]
    (text,) = said
    assert text.startswith(f"{files[0]}: goes from 2026-09-21 14:13:20.000Z to")
    assert "left out; name both to play both" in text
    assert _files(args_of(str(files[2])), pytest.fail) == [files[2], files[0], files[1]]


def test_exports_are_kept_beside_the_recording_or_it_says_that_they_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, said = tmp_path / "run.mcap", list[str]()
    with _exporting(args_of(str(path)), said.append):
        pass
    assert capsys.readouterr().out == (
        f"What is exported on its page is kept in {tmp_path / 'exports'}\n"
    )
    assert said == []
    (tmp_path / "exports").write_text("in the way, as a disk that can only be read is")
    with _exporting(args_of(str(path)), said.append):
        pass
    assert capsys.readouterr().out == ""
    (text,) = said
    assert "exports: can't be written" in text and "--exports FOLDER" in text
    wrong = str(tmp_path / "exports" / "of-today")
    with (
        pytest.raises(RecordingError, match=r"--exports .*of-today: can't be written"),
        _exporting(args_of(str(path), "--exports", wrong), said.append),
    ):
        pass


def test_an_unreasonable_speed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for speed in ("0", "-1", "nan", "inf", "fast"):
        with pytest.raises(SystemExit):
            args_of("run.mcap", "--speed", speed)
    assert "0.01" in capsys.readouterr().err


def test_a_replay_loses_nothing_and_its_clock_is_not_off(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    """Numbers count per type, and old instants are the recording's, not a clock's fault."""
    path = write(tmp_path / "run.mcap", *everything(live_alarms()))
    config, clock = BrokerConfig(url=broker.url), SystemClock()
    with (
        Listener(broker) as listener,
        open_room(config, None, clock, prefix="replay") as room,
        published(path, broker),
    ):
        assert wait_until(lambda: len(listener.positions()) >= len(story()))
        numbers = [one.seq for _, one in listener.heard if one.type == "positions"]
        assert numbers == list(range(1, len(story()) + 1))
        lost = json.loads(room.join(lambda *_: None))["positions_lost"]
        assert lost == {}
        told = room.muster(SITE)
        assert told is not None
        assert told["clocks_off"] == []


@pytest.mark.parametrize(
    ("words", "instants"),
    [
        (("--at", "+4"), {4.0}),
        (("--from", "+2", "--to", "+5"), {2.0, 5.0}),
        (("--at", "1790000003"), None),
        (("--at", "+900"), None),
        (("--from", "+5", "--to", "+2"), None),
        (("--from", "+5", "--at", "+2"), None),
    ],
)
def test_times_are_given_within_the_recording(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    instants: set[float] | None,
) -> None:
    path = write(tmp_path / "run.mcap", *everything(()), pictures=20)
    args = args_of(str(path), *words, "--speed", "100", "--no-browser", "--exit", "--port", "0")
    if instants is None:
        with pytest.raises(RecordingError, match=words[0]):
            run(args)
        return
    assert run(args) == 0
    span_ns, at_ns = _times_of(args, open_recording(path, print))
    assert {(at_ns - START_NS) / 1e9, *((ns - START_NS) / 1e9 for ns in span_ns)} >= instants


def test_a_time_of_the_day_is_the_first_such_in_the_recording() -> None:
    begin = datetime(2026, 11, 29, 23, 59, 50)
    span_ns = (round(begin.timestamp()) * 10**9, round(begin.timestamp()) * 10**9 + 60 * 10**9)
    assert time_in("23:59:58", span_ns, span_ns[0], option="--at") == span_ns[0] + 8 * 10**9
    assert time_in("0:00:03.5", span_ns, span_ns[0], option="--at") == span_ns[0] + 13_500_000_000
    for text in ("12:00", "25:00", "noon", "", "+", "-5", "+1e9"):
        with pytest.raises(RecordingError, match="--at"):
            time_in(text, span_ns, span_ns[0], option="--at")


def test_a_recording_is_judged_in_a_process_of_its_own_while_it_is_looked_at(
    tmp_path: Path,
) -> None:
    recording = open_recording(write(tmp_path / "run.mcap", *everything(live_alarms()[1:])), print)
    known, told = Known(recording.from_ns), list[str]()
    with judging(recording, known, told.append):
        assert wait_until(lambda: known.judged_to_ns == recording.to_ns)
        assert wait_until(lambda: len(told) == 2)
    assert [one.anomaly for one in known.marks] == list(live_alarms())
    assert "not checked for a signature" in told[0]
    assert told[1] == "1 changes of alarms are raised otherwise than live raised them; " + (
        "--check lists them"
    )
    assert (known.trouble, known.unlike) == ("", 1)


def test_an_end_of_judging_that_nobody_meant_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", *everything(()))
    recording = open_recording(path, print)
    known = Known(recording.from_ns)
    path.unlink()  # the other process does not find it
    with judging(recording, known, lambda _: None):
        assert wait_until(lambda: known.trouble != "")
    assert known.how_at(recording.from_ns) is How.UNKNOWN


def test_repair_writes_what_can_be_read_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "run.mcap", *everything(()), pictures=50)
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert run(args_of(str(cut), "--repair")) == 0
    said = capsys.readouterr()
    assert "cut-repaired.mcap: all that could be read" in said.out
    assert "the end is missing" in said.err
    assert run(args_of(str(tmp_path / "cut-repaired.mcap"), "--check")) in (0, 1)
    assert "missing" not in capsys.readouterr().err


def test_alarms_that_stood_when_a_recording_began_are_shown(tmp_path: Path) -> None:
    """Each hour has a file: whoever is down since the one before must not vanish with it."""
    lying = replace(alarm("man_down-7", at_ns=START_NS - 5), zone=None, xyz_m=(35.0, 0.0, 0.0))
    messages = [*everything(()), (START_NS + 1, lying)]
    recording = open_recording(write(tmp_path / "run.mcap", *messages), print)
    marks = [mark for progress in judged(recording) for mark in progress.marks]
    assert marks[0].anomaly == lying
    assert marks[0].at_ns == recording.from_ns
    assert not marks[0].judged


def test_what_was_refused_or_makes_no_sense_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = RecordingWriter(tmp_path / "run.mcap", ReplayClock(START_NS))
    for at_ns, message in everything(()):
        topic = topic_name(type_name(message), site=SITE, gateway=GATEWAY)
        data = encode(message, gateway=GATEWAY, seq=1, sent_at_ns=at_ns)
        writer.message(topic, data, at_ns)
    positions = topic_name("positions", site=SITE, gateway=GATEWAY)
    writer.refused(positions, b"forged", "its signature is wrong", START_NS + 5)
    writer.message(positions, b"no JSON", START_NS + 6)
    late = encode(Positions(captured_at_ns=2**80, people=()), gateway="x", seq=1, sent_at_ns=1)
    writer.message(positions, late, START_NS + 7)  # of a year that no calendar has
    writer.close()
    run(args_of(str(writer.path), "--check"))
    told = capsys.readouterr().err
    assert "1 messages were refused when they came" in told
    assert "2 messages can't be understood" in told


def test_a_head_count_of_a_recording_says_that_it_is_one(tmp_path: Path) -> None:
    recording = open_recording(write(tmp_path / "run.mcap", *everything(())), print)
    recorded = RecordedClock(recording.from_ns)
    with page_outlet(recording, recorded) as page:
        player = Player(recording, known_of(recording), [page], SystemClock(), recorded)
        player._go(recording.to_ns)
        found = page.room.muster(SITE)
    assert found is not None
    told = from_json(json.dumps(found))
    assert told.replay
    assert told.people == 2
    assert "REPLAY" in text_of(told)
    assert "回放" in text_of(told, "zh")
    assert "REPLAY" not in text_of(replace(told, replay=False))


def test_alarms_found_while_it_plays_on_are_all_there_in_the_end(tmp_path: Path) -> None:
    """What a camera said is known at once, what the rules find only later, about earlier times."""
    system = alarm("cam-1", at_ns=START_NS + 5 * 10**9, kind="camera_lost", track=None)
    recording = open_recording(write(tmp_path / "run.mcap", *everything((system,))), print)
    whole, known = known_of(recording), Known(recording.from_ns)
    at_once = tuple(one for one in whole.marks if one.anomaly.id == "cam-1")
    known.add(AsRecorded(to_ns=recording.to_ns, marks=at_once))
    recorded = RecordedClock(recording.from_ns)
    with page_outlet(recording, recorded) as page:
        player = Player(recording, known, [page], SystemClock(), recorded, speed=1000.0)
        player.run(exit_at_end=True)
        assert {one.key.alarm for one in page.room.journal.open_entries()} == {"cam-1"}
        known.add(Progress(judged_to_ns=recording.to_ns, marks=tuple(whole.marks)))
        player._catch_up()
        found = {one.key.alarm for one in page.room.journal.open_entries()}
        assert found == {one.anomaly.id for one in whole.marks}
