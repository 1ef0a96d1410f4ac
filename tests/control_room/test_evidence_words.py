"""Whatever reason an alarm gives has its Chinese: told by the real watches and rules, kind by kind.

A text without words fails here: add its row to `control_room/evidence_table.py`.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import control_room.clock_words
import control_room.completeness
import control_room.desk
import control_room.heartbeat
import control_room.own_trouble
import control_room.refusals
import control_room.room
import control_room.twins
import control_room.watches
import delivery.attendance
import edge.cameras.watch
import edge.detection_watch
import edge.drift.alarms
import edge.drift.proposer
import edge.drift.state
import edge.drift.unplaced
import edge.failing_watch
import edge.health
import edge.no_rig
import edge.storage_watch
import edge.view.alarms
import edge.view.camera
import location.rules.areas
import location.rules.body
import location.rules.company
import location.rules.evidence
import location.rules.machine_places
import location.rules.ways
import location.tag_check
from control_room.clock_watch import ClockWatch
from control_room.evidence_table import ROWS
from control_room.evidence_words import LONGEST, in_chinese, unworded
from control_room.heartbeat import HeartbeatWatch
from control_room.own_trouble import OwnTrouble
from control_room.refusals import RefusalWatch
from delivery.signing import RefusedError
from delivery.troubles import REFUSED_S, WELL_S, Troubles
from detection.runtime import why_degraded
from edge.failing_watch import FailingWatch
from edge.faults.table import DRILL_EVIDENCE
from edge.frame_ring import SourceStatus
from edge.health import CLEAR_AFTER_S, HealthReport
from edge.storage_watch import StorageWatch
from scene.alarms import ALARMS, system_alarm
from scene.clock import ReplayClock
from scene.messages import Anomaly, GatewayHealth, GatewayState
from scene.wire import Envelope
from tests.control_room import test_twins
from tests.control_room.fake_gateway import health
from tests.control_room.test_clock_watch import SetClock
from tests.control_room.test_completeness import PLACE, Watched
from tests.edge import knock_day, view_day
from tests.edge.cameras import test_watch as test_camera_watch
from tests.edge.test_storage_watch import room
from tests.location import test_tag_check
from tests.location.rules.story import Story, at, named, nobody, site, square, stays
from tests.location.test_watch import LOW_M, person
from tests.stitching.knocks import turn

NOW_NS = 1_790_000_000_000_000_000
HAN, ENGLISH = re.compile("[\u4e00-\u9fff]"), re.compile(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}")
Said = list[Anomaly]


def zones(more: str, limits: str = "immobile: null, lost: null") -> Story:
    return Story(
        site(f"zones: [{{name: bay, polygon_m: {square(20)}, {more}}}]\nlimits: {{{limits}}}\n")
    )


def told(story: Story) -> Said:
    return [anomaly for _, anomaly in story.said]


def man_down(_: Path) -> Said:
    story = Story(site("limits: {lost: null}\n")).go(5, stays(person(height_m=LOW_M))).go(1, nobody)
    story.go(5, stays(person(2, LOW_M, (20.5, 0.0))))
    return told(story.go(5, stays(at(20.5, track=2))))


def ended(_: Path) -> Said:
    story = Story(site("")).go(5, stays(person(height_m=LOW_M)))
    story.end(story.last, "carried out; he is well")
    return told(story.go(1, nobody))


def restricted(_: Path) -> Said:
    story = zones("exempt: [Li]").go(5, stays(at(20))).go(5, stays(named(at(20), "Li")))
    story.go(5, stays(named(at(20, track=3), "Wang")))
    story.go(5, stays(named(at(20.2, track=4), "Wang")))
    story.go(5, stays(at(20))).go(5, stays(at(30))).go(5, stays(at(20)))
    story.go(40, nobody).go(5, stays(at(20, track=2)))
    story.watch.change(site("limits: {immobile: null, lost: null}\n"))
    return told(story.go(1, nobody))


def near_danger(_: Path) -> Said:
    story = zones("kind: danger, follows: loco")
    for running in (True, False):
        story.machine(0.0, running=running)
        story.go(3, stays(at(20)))
    return told(story)


def immobile(_: Path) -> Said:
    story = Story(site("limits: {immobile: {after_s: 5}}\n")).go(8, stays(at(20)))
    return told(story.go(8, stays(at(21))).go(8, stays(person(height_m=LOW_M, xy_m=(21, 0)))))


def over_capacity(_: Path) -> Said:
    two, far = [at(19, track=1), at(20, track=2)], at(30, track=3)
    story = zones("kind: area, capacity: 2").go(5, stays(*two, at(21, track=3)))
    story.go(9, stays(*two, far))
    return told(story.go(5, stays(*two, at(21.8, track=3, sigma_m=0.3))))


def over_time(_: Path) -> Said:
    return told(zones("kind: area, longest_s: 5").go(9, stays(at(20))).go(9, stays(at(30))))


def lone_worker(_: Path) -> Said:
    story = zones("kind: area, lone_after_s: 5", "immobile: null, lone: {within_m: 8}")
    story.go(9, stays(at(20))).go(9, stays(at(20), at(21, track=2)))
    story.go(9, stays(at(20), at(35, track=2)))
    return told(story.go(9, stays(at(30))))


def helmet_missing(_: Path) -> Said:
    story = Story(site("limits: {helmet: {}, immobile: null}\n"))
    for helmet in (0.02, 0.95):
        story.go(6, stays(replace(at(20), helmet=helmet)))
    return told(story)


def worker_lost(_: Path) -> Said:
    lost = site("limits: {immobile: null, lost: {after_s: 5, exit_m: 0}}\n")
    story = Story(lost).go(5, stays(at(20))).go(9, nobody).go(5, stays(at(20)))
    return told(story) + told(
        Story(lost).go(5, stays(at(20))).go(9, nobody).go(5, stays(at(21, track=2)))
    )


def wrong_way(_: Path) -> Said:
    gate = site("gates: [{name: door, line_m: [[20, -2], [20, 2]], way: to_right}]\n")
    story = Story(gate).go(10, lambda t: [at(25 - t)])
    return told(story.go(10, lambda t: [at(15 + (t - 10))]))


def person_without_tag(_: Path) -> Said:
    people, tags = test_tag_check.both("b")
    play = test_tag_check.Play().go(40, lambda t: {7: ((10, 0), None)} | people(t), tags)
    play.go(2, people, tags).go(2, lambda t: {8: ((10.2, 0), None)} | people(t), tags)
    play.go(20, lambda t: {8: ((10, 0), None)} | people(t), lambda t: {"a": (10.2, 0)} | tags(t))
    again = test_tag_check.Play().go(40, lambda t: {7: ((10, 0), None)} | people(t), tags)
    again.go(20, lambda t: {7: ((10, 0), "a")} | people(t), tags)
    gone = test_tag_check.Play().go(40, lambda t: {7: ((10, 0), None)} | people(t), tags)
    gone.go(40, people, tags)
    return [one for each in (play, again, gone) for _, one in each.said]


def tag_without_person(_: Path) -> Said:
    lies: test_tag_check.Tagged = lambda _: {"a": (10.0, 1.0)}  # noqa: E731
    found = test_tag_check.Play().go(40, test_tag_check.nobody, lies)
    found.go(20, lambda _: {1: ((10, 1), None)}, lies)
    people, tags = test_tag_check.both("b")
    gone = test_tag_check.Play().go(40, people, lambda t: lies(t) | tags(t)).go(70, people, tags)
    away = test_tag_check.Play()
    away.covered = (0.0, 14.0)
    away.go(40, test_tag_check.nobody, lies).go(20, test_tag_check.nobody, lambda _: {"a": (20, 0)})
    return [one for each in (found, gone, away) for _, one in each.said]


def two_tags(_: Path) -> Said:
    def walk(t: float) -> tuple[float, float]:
        return (10 + 0.2 * t, 0.0)

    play = test_tag_check.Play()
    play.go(45, lambda t: {1: (walk(t), "a")}, lambda t: {"a": walk(t), "b": walk(t)})
    apart: test_tag_check.Tagged = lambda t: {"a": walk(t), "b": (30.0, 0.0)}  # noqa: E731
    play.go(20, lambda t: {1: (walk(t), "a"), 2: ((30.0, 0.0), "b")}, apart)
    return [one for _, one in play.said]


def cameras(_: Path) -> Said:
    day = test_camera_watch.Day("a", "b")
    day.run(2, "a", "b")
    day.run(5, "b")
    day.run(15, "a", "b")
    day.run(15, "a", "b", frozen="a", left_out="b")
    day.run(15, "a", "b")
    hung = "camera a: its process hung and was killed; starting it again"
    day.cameras["a"].said = SourceStatus(state="failed", detail=hung, corrupt_frames=3)
    day.run(
        5, "b", unfit={"b": "it is not in the rig; run `lamproom calibrate` again for all cameras"}
    )
    return day.alarms


def moved(folder: Path) -> Said:
    day = knock_day.Day(folder)
    day.run(10)
    day.knock("cam2", turn(1.4))
    day.until_alarm()
    day.knock("cam2", turn(1.4).T)
    day.run(25)
    day.shows["cam2"] = knock_day.HALF.repeat(2, 0).repeat(2, 1)
    day.run(10)
    return day.alarms


def views(folder: Path) -> Said:
    day = view_day.Day(folder)
    for spoil in (view_day.cloth, view_day.black):
        day.run(6, cam2=spoil)
        day.run(20)
    day.run(75, step_s=3.0, cam2=view_day.dust(0.5))
    day.run(90, step_s=3.0)
    dim = view_day.gain(0.4)
    day.run(6, cam1=dim, cam2=dim)
    day.run(20)
    return [alarm for _, alarm in day.alarms]


def reports(folder: Path) -> Said:
    clock, texts = ReplayClock(NOW_NS), list[tuple[str, str]]()
    for fed in (False, True):
        watch = edge.detection_watch.DetectionWatch(clock)
        watch.searched()
        clock.sleep(20)
        if fed:
            watch.fed()
        texts.append(("degraded_inference", watch.look()))
    cuda, cpu = "CUDAExecutionProvider", "CPUExecutionProvider"
    slow = edge.detection_watch.DetectionWatch(clock)
    for _ in range(30):
        clock.sleep(3)
        slow.searched()
        last = slow.look()
    texts.append(("degraded_inference", last))
    for available, idle in (([cpu], ()), ([cuda, cpu], (cuda,)), ([cuda, cpu], ())):
        texts.append(("degraded_inference", why_degraded([cuda], available, [cpu], idle)))
    story = zones("kind: danger, follows: loco").go(1, nobody)
    texts.append(("gateway_trouble", story.watch.trouble))
    story.machine(0.0)
    texts.append(("gateway_trouble", story.go(9, nobody).watch.trouble))
    no_rig = f"{edge.no_rig.NOBODY}: there is no rig file rig.yaml; run `lamproom calibrate a.yaml`"
    texts.append(("gateway_trouble", no_rig))
    said: Said = []
    for kind, text in texts:
        day = knock_day.Day(folder)
        report = HealthReport(day.site, day.rig, clock)
        assert text
        said += report.complaints(kind, text)
        clock.sleep(CLEAR_AFTER_S)
        said += report.complaints(kind, "")
    return said


def delivery_trouble(_: Path) -> Said:
    clock = ReplayClock(NOW_NS)
    troubles = Troubles(clock)
    troubles.blocked("alarm", "Not authorized")
    troubles.refused("mine/roadway/gw/gw1/order/a", refused())
    troubles.set("local_alarm", "local_alarm: /usr/bin/siren: ended with 1")
    said = list(troubles.changes())
    troubles.taken("alarm")
    troubles.set("local_alarm", "")
    clock.sleep(REFUSED_S + WELL_S)
    return said + list(troubles.changes()) + own_trouble()


def own_trouble() -> Said:
    clock, said = ReplayClock(NOW_NS), Said()
    watch = OwnTrouble(clock, "ctl-a")
    for connected, broker, journal in ((False, "", "x"), (True, "y", ""), (True, "", "")):
        for _ in range(10):
            clock.sleep(1)
            told = watch.check(connected=connected, broker=broker, journal=journal)
            said.extend(one for _, _, one in told)
    return said


def refused() -> RefusedError:
    return RefusedError(
        "its signature is wrong: it was altered, redirected, or signed with another key"
    )


def messages_missing(_: Path) -> Said:
    one = Watched()
    one.watch.beat(1)
    one.watch.gap(*PLACE, 3)
    one.watch.hear(*PLACE, replace(beat(), alarms_waiting=2, longest_waiting_s=9.0))
    one.clock.sleep(7)
    one.watch.hear(*PLACE, replace(beat(), alarms_waiting=2, longest_waiting_s=9.0))
    one.clock.sleep(7)
    said = one.raised()
    one.watch.beat(2)
    over = one.watch.hear(*PLACE, replace(beat(), alarms_waiting=0, heard_beats_ns=(2,)))
    assert over is not None
    return [*said, over]


def beat() -> GatewayHealth:
    return replace(health(NOW_NS), heard_beats_ns=(0,))


def message_refused(_: Path) -> Said:
    clock = ReplayClock(NOW_NS)
    watch = RefusalWatch(clock)
    raised = watch.refuse(*PLACE, "alarm/man_down-3", refused())
    clock.sleep(61)
    assert raised is not None
    return [raised, *(anomaly for _, _, anomaly in watch.check())]


def service_failing(_: Path) -> Said:
    clock = ReplayClock(NOW_NS)
    said: Said = []
    for service in ("pipeline", "sender", "recorder", "supervisor"):
        watch = FailingWatch(clock, {service: "critical"})
        said += watch.restarted(service, "has been quiet for 4 s", hung=True)
        for _second in range(200):
            clock.sleep(1)
            said += watch.look({service: True})
        for _time in range(3):
            clock.sleep(1)
            said += watch.restarted(service, "ended with -11", hung=False)
        left = FailingWatch(clock, {})
        said += left.adopt(said[-1:])
    down = FailingWatch(clock, {"sender": "critical"})
    down.look({"sender": False})
    clock.sleep(31)
    said += down.look({"sender": False})
    stuck = FailingWatch(clock, {"sender": "critical"})
    return said + list(stuck.stuck("sender", "process 7 can't be killed"))


def storage(_: Path) -> Said:
    clock = ReplayClock(NOW_NS)
    said: Said = []
    for low in (room(400), room(9e4, trouble="its disk can only be read; mend it")):
        watch = StorageWatch(clock)
        said += watch.look([low], recording_paused=True)
        watch.look([room(9e4)], recording_paused=False)
        clock.sleep(11)
        said += watch.look([room(9e4)], recording_paused=False)
        said += watch.adopt([*said[:1], *said[:1]])
    return said


def gateway_silent(_: Path) -> Said:
    clock = ReplayClock(NOW_NS)
    said: list[Anomaly | None] = []
    for online_since_ns, since_ns in ((None, 5), (5, 9)):
        watch = HeartbeatWatch(clock)
        if online_since_ns is not None:
            watch.hear(*PLACE, GatewayState(online=True, since_ns=online_since_ns))
        said.append(watch.hear(*PLACE, GatewayState(online=False, since_ns=since_ns)))
        clock.sleep(130)
        said += [anomaly for _, _, anomaly in watch.check()]
        said.append(watch.beat(*PLACE))
        clock.sleep(9)
        said += [anomaly for _, _, anomaly in watch.check()]
    return [one for one in said if one is not None]


def two_gateways(_: Path) -> Said:
    heard = test_twins.Heard()
    said = list(heard.turns("ABABABABAB"))
    heard.turns("B" * 40, every_s=1)
    return said + [anomaly for _, _, anomaly in heard.watch.check()]


def clock_off(_: Path) -> Said:
    """Of one gateway that differs, of one among others, and of the control room's own clock."""
    said: Said = []
    for way in (-1, 1):
        for off_s in ((61,), (61, 0, 0), (61, 61), (61, 61, 0), (61, 61, 61, 161)):
            said += clocks_told(tuple(way * one for one in off_s))
    return said


def clocks_told(off_s: tuple[int, ...]) -> Said:
    """Have gateways with these clocks, later ours set to theirs, and all put right."""
    said, clock = Said(), SetClock(now_ns=NOW_NS)
    watch = ClockWatch(clock, "ctl-a")

    def go_on(off_s: Iterable[float]) -> None:
        for _ in range(25):
            clock.sleep(1)
            for number, by_s in enumerate(off_s):
                at_ns = clock.now_ns() - round((clock.set_s + by_s) * 1e9)
                beat = Envelope(
                    type="health", gateway="gw1", seq=1, sent_at_ns=at_ns, body=health(at_ns)
                )
                watch.hear("roadway", f"gw{number}", beat)
            said.extend(one for _, _, one in watch.check())

    go_on(off_s)
    clock.set_s = -off_s[0]
    go_on([0] * len(off_s))
    clock.set_s = 0.0
    go_on([0.3] * len(off_s))
    return said


def drill(_: Path) -> Said:
    raised = system_alarm("drill", NOW_NS, DRILL_EVIDENCE)
    return [raised, replace(raised, state="cleared", evidence="the drill is over")]


TELLERS: dict[Callable[[Path], Said], set[str]] = {
    man_down: {"man_down"},
    ended: {"man_down"},
    restricted: {"restricted_zone"},
    near_danger: {"near_danger"},
    immobile: {"immobile", "man_down"},
    over_capacity: {"over_capacity"},
    over_time: {"over_time"},
    lone_worker: {"lone_worker"},
    helmet_missing: {"helmet_missing"},
    worker_lost: {"worker_lost"},
    wrong_way: {"wrong_way"},
    person_without_tag: {"person_without_tag"},
    tag_without_person: {"tag_without_person"},
    two_tags: {"two_tags"},
    cameras: {"camera_lost", "camera_stalled"},
    moved: {"camera_moved"},
    views: {"camera_obscured", "camera_dark", "camera_dusty", "light_lost"},
    reports: {"degraded_inference", "gateway_trouble"},
    delivery_trouble: {"delivery_trouble"},
    messages_missing: {"messages_missing"},
    message_refused: {"message_refused"},
    service_failing: {"service_failing"},
    storage: {"storage"},
    gateway_silent: {"gateway_silent"},
    two_gateways: {"two_gateways"},
    clock_off: {"clock_off"},
    drill: {"drill"},
}
"""Who raises and clears which kinds of alarm."""


def test_no_kind_of_alarm_is_left_out() -> None:
    assert {kind for kinds in TELLERS.values() for kind in kinds} == ALARMS.keys()


@pytest.mark.parametrize("tell", TELLERS, ids=lambda tell: tell.__name__)
def test_every_reason_that_is_told_has_its_chinese(
    tell: Callable[[Path], Said], tmp_path: Path
) -> None:
    said = tell(tmp_path)
    assert {one.kind for one in said} == TELLERS[tell]
    assert {one.state for one in said} == {"active", "cleared"}
    for one in said:
        assert unworded(one.evidence) == (), one.evidence
        chinese = re.sub("`.*?`", "", in_chinese(one.evidence))
        assert HAN.search(chinese)
        if tell is not ended:
            assert not ENGLISH.search(chinese), chinese


SOURCES: dict[ModuleType, str] = {
    location.rules.areas: "",
    location.rules.body: "",
    location.rules.company: "",
    location.rules.evidence: "",
    location.rules.machine_places: "",
    location.rules.ways: "",
    location.tag_check: "no tag near for",
    edge.cameras.watch: "",
    edge.detection_watch: "",
    edge.drift.alarms: "",
    edge.drift.proposer: "",
    edge.drift.state: "",
    # Its Chinese stands beside it.
    edge.drift.unplaced: "1 person was; how many its pictures show is not known; "
    "when this was said; found in its picture",
    edge.failing_watch: "",
    edge.health: "",
    edge.no_rig: "there is a rig file now; people are looked for",  # in the log
    edge.storage_watch: "there can't be a folder; give another file",
    edge.view.alarms: "",
    edge.view.camera: "",
    control_room.completeness: "",
    # Told to who asks, or noted with an act.
    control_room.desk: "there is no such alarm; a replayed alarm can't be ended; "
    "the recording is as it is; The time is up",
    control_room.heartbeat: "",
    control_room.clock_words: "",
    control_room.own_trouble: "",
    control_room.refusals: "",
    control_room.room: "",
    control_room.twins: "started %Y-%m-%d %H:%M:%S UTC",
    control_room.watches: "",
    delivery.attendance: "nothing heard from the control room for",  # told to the siren only
}
"""Modules whose sentences all become evidence, and what in them does not."""


def sentences(module: ModuleType) -> Iterator[str]:
    """Give every piece of three words or more that a module writes, without its docstrings."""
    tree = ast.parse(inspect.getsource(module))
    # A text that stands alone is a docstring.
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if not isinstance(text, str) or id(node) in silent or HAN.search(text):
            continue
        for part in re.split(r"; |\. (?=[A-Z])| / |: ", text):
            if part.strip().count(" ") >= 2:
                yield part.strip(" .,;:/()")


@pytest.mark.parametrize("module", SOURCES, ids=lambda module: module.__name__)
def test_no_sentence_that_becomes_evidence_is_without_words(module: ModuleType) -> None:
    """Also those that no watch was brought to say above."""
    table = " ".join(english for english, _ in ROWS).casefold()
    known = SOURCES[module].casefold()
    left = [one for one in sentences(module) if one.casefold() not in table + known]
    assert left == []


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("", ""),
        ("a lamp fell on it", "a lamp fell on it"),
        ("camera c1: no picture for 4.1 s: a lamp fell", "摄像机 c1：4.1 秒无画面：a lamp fell"),
        ("Person 3: ended by Li: seen again; he is well, last at x 1.0 m, y 2.0 m ± 0.1 m.",
         "人员 3：由 Li 结束：seen again; he is well，最后位置 x 1.0 米，y 2.0 米 ± 0.1 米。"),
        ("moved 0.4 m; and a lamp fell", "移动了 0.4 米；and a lamp fell"),
        ("Li Wei (person 66): moved 0.4 m, at x 1.0 m, y 2.0 m.",
         "Li Wei（人员 66）：移动了 0.4 米，位置 x 1.0 米，y 2.0 米。"),
        ("Li Wei (person 7), who was person 6 before, carries this alarm on, at x 1.0 m, y 2.0 m.",
         "Li Wei（人员 7，此前编号 6）延续此报警，位置 x 1.0 米，y 2.0 米。"),
        ("camera c1: no picture for 4.1 s: rtsp://10.0.0.11/main: Connection refused",
         "摄像机 c1：4.1 秒无画面：rtsp://10.0.0.11/main：连接被拒绝"),
        ("cam1, cam2: less light than usual (0.35, 0.36 of it): a lamp may have failed / "
         "cam1、cam2：照明比平时弱，可能有灯具故障",
         "cam1、cam2：照明比平时弱，可能有灯具故障（为平时的 0.35、0.36）"),
        ("The control room was started again and tells of it as silent-gw1-1790000000000.",
         "控制室已重启，此事改由报警 silent-gw1-1790000000000 说明。"),
        ("machines' places come 7 s ahead of the pictures and are left out; set the clocks",
         "设备位置时间比画面超前 7 秒，未采用；请校准时钟"),
        ("zone A is nowhere: the place of shearer is 7 s ahead of the pictures",
         "区域 A 无位置：设备 shearer 的位置时间比画面超前 7 秒"),
        ("has been told in English / 已用中文说明", "已用中文说明"),
        ("covered suddenly, within 2 s / 突然被遮挡; it fell", "突然被遮挡（2 秒内）；it fell"),
        ("; ".join(["moved 1.0 m"] * LONGEST), "; ".join(["moved 1.0 m"] * LONGEST)),
    ],
)  # fmt: skip
def test_what_has_no_words_stays_as_it_is_and_nothing_is_left_out(
    english: str, chinese: str
) -> None:
    assert in_chinese(english) == chinese


def test_a_text_that_is_made_to_keep_us_busy_does_not() -> None:
    for evil in (
        "a; " * 400,
        ": a" * 400,
        "Person 1: " * 100,
        "at x 1 m, y 1 m" * 60,
        "。. A" * 240,
    ):
        assert in_chinese(evil[:LONGEST])
