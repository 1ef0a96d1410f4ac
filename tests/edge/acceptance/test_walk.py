"""A scripted walk before a gateway of the test's, on a clock of the test's."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.acceptance.check import Check, passed
from edge.acceptance.figures import Figures
from edge.acceptance.judge import judge
from edge.acceptance.stations import Stop, read_stations
from edge.acceptance.walk import Walk
from edge.acceptance.walk_figures import measure_walk, told_of
from edge.acceptance.walk_gateway import model_told
from edge.description import without_secrets
from edge.model_file import ModelFile, model_file
from scene.messages import GatewayHealth, Positions
from scene.site import load_site
from tests.edge.acceptance.staged_walk import IN_ZONE, SITE_FILE, Stage, rig, site

FEW = """station,x_m,y_m,stay_s,expect,zone
1,26,0.5,5,,
2,30,-0.5,5,,
3,24.6,-1.2,5,restricted_zone,switchgear
"""
OTHER_MODEL = ("its model changed during the test", "it searches with the model lamproom")
"""Of the staged gateway, which has spoken with its own model before."""
Step = Callable[[Stage], None]
Told = Callable[[int], Positions]


def stops(folder: Path, text: str = FEW) -> tuple[Stop, ...]:
    path = folder / "stations.csv"
    path.write_text(text, encoding="utf-8")
    return read_stations(path, site())


def at(x_m: float, y_m: float, *more: tuple[float, float]) -> Step:
    """Stand there, and press Enter."""

    def step(stage: Stage) -> None:
        stage.scene.people = [(x_m, y_m), *more]

    return step


def enter(after_s: float = 1.3, **changes: object) -> Step:
    """Step into the zone and press Enter; the alarm comes so much later."""

    def step(stage: Stage) -> None:
        stage.scene.people = [IN_ZONE]
        told = {"zone": "switchgear", "xyz_m": (24.7, -1.2, 0.0)} | changes
        stage.raise_in_s(after_s, "restricted_zone", **told)

    return step


def wait(stage: Stage) -> None:
    stage.scene.people = [(26.0, 0.5)]


WELL = (at(26.1, 0.5), at(30.0, -0.4), wait, enter())


def walk(
    stage: Stage,
    given: tuple[Stop, ...],
    *steps: Step | str,
    people: int | None = 1,
    allowed: frozenset[str] = frozenset(),
    language: str = "en",
    site_file: Path = SITE_FILE,
) -> tuple[Figures, list[str]]:
    """Walk all stations; a step is what happens before Enter, or another answer. Then no more."""
    said, script = list[str](), iter(steps)

    def ask(prompt: str) -> str:
        said.append(prompt)
        step = next(script, None)
        if step is None:
            raise EOFError
        if isinstance(step, str):
            return step
        step(stage)
        return ""

    began_ns = stage.now_ns()
    lead = Walk(
        stage.listener,
        stage,
        ask=ask,
        say=said.append,
        told=lambda visit: told_of(site(), visit, stage.listener),
        people=people,
        language=language,  # type: ignore[arg-type]
    )
    visits = lead.go(given, [3.0 if stop.expect else 0.0 for stop in given])
    figures = measure_walk(
        site(),
        rig(),
        visits,
        stage.listener,
        began_ns=began_ns,
        ended_ns=stage.now_ns(),
        people=people,
        allowed=allowed,
        site_file=site_file,
    )
    return figures, said


def checks(figures: Figures) -> dict[str, Check]:
    return {check.name: check for check in judge(figures, site())}


def verdicts(figures: Figures) -> dict[str, str]:
    return {name: check.verdict for name, check in checks(figures).items()}


def test_a_good_walk_passes_and_measures_what_was_staged(tmp_path: Path) -> None:
    figures, said = walk(Stage(lag_s=0.2), stops(tmp_path), *WELL)
    assert passed(judge(figures, site())), verdicts(figures)
    assert [one.median_m for one in figures.stations] == pytest.approx([0.1, 0.1, 0.0])
    assert figures.stations[0].seen_share == 1.0
    assert figures.position_delay_s == pytest.approx(0.2)
    (event,) = figures.events
    assert event.raised
    assert event.delay_s == pytest.approx(1.3 - 1.0), "beyond the zone's own second"
    assert event.apart_m == pytest.approx(0.1)
    assert figures.missed_people is not None
    assert (figures.missed_people.count, figures.missed_people.of) == (0, 4 + 4 + 4)
    assert figures.clock_skew_s == pytest.approx(0.0)
    assert "station 3" in said[-1] or any("Now: step into the zone (switchgear)" in s for s in said)
    assert any("0.10 m off" in one for one in said), "progress is told"


def test_an_alarm_is_waited_for_until_it_comes_but_not_for_ever(tmp_path: Path) -> None:
    alone = "station,x_m,y_m,stay_s,expect\n1,24.6,-1.2,3,restricted_zone\n"
    for step, stayed_s in ((enter(1.3), 3.0), (enter(3.6), 4.0), (at(*IN_ZONE), 5.0)):
        stage = Stage()
        since_s = stage.monotonic_s()
        walk(stage, stops(tmp_path, alone), wait, step)
        assert stage.monotonic_s() - since_s == pytest.approx(stayed_s, abs=0.05)


def test_the_prompts_speak_chinese(tmp_path: Path) -> None:
    _, said = walk(Stage(), stops(tmp_path), *WELL, language="zh")
    assert any("请到站点 1" in one for one in said)
    assert any("现在进入该区域（switchgear）" in one for one in said)


def test_who_stands_there_and_is_not_told_is_missed(tmp_path: Path) -> None:
    def unseen(stage: Stage) -> None:
        stage.scene.people = []

    figures, _ = walk(Stage(), stops(tmp_path), WELL[0], unseen, *WELL[2:])
    found = checks(figures)
    assert found["missed_people"].verdict == "failed"
    assert found["position"].verdict == "failed"
    assert "station 2" in found["position"].why[0][0]
    assert figures.missed_people is not None
    assert figures.missed_people.count == 4


def test_a_silent_gateway_sees_nobody(tmp_path: Path) -> None:
    def hush(stage: Stage) -> None:
        stage.scene.silent = True

    figures, _ = walk(Stage(), stops(tmp_path), WELL[0], hush, "q")
    found = checks(figures)
    assert found["missed_people"].verdict == "failed"
    assert found["cameras_well"].verdict == "failed"
    assert "no heartbeat for 5 s" in [en for en, _ in found["cameras_well"].why]


def test_a_place_that_is_far_off_fails_its_station(tmp_path: Path) -> None:
    figures, _ = walk(Stage(), stops(tmp_path), at(26.8, 0.5), *WELL[1:])
    found = checks(figures)["position"]
    assert found.verdict == "failed"
    assert "station 1, metre 26.0: 0.80 m off (cameras cam1, cam2)" in found.why[0][0]
    assert verdicts(figures)["missed_people"] == "passed"


def test_an_alarm_that_does_not_come_is_missed_and_one_too_late_fails(tmp_path: Path) -> None:
    figures, _ = walk(Stage(), stops(tmp_path), *WELL[:3], at(*IN_ZONE))
    assert verdicts(figures)["missed_alarms"] == "failed"
    assert verdicts(figures)["alarm_delay"] == "not_measured"
    figures, _ = walk(Stage(), stops(tmp_path), *WELL[:3], enter(3.5))
    assert verdicts(figures)["missed_alarms"] == "passed"
    assert verdicts(figures)["alarm_delay"] == "failed"
    assert "2.5 s late" in checks(figures)["alarm_delay"].why[0][0]


def test_an_alarm_before_its_act_is_false_and_not_the_one_due(tmp_path: Path) -> None:
    def ready(stage: Stage) -> None:
        wait(stage)
        stage.raise_in_s(0.5, "restricted_zone", zone="switchgear", xyz_m=(24.6, -1.2, 0.0))

    def press(stage: Stage) -> None:
        stage.sleep(1.0)
        stage.scene.people = [IN_ZONE]

    def act(stage: Stage) -> None:
        press(stage)
        enter()(stage)

    figures, _ = walk(Stage(), stops(tmp_path), *WELL[:2], ready, press)
    assert figures.events == ()
    assert verdicts(figures)["missed_alarms"] == verdicts(figures)["alarm_delay"] == "not_measured"
    assert "came before it can have been due" in checks(figures)["missed_alarms"].why[0][0]
    assert verdicts(figures)["false_alarms"] == "failed"

    figures, _ = walk(Stage(), stops(tmp_path), *WELL[:2], ready, act)
    assert figures.events[0].delay_s == pytest.approx(0.3)
    assert verdicts(figures)["false_alarms"] == "failed"


def test_an_alarm_sooner_than_it_can_be_due_is_of_something_else(tmp_path: Path) -> None:
    text = FEW.replace("restricted_zone,switchgear", "man_down,")

    def lie(after_s: float) -> Step:
        def step(stage: Stage) -> None:
            stage.scene.people = [IN_ZONE]
            stage.raise_in_s(after_s, "man_down", xyz_m=(24.6, -1.2, 0.0))

        return step

    figures, _ = walk(Stage(), stops(tmp_path, text), *WELL[:3], lie(0.5))
    assert verdicts(figures)["missed_alarms"] == "not_measured"
    figures, _ = walk(Stage(), stops(tmp_path, text), *WELL[:3], lie(3.2))
    assert verdicts(figures)["missed_alarms"] == "passed"


def test_an_alarm_about_somebody_elsewhere_is_false_and_not_the_one_due(tmp_path: Path) -> None:
    figures, _ = walk(Stage(), stops(tmp_path), *WELL[:3], enter(xyz_m=(27.0, -1.2, 0.0)))
    (event,) = figures.events
    assert not event.raised
    assert verdicts(figures)["missed_alarms"] == verdicts(figures)["false_alarms"] == "failed"


def test_an_alarm_that_does_not_say_where_may_be_about_anybody(tmp_path: Path) -> None:
    figures, _ = walk(Stage(), stops(tmp_path), *WELL[:3], enter(xyz_m=None))
    assert not figures.events[0].raised
    assert verdicts(figures)["missed_alarms"] == verdicts(figures)["false_alarms"] == "failed"


def test_whom_no_camera_sees_is_not_seen(tmp_path: Path) -> None:
    for change in ({"cameras": ()}, {"seen_at_ns": 0}):
        stage = Stage()
        told = stage.scene.positions

        def predicted(at_ns: int, change: Any = change, told: Told = told) -> Positions:
            now = told(at_ns)
            return replace(now, people=tuple(replace(one, **change) for one in now.people))

        stage.scene.positions = predicted  # type: ignore[method-assign]
        figures, said = walk(stage, stops(tmp_path), *WELL)
        assert figures.missed_people is not None
        assert figures.missed_people.share == 1.0
        progress = [one for one in said if "s left: " in one]
        assert progress
        for one in progress:
            assert "nobody is seen now; 1 told where last seen" in one, "a prediction is no sight"
        assert [one.median_m for one in figures.stations] == [None] * 3
        assert verdicts(figures)["position"] == "failed"


@pytest.mark.parametrize(
    ("change", "point", "words"),
    [
        ({"coverage": ()}, "coverage", "Seen too seldom: metres 23-40"),
        ({"cameras": ()}, "cameras_well", "heartbeats do not name it"),
    ],
)
def test_a_heartbeat_that_leaves_something_out_does_not_say_that_it_is_well(
    tmp_path: Path, change: dict[str, Any], point: str, words: str
) -> None:
    stage = Stage()
    told, from_ns = stage.scene.health, stage.now_ns() + 8 * 10**9
    stage.scene.health = lambda at_ns: (  # type: ignore[method-assign]
        told(at_ns) if at_ns < from_ns else replace(told(at_ns), **change)
    )
    figures, _ = walk(stage, stops(tmp_path), *WELL)
    assert verdicts(figures)[point] == "failed"
    assert any(words in why for why, _ in checks(figures)[point].why)
    if point == "cameras_well":
        assert verdicts(figures)["cameras_hang"] == "not_measured"


def test_an_expected_alarm_that_nobody_tried_is_not_measured(tmp_path: Path) -> None:
    four = FEW + "4,24.6,-1.2,5,restricted_zone,switchgear\n"
    figures, _ = walk(Stage(), stops(tmp_path, four), *WELL, "s")
    check = checks(figures)["missed_alarms"]
    assert check.verdict == "not_measured"
    assert any("station 4: nobody did it" in why for why, _ in check.why)
    assert verdicts(figures)["missed_people"] == "not_measured"


def test_alarms_of_nothing_are_false_unless_they_come_of_the_walk(tmp_path: Path) -> None:
    def troubled(stage: Stage) -> None:
        at(30.0, -0.4)(stage)
        stage.raise_in_s(1.0, "man_down")
        stage.raise_in_s(2.0, "person_without_tag")

    steps = (WELL[0], troubled, *WELL[2:])
    figures, _ = walk(Stage(), stops(tmp_path), *steps, allowed=frozenset({"person_without_tag"}))
    assert [one.kind for one in figures.false_alarms or ()] == ["man_down"]
    assert verdicts(figures)["false_alarms"] == "failed"
    assert any("--allow" in en for en, _ in figures.untested)


def test_what_stood_before_is_told_and_not_false(tmp_path: Path) -> None:
    stage = Stage()
    stage.raise_in_s(0.5, "man_down")
    stage.sleep(1.0)
    figures, _ = walk(stage, stops(tmp_path), *WELL)
    assert figures.false_alarms == ()
    assert len(figures.standing) == 1
    assert "Man down" in figures.standing[0][0]


def test_more_people_than_walk_are_false(tmp_path: Path) -> None:
    ghost = at(26.1, 0.5, (35.0, 1.0))
    figures, _ = walk(Stage(), stops(tmp_path), ghost, *WELL[1:])
    assert figures.false_people is not None
    assert figures.false_people.count == 5
    assert verdicts(figures)["false_people"] == "failed"
    figures, _ = walk(Stage(), stops(tmp_path), ghost, *WELL[1:], people=2)
    assert verdicts(figures)["false_people"] == "passed"
    figures, _ = walk(Stage(), stops(tmp_path), ghost, *WELL[1:], people=None)
    assert verdicts(figures)["false_people"] == "not_measured"
    assert not passed(judge(figures, site()))


def test_a_camera_that_moved_or_died_fails_and_is_named(tmp_path: Path) -> None:
    def knock(stage: Stage) -> None:
        at(30.0, -0.4)(stage)
        stage.scene.states["cam2"] = "moved"
        stage.scene.details["cam2"] = "turned by 2.01 degrees, its picture is off by 17.0 px"

    figures, _ = walk(Stage(), stops(tmp_path), WELL[0], knock, *WELL[2:])
    found = checks(figures)
    assert found["cameras_well"].verdict == found["cameras_hang"].verdict == "failed"
    assert "cam2: moved; turned by 2.01 degrees" in found["cameras_well"].why[0][0]
    assert "cam2" in found["cameras_hang"].why[0][0]


def test_a_camera_lost_for_a_moment_is_unwell_and_takes_no_metre_away(tmp_path: Path) -> None:
    stage = Stage()
    told, begun_ns = stage.scene.health, stage.now_ns()

    def health(at_ns: int) -> GatewayHealth:
        now = told(at_ns)
        if not 3 * 10**9 < at_ns - begun_ns < 3.5 * 10**9:
            return now
        return replace(now, coverage=(0,) * len(now.coverage))

    stage.scene.health = health  # type: ignore[method-assign]
    figures, _ = walk(stage, stops(tmp_path), *WELL)
    check = checks(figures)["coverage"]
    assert (check.verdict, check.measured[0]) == ("passed", "100% (17 of 17 m)")
    assert "Not seen for a moment" in check.why[0][0]
    assert "metres 23-40" in check.why[0][0]


def test_seconds_without_a_heartbeat_are_seconds_without_sight(tmp_path: Path) -> None:
    def silent(stage: Stage) -> None:
        stage.scene.silent = True
        stage.sleep(60.0)
        stage.scene.silent = False
        at(30.0, -0.4)(stage)

    figures, _ = walk(Stage(), stops(tmp_path), WELL[0], silent, *WELL[2:])
    check = checks(figures)["coverage"]
    assert check.verdict == "failed", "also where health is left out by the site file"
    assert "Seen too seldom: metres 23-40" in check.why[0][0]


def test_the_gateways_own_word_on_its_model_is_compared_and_kept(tmp_path: Path) -> None:
    ours = model_file(site())
    assert len(ours.sha256) == 64
    for told, differs, known in (
        (ours, (), True),
        (replace(ours, sha256="f" * 64), OTHER_MODEL, True),
        (ModelFile(name="", sha256=""), ("Which model file the gateway really runs",), False),
    ):
        stage = Stage()
        stage.scene.model = told
        figures, _ = walk(stage, stops(tmp_path), *WELL)
        health = [beat for _, beat in stage.listener.health()]
        assert model_told(health) == (told if known else None)
        check = checks(figures)["same_files"]
        whys = [why for why, _ in check.why]
        assert all(words in why for why, words in zip(whys, differs, strict=True))
        assert (check.measured[0] == "the same") is (told == ours), "unsaid is not the same"
        untested = " ".join(en for en, _ in figures.untested)
        assert ("Which model file the gateway really runs" in untested) is not known


def test_a_model_that_changes_under_way_is_another_gateway(tmp_path: Path) -> None:
    stage = Stage()
    stage.scene.model = model_file(site())

    def swap(stage: Stage) -> None:
        at(30.0, -0.4)(stage)
        stage.scene.model = ModelFile(name="other.onnx", sha256="0" * 64)

    figures, _ = walk(stage, stops(tmp_path), WELL[0], swap, *WELL[2:])
    whys = [why for why, _ in checks(figures)["same_files"].why]
    assert whys[0] == "its model changed during the test"
    assert "other.onnx (000000000000…)" in whys[1]
    assert not passed(judge(figures, site()))


def test_what_is_beyond_what_is_kept_is_said_and_no_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.acceptance.listener.MOST_KEPT", 150)
    monkeypatch.setattr("edge.acceptance.listener.MOST_REASONS", 2)
    stage = Stage()
    for why in ("a", "b", "c", "d", "a"):
        stage.listener.refuse(why)
    figures, _ = walk(stage, stops(tmp_path), *WELL)
    whys = [why for why, _ in checks(figures)["cameras_well"].why]
    assert "2 messages refused: for other reasons" in whys
    assert "2 messages refused: a" in whys
    assert any("messages came beyond what is kept and were not measured" in why for why in whys)


def test_a_degraded_gateway_fails(tmp_path: Path) -> None:
    stage = Stage()
    stage.scene.degraded = "CUDA is not there"
    figures, _ = walk(stage, stops(tmp_path), *WELL)
    assert verdicts(figures)["cameras_well"] == "failed"


def test_messages_that_were_not_believed_fail(tmp_path: Path) -> None:
    stage = Stage()
    for _ in range(2):
        stage.listener.refuse("its signature is wrong")
    figures, _ = walk(stage, stops(tmp_path), *WELL)
    check = checks(figures)["cameras_well"]
    assert check.verdict == "failed"
    assert check.why[0][0] == "2 messages refused: its signature is wrong"


def test_clocks_that_are_apart_fail(tmp_path: Path) -> None:
    for off_s in (-1.5, 1.5):
        figures, _ = walk(Stage(clock_off_s=off_s), stops(tmp_path), *WELL)
        assert figures.clock_skew_s == pytest.approx(1.5)
        assert verdicts(figures)["clock_skew"] == "failed"


def test_positions_that_come_late_fail(tmp_path: Path) -> None:
    figures, _ = walk(Stage(lag_s=2.4), stops(tmp_path), *WELL)
    assert figures.position_delay_s == pytest.approx(2.4)
    assert verdicts(figures)["position_delay"] == "failed"


def test_another_rig_or_site_file_is_another_site(tmp_path: Path) -> None:
    stage = Stage()
    figures, _ = walk(stage, stops(tmp_path), *WELL)
    assert verdicts(figures)["same_files"] == "passed"
    told = stage.listener.description
    assert told is not None
    stage.say(replace(told, geometry="0123456789ab", site_yaml="version: 1"))
    figures, _ = walk(stage, stops(tmp_path), *WELL)
    assert len(checks(figures)["same_files"].why) == 2
    assert not passed(judge(figures, site()))


def test_other_limits_of_the_test_and_a_hidden_password_are_no_other_site(tmp_path: Path) -> None:
    stage = Stage()
    told = stage.listener.description
    assert told is not None
    text = SITE_FILE.read_text(encoding="utf-8")
    text = text.replace("url: cam1.mp4", 'url: "rtsp://me:secret@10.0.0.1/main"')
    text = text.replace("cam2.mp4", str(SITE_FILE.parent / "cam2.mp4"))
    (tmp_path / "site.yaml").write_text(f"# another comment\n{text}", encoding="utf-8")
    shown = without_secrets(text, load_site(tmp_path / "site.yaml"))
    assert "secret" not in shown
    stage.say(replace(told, site_yaml=shown.replace("[23, 40]", "[24, 40]")))
    figures, _ = walk(stage, stops(tmp_path), *WELL, site_file=tmp_path / "site.yaml")
    assert figures.differs == ()
    stage.say(replace(told, site_yaml=shown.replace("after_s: 3.5", "after_s: 4.5")))
    figures, _ = walk(stage, stops(tmp_path), *WELL, site_file=tmp_path / "site.yaml")
    assert len(figures.differs or ()) == 1


@pytest.mark.parametrize("answer", ["s", "q"])
def test_stations_that_nobody_went_to_are_not_measured(tmp_path: Path, answer: str) -> None:
    answers = [answer] if answer == "s" else ["q", "q"]
    figures, said = walk(Stage(), stops(tmp_path), WELL[0], *answers, *WELL[2:])
    assert figures.stations[1].seen_share is None
    assert verdicts(figures)["position"] == "not_measured"
    assert not passed(judge(figures, site()))
    asked = [one for one in said if one.startswith("[")]
    assert len(asked) == (4 if answer == "s" else 2)


def test_a_lone_answer_that_is_none_is_asked_again(tmp_path: Path) -> None:
    _, said = walk(Stage(), stops(tmp_path), "what?", *WELL)
    assert said[0] == said[1]


def interrupt(_: object = None) -> None:
    raise KeyboardInterrupt


def test_a_station_may_be_repeated_and_the_report_says_so(tmp_path: Path) -> None:
    wrong = at(33.0, 0.5)
    figures, said = walk(Stage(), stops(tmp_path), wrong, "r", *WELL)
    first = next(one for one in said if one.startswith("    station 1: "))
    assert "NOT SEEN; nearest seen was 7.0 m off. Is this the right place?" in first
    assert "    station 1: seen 4 of 4 s, 0.10 m off" in said
    assert passed(judge(figures, site())), verdicts(figures)
    assert figures.stations[0].note is not None
    assert figures.stations[0].note[0].endswith("elsewhere or too soon, not counted: 1")


def test_the_last_station_may_be_repeated_and_its_first_alarm_is_no_false_one(
    tmp_path: Path,
) -> None:
    figures, said = walk(Stage(), stops(tmp_path), *WELL, "r", wait, enter(2.0))
    assert [event.delay_s for event in figures.events] == pytest.approx([0.3, 1.0])
    assert [event.what[0][-17:] for event in figures.events] == [
        "station 3 (try 1)",
        "chgear, station 3",
    ]
    assert figures.false_alarms == ()
    assert passed(judge(figures, site())), verdicts(figures)
    assert "    station 3: seen 4 of 4 s, 0.00 m off; alarm after 1.3 s" in said
    assert any("All stations are done" in one for one in said)


@pytest.mark.parametrize(
    ("bad", "point"),
    [
        ((at(26.9, 0.5), "r", *WELL), "position"),
        ((lambda stage: setattr(stage.scene, "people", []), "r", *WELL), "missed_people"),
        ((*WELL[:3], at(*IN_ZONE), "r", *WELL[2:]), "missed_alarms"),
        ((*WELL[:3], enter(4.5), "r", *WELL[2:]), "alarm_delay"),
    ],
)
def test_a_station_is_not_repeated_until_it_passes(
    tmp_path: Path, bad: tuple[Step | str, ...], point: str
) -> None:
    """What a try at the right place showed counts, though a later one shows something better."""
    figures, _ = walk(Stage(), stops(tmp_path), *bad)
    assert verdicts(figures)[point] == "failed", verdicts(figures)
    assert any("(try 1)" in why for why, _ in checks(figures)[point].why)


def test_who_acted_too_soon_may_repeat_and_its_alarm_stays_false(tmp_path: Path) -> None:
    def ready(stage: Stage) -> None:
        stage.raise_in_s(0.5, "restricted_zone", zone="switchgear", xyz_m=(24.6, -1.2, 0.0))

    def press(stage: Stage) -> None:
        stage.sleep(1.0)
        stage.scene.people = [IN_ZONE]

    figures, said = walk(Stage(), stops(tmp_path), *WELL[:2], ready, press, "r", *WELL[2:])
    assert any("came BEFORE it was due" in one for one in said)
    assert verdicts(figures)["missed_alarms"] == verdicts(figures)["alarm_delay"] == "passed"
    assert verdicts(figures)["false_alarms"] == "failed"


def test_an_earlier_station_repeated_has_its_own_alarm(tmp_path: Path) -> None:
    """Station 2 is skipped the second time: what was measured there before stays."""
    three = "station,x_m,y_m,stay_s,expect,zone\nB,24.6,-1.2,5,restricted_zone,switchgear\n"
    given = stops(tmp_path, three + "C,30,-0.4,5,,\nD,26,0.5,5,,\n")
    again = (wait, enter(2.0), "s", WELL[0])
    figures, _ = walk(Stage(), given, *WELL[2:], WELL[1], "r", "r", *again)
    assert [event.delay_s for event in figures.events] == pytest.approx([0.3, 1.0])
    assert passed(judge(figures, site())), verdicts(figures)


def test_what_came_of_an_alarm_is_told_at_once(tmp_path: Path) -> None:
    _, said = walk(Stage(), stops(tmp_path), *WELL[:3], at(*IN_ZONE))
    assert any(one.endswith("; NO ALARM came") for one in said)


def test_ctrl_c_breaks_a_station_off_which_is_asked_for_again(tmp_path: Path) -> None:
    def broken(stage: Stage) -> None:
        at(26.1, 0.5)(stage)
        stage.in_s(2.0, interrupt)

    figures, said = walk(Stage(), stops(tmp_path), broken, *WELL)
    assert passed(judge(figures, site())), verdicts(figures)
    assert "Broken off: this station is asked for again." in said
    assert figures.stations[0].note is not None
    assert "not counted: 1" in figures.stations[0].note[0]


@pytest.mark.parametrize("slip", ["q", interrupt])
def test_a_slip_does_not_end_a_walk(tmp_path: Path, slip: Step | str) -> None:
    figures, said = walk(Stage(), stops(tmp_path), WELL[0], slip, "", *WELL[1:])
    assert passed(judge(figures, site())), verdicts(figures)
    assert any("q ends it and writes the report, Enter goes on" in one for one in said)
    figures, _ = walk(Stage(), stops(tmp_path), WELL[0], slip, slip, *WELL[1:])
    assert verdicts(figures)["position"] == "not_measured"


def test_somebody_too_many_is_told_at_once_and_why_it_failed(tmp_path: Path) -> None:
    ghost = at(26.1, 0.5, (35.0, 1.0))
    figures, said = walk(Stage(), stops(tmp_path), ghost, *WELL[1:])
    assert any("nearest seen is 0.10 m off; 2 seen, 1 should be" in one for one in said)
    why = [en for en, _ in checks(figures)["false_people"].why]
    assert why == [
        "station 1: up to 2 people told, where 1 should be; was somebody else about (--people, "
        "--others)?"
    ]
