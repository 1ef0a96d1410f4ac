"""A jump shows what playing up to there shows: people, alarms, health, site, machines, heads."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from control_room.replay.known import Known
from control_room.replay.moments import moment_at
from control_room.replay.outlets import PageOutlet
from control_room.replay.player import Player
from control_room.replay.recorded_clock import RecordedClock
from control_room.replay.recording import Recording, open_recording
from scene.clock import ReplayClock
from scene.messages import (
    Anomaly,
    GatewayState,
    MachinePlace,
    Machines,
    SiteDescription,
    TagFix,
    Tags,
)
from scene.wire import Message
from tests.control_room.fake_gateway import alarm, health
from tests.control_room.recorded_story import (
    SITE_YAML,
    START_NS,
    Story,
    story,
    told,
    write,
)
from tests.control_room.replay.hour_files import run_of, write_files
from tests.control_room.replay_stage import known_of

S = 1_000_000_000
SECONDS = 75
"""Longer than what lies between two snapshots."""


def site_later() -> SiteDescription:
    """The same site from half a minute on, with another zone."""
    later = told(SITE_YAML.replace("[4, -2]", "[30, -2]").replace("[4, 2]", "[30, 2]"))
    return replace(later, zones=(replace(later.zones[0], name="later"),))


def camera_lost(at_ns: int) -> Anomaly:
    about: dict[str, Any] = {"kind": "camera_lost", "camera": "c2"}
    return alarm("cam-1", at_ns=at_ns, track=None, zone=None, xyz_m=None, **about)


def messages() -> list[tuple[int, Message]]:
    found: list[tuple[int, Message]] = [
        (START_NS, told()),
        (START_NS + 1, GatewayState(online=True, since_ns=START_NS)),
        (START_NS + 31 * S + 7, site_later()),
        (START_NS + 40 * S + 9, GatewayState(online=False, since_ns=START_NS + 40 * S)),
        (START_NS + 44 * S + 9, GatewayState(online=True, since_ns=START_NS + 44 * S)),
        (START_NS + 20 * S + 5, camera_lost(START_NS + 20 * S)),
        (START_NS + 50 * S + 5, replace(camera_lost(START_NS + 50 * S), state="cleared")),
    ]
    # Nobody speaks for some seconds: what was said last grows old.
    spoken = [one for one in story(SECONDS) if not 40 * S < one.captured_at_ns - START_NS < 44 * S]
    found += [(one.captured_at_ns + 60_000_000, one) for one in spoken]
    for i in range(SECONDS):
        at_ns = START_NS + i * S
        if 40 <= i < 44:
            continue
        found.append((at_ns + 70_000_000, health(at_ns)))
        found.append((at_ns + 30_000_000, tags(i, at_ns)))
        if i % 3 == 0:
            name = ("shearer", "loader")[i % 2]
            place = MachinePlace(machine=name, xy_m=(float(i), 0.0), at_ns=at_ns)
            found.append((at_ns + 20_000_000, Machines(captured_at_ns=at_ns, machines=(place,))))
    return found


def tags(i: int, at_ns: int) -> Tags:
    fix = TagFix(tag="t1", worker="Li", xy_m=(1.0 + i % 30, 0.0), sigma_m=0.3, at_ns=at_ns)
    return Tags(captured_at_ns=at_ns, fixes=(fix,))


@dataclass
class Scene:
    recording: Recording
    known: Known


@pytest.fixture(scope="module", params=["one file", "three files"])
def scene(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Scene]:
    path = tmp_path_factory.mktemp("r") / "run.mcap"
    if request.param == "one file":
        files = [write(path, *messages(), pictures=SECONDS * 10)]
    else:
        run = run_of(messages(), SECONDS * 10)
        files = write_files(path, run, ((0, 21.0), (20.3, 53.2), (53.0, SECONDS)))
    recording = open_recording(files[0], pytest.fail, *files[1:])
    yield Scene(recording=recording, known=known_of(recording))


class Played:
    """A page that hears a player which is driven by hand, as fast as it goes."""

    def __init__(self, scene: Scene, at_ns: int) -> None:
        recorded, self.clock = RecordedClock(at_ns), ReplayClock()
        self.page = PageOutlet(scene.recording, recorded)
        self.player = Player(
            scene.recording, scene.known, [self.page], self.clock, recorded, at_ns=at_ns
        )
        self.player._go(at_ns)

    def play_to(self, at_ns: int) -> None:
        while (record := self.player._peek()) is not None and record.at_ns <= at_ns:
            self.player._feed(record)
        self.player._set(at_ns)

    def seen(self) -> dict[str, Any]:
        """All that a page that comes now is told, but for how old it is to the millisecond."""
        room = self.page.room
        found: dict[str, Any] = json.loads(room.join(lambda *_: None))
        for one in found["said"] + found["machines"]:
            del one["age_s"]  # told by the clock on the wall: `quiet_s` has it in recorded time
        del found["replay"], found["alarm_rate"]
        found["alarms"].sort(key=lambda one: one["anomaly"]["id"])
        found["said"].sort(key=lambda one: one["topic"])
        found["machines"].sort(key=lambda one: one["machine"])
        heads = room.muster(Story.site)
        return found | {"heads": heads, "quiet_s": self.player.status()["quiet_s"]}


def test_a_jump_shows_what_playing_up_to_there_shows(scene: Scene) -> None:
    dice = random.Random(3)
    first, last = scene.recording.from_ns, scene.recording.to_ns
    instants = sorted(dice.randrange(first, last) for _ in range(24))
    instants = [first, *instants, START_NS + 41 * S, START_NS + 43 * S, last]
    played = Played(scene, first)
    jumped = Played(scene, last)
    seen = []
    for at_ns in sorted(instants):
        played.play_to(at_ns)
        seen.append((at_ns, played.seen()))
    dice.shuffle(seen)  # forwards and backwards
    open_alarms, zones = set[int](), set[str]()
    for at_ns, expected in seen:
        jumped.player._go(at_ns)
        assert jumped.seen() == expected, (at_ns - START_NS) / S
        open_alarms.add(sum(one["phase"] != "over" for one in expected["alarms"]))
        zones |= {
            one["envelope"]["body"]["zones"][0]["name"]
            for one in expected["said"]
            if one["topic"] == "site"
        }
    assert len(open_alarms) > 2, "alarms come and go"
    assert zones == {"conveyor", "later"}


def test_a_jump_into_a_silence_says_how_long_it_has_lasted(scene: Scene) -> None:
    jumped = Played(scene, START_NS + 43 * S)
    quiet_s = jumped.player.status()["quiet_s"]
    assert quiet_s["positions"] == pytest.approx(3.0, abs=0.2)
    assert quiet_s["health"] > 3.0
    state = next(one for one in jumped.seen()["said"] if one["topic"] == "state")
    assert state["envelope"]["body"]["online"] is False


def test_pictures_of_a_moment_begin_at_a_key_frame_and_end_with_the_one_shown(scene: Scene) -> None:
    dice = random.Random(5)
    for _ in range(20):
        at_ns = dice.randrange(START_NS, scene.recording.to_ns)
        group = moment_at(scene.recording, scene.known, at_ns).group
        assert group
        keys = [one.body.key_frame for one in group]  # type: ignore[union-attr]
        assert keys == [True] + [False] * (len(group) - 1)
        assert at_ns - S // 10 < group[-1].at_ns <= at_ns


def test_before_it_is_judged_a_jump_knows_no_alarm_and_says_so(scene: Scene) -> None:
    known = Known(scene.recording.from_ns)
    at_ns = START_NS + 60 * S
    played = Played(Scene(recording=scene.recording, known=known), at_ns)
    assert played.seen()["alarms"] == []
    assert played.player.status()["alarms"] == ""
    # Then judging is done, while it stands there.
    for mark_or_snapshot in [scene.known]:
        known._marks = known._judged = mark_or_snapshot.marks
        known._snapshots = mark_or_snapshot._snapshots
        known._judged_to_ns = mark_or_snapshot.judged_to_ns
    played.player._catch_up()
    right = Played(scene, at_ns).seen()
    assert played.seen() == right
    assert right["alarms"] != []
