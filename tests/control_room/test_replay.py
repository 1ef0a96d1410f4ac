import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control_room.judge import differences, judge, once_each, site_of
from control_room.main import open_room
from control_room.replay import add_arguments, load, open_player, run
from control_room.server import serving
from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.recordings.writer import RecordingWriter
from delivery.stream import stream_packets
from delivery.subscriber import Subscriber
from scene.clock import ReplayClock, SystemClock
from scene.errors import RecordingError
from scene.messages import Anomaly, Position, Positions, SiteDescription
from scene.site import BrokerConfig
from scene.topics import Address, topic_name
from scene.wire import Envelope, Message, encode, type_name
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import (
    FALLEN,
    FALLEN_RGB,
    FPS,
    GATEWAY,
    SITE,
    Encoder,
    alarm,
    description,
    health,
)
from tests.control_room.test_page import assert_tag_is_on_the_miner

START_NS = 1_790_000_000_000_000_000
SECONDS = 12
SITE_YAML = """
version: 1
site: roadway
gateway: gw1
cameras: [{name: c1, url: clips/not-here.mp4}]
rig: {mount: {xyz_m: [0, 0, 2.5]}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]]}
zones: [{name: conveyor, polygon_m: [[4, -2], [7, -2], [7, 2], [4, 2]]}]
"""


def told(site_yaml: str = SITE_YAML) -> SiteDescription:
    return replace(description(), site_yaml=site_yaml)


def story() -> list[Positions]:
    """Somebody walks through the zone, and the other falls: 10 instants a second."""
    instants = []
    for i in range(SECONDS * FPS):
        at_ns = START_NS + i * 1_000_000_000 // FPS
        people = (
            person(1, x_m=1.0 + 0.1 * i, height_m=1.8, at_ns=at_ns),
            person(2, x_m=20.0, height_m=1.8 if i < 30 else 0.4, at_ns=at_ns),
        )
        instants.append(Positions(captured_at_ns=at_ns, people=people))
    return instants


def person(track: int, *, x_m: float, height_m: float, at_ns: int) -> Position:
    return Position(
        track=track,
        xyz_m=(x_m, 0.0, 0.0),
        covariance_m2=((0.01, 0.0), (0.0, 0.01)),
        velocity_m_s=(0.0, 0.0),
        height_m=height_m,
        posture="upright" if height_m > 1 else "lying",
        certainty="certainly",
        seen_at_ns=at_ns,
        cameras=("c1",),
    )


def live_alarms() -> tuple[Anomaly, ...]:
    return judge(site_of(told(), name="live"), story())


def write(path: Path, *messages: tuple[int, Message], pictures: int = 0) -> Path:
    """Write a recording as a gateway's recorder would."""
    clock = ReplayClock(START_NS)
    writer = RecordingWriter(path, clock)
    encoder = Encoder()
    frames = [(START_NS + i * 1_000_000_000 // FPS, None) for i in range(pictures)]
    ordered = sorted([*messages, *frames], key=lambda one: one[0])
    for seq, (at_ns, message) in enumerate(ordered):
        clock.set(at_ns)
        if message is None:
            writer.packet(encoder.packet(at_ns))
            continue
        kind = type_name(message)
        id = message.id if isinstance(message, Anomaly) else None
        topic = topic_name(kind, site=SITE, gateway=GATEWAY, id=id)
        payload = encode(message, gateway=GATEWAY, seq=seq, sent_at_ns=at_ns)
        writer.message(topic, payload, at_ns)
    writer.close()
    return path


def everything(alarms: tuple[Anomaly, ...]) -> list[tuple[int, Message]]:
    messages: list[tuple[int, Message]] = [(START_NS, told())]
    messages += [(one.captured_at_ns, one) for one in story()]
    messages += [(one.captured_at_ns, one) for one in alarms]
    messages += [
        (START_NS + i * 1_000_000_000, health(START_NS + i * 1_000_000_000)) for i in range(SECONDS)
    ]
    return messages


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
        load(path)


def test_a_recording_that_was_cut_off_at_once_is_not_called_somebody_elses(tmp_path: Path) -> None:
    recording = write(tmp_path / "run.mcap", *everything(()))
    recording.write_bytes(recording.read_bytes()[:300])
    with pytest.raises(RecordingError, match="nothing in it can be read") as caught:
        load(recording)
    assert "lamproom run" not in str(caught.value)


def test_a_recording_without_a_site_is_named(tmp_path: Path) -> None:
    recording = write(tmp_path / "run.mcap", *[(one.captured_at_ns, one) for one in story()])
    with pytest.raises(RecordingError, match=r"run\.mcap: has no site description"):
        load(recording)


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
        Subscriber(
            self._connection,
            "replay",
            on_message=lambda address, envelope: self.heard.append((address, envelope)),
        )
        self._connection.connect(20.0, wait=True)

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def alarms(self) -> list[Anomaly]:
        return [one.body for _, one in self.heard if isinstance(one.body, Anomaly)]

    def positions(self) -> list[Positions]:
        return [one.body for _, one in self.heard if isinstance(one.body, Positions)]


def wait_until(condition: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + 30
    while not condition() and time.monotonic() < until_s:
        time.sleep(0.05)
    return condition()


def test_a_replay_raises_the_alarms_anew(broker: EmbeddedBroker, tmp_path: Path) -> None:
    system = alarm("camera_lost-1", at_ns=START_NS + 1, kind="camera_lost", track=None)
    # The people's alarms are not in the recording at all: the rules raise them.
    recording = load(write(tmp_path / "run.mcap", *everything((system,))))
    config = BrokerConfig(url=broker.url)
    with Listener(broker) as listener:
        with open_player(recording, config, SystemClock()) as player:
            player.play(speed=20)
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
            player.play(speed=1000, round=2)
            assert wait_until(lambda: len(listener.alarms()) >= 2 * len(expected))
            ids = [one.id for one in listener.alarms()]
            assert len(set(ids)) == 2 * len(set(ids[: len(expected)])), "each round has its own"
        # Nothing of it stays with the broker.
        with Listener(broker) as later:
            time.sleep(0.5)
            assert later.heard == []


def test_a_replay_is_seen_on_the_page(broker: EmbeddedBroker, tmp_path: Path, tab: Tab) -> None:
    messages = [one for one in everything(()) if not isinstance(one[1], Positions)]
    recording = load(write(tmp_path / "run.mcap", *messages, pictures=SECONDS * FPS))
    config = BrokerConfig(url=broker.url)
    clock = SystemClock()
    with (
        open_player(recording, config, clock) as player,
        open_room(config, None, clock, prefix="replay") as room,
        serving(room, stream_packets) as url,
    ):
        page = tab.open(url)
        page.locator(".banner.replay").wait_for()
        player.play(speed=4)
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


def test_the_command_plays_and_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = write(tmp_path / "run.mcap", *everything(live_alarms()), pictures=20)
    words = ["--speed", "50", "--no-browser", "--exit", "--port", "0"]
    assert run(args_of(str(recording), *words)) == 0
    out = capsys.readouterr().out
    assert "The replay is at http://127.0.0.1:" in out
    assert "ended" in out


def test_an_unreasonable_speed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for speed in ("0", "-1", "nan", "inf", "fast"):
        with pytest.raises(SystemExit):
            args_of("run.mcap", "--speed", speed)
    assert "0.01" in capsys.readouterr().err


def test_a_replay_loses_nothing_and_its_clock_is_not_off(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    """Numbers count per type, and old instants are the recording's, not a clock's fault."""
    recording = load(write(tmp_path / "run.mcap", *everything(live_alarms())))
    config, clock = BrokerConfig(url=broker.url), SystemClock()
    with (
        Listener(broker) as listener,
        open_room(config, None, clock, prefix="replay") as room,
        open_player(recording, config, clock) as player,
    ):
        player.play(speed=5)
        assert wait_until(lambda: len(listener.positions()) >= len(story()))
        numbers = [one.seq for _, one in listener.heard if one.type == "positions"]
        assert numbers == list(range(1, len(story()) + 1))
        lost = json.loads(room.join(lambda *_: None))["positions_lost"]
        assert lost == {}
        told = room.muster(SITE)
        assert told is not None
        assert told["clocks_off"] == []
