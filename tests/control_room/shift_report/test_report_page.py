"""The page as a browser shows and prints it: both languages, no script, hostile names harmless."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from control_room.journal.journal import Journal
from control_room.shift_report.gather import gather
from control_room.shift_report.page import page
from control_room.shift_report.span import Span, local
from tests.control_room.conftest import SHOTS
from tests.control_room.fake_gateway import EVIL_NAME
from tests.control_room.shift_report.shift_journal import (
    HOUR,
    T0,
    S,
    ShiftJournal,
    gateway,
    heads,
    word,
)

EVIL = f"</span></svg>{EVIL_NAME}<script>window.hacked=1</script>\u202e\x1b[2J"
Shown = Callable[..., Any]


@pytest.fixture
def shift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ShiftJournal:
    monkeypatch.chdir(tmp_path)
    return ShiftJournal(tmp_path / "journal.sqlite", site=EVIL)


def tell(shift: ShiftJournal) -> None:
    """Have something of everything happen, under hostile names."""
    areas = [[EVIL, 2, 1, 5, 5], ["belt", 0, 0, 0, 4], [None, 1, 1, 0, 0]]
    blind = [[0.0, 3.0, EVIL]]
    told: dict[str, Any] = {"heads": heads(3, areas=areas, blind=blind, uncounted=[EVIL])}
    cameras = {EVIL: "lost", "c1": EVIL}
    gateways = {EVIL: gateway(cameras, degraded=EVIL, clock_off_s=9)}
    shift.looks(0, 1200, room={"trouble": EVIL}, gateways=gateways, **told)
    shift.looks(1200, 1800, heads=heads(0, seen=0))
    shift.looks(2400, 3600, gateways=gateways, **told)
    texts: dict[str, Any] = {"zone": EVIL, "worker": EVIL, "evidence": EVIL}
    shift.alarms([(t, word(f"{EVIL}{t}", t, **texts)) for t in range(600, 1000, 20)])
    shift.act(f"{EVIL}600", 700, "acknowledge", by=EVIL)
    shift.act(f"{EVIL}600", 800, "shelve", by=EVIL, reason=EVIL, until_ns=T0 + HOUR)
    with closing(Journal(shift.place, required=True)) as journal:
        journal.audit(who=EVIL, what=EVIL, about=EVIL, body={EVIL: EVIL}, at_ns=T0 + S)


def written(shift: ShiftJournal, language: str = "en") -> str:
    span = Span(from_ns=T0, to_ns=T0 + HOUR)
    found = gather(shift.place, span, site=None, operators=None, now_ns=span.to_ns)
    return page(found, language, "lamproom test")


@pytest.fixture
def shown(chromium: Any, tmp_path: Path) -> Iterator[Shown]:
    contexts = []

    def show(html: str, *, script: bool = True) -> Any:
        file = tmp_path / "report.html"
        file.write_text(html, encoding="utf-8")
        context = chromium.new_context(
            viewport={"width": 1440, "height": 900}, java_script_enabled=script
        )
        contexts.append(context)
        opened = context.new_page()
        opened.asked_for = []
        opened.on("request", lambda request: opened.asked_for.append(request.url))
        opened.goto(file.as_uri())
        return opened

    yield show
    for context in contexts:
        context.close()


def test_hostile_names_are_only_text(shift: ShiftJournal, shown: Shown) -> None:
    tell(shift)
    opened = shown(written(shift))
    assert opened.evaluate("() => window.hacked") is None
    assert opened.locator("img, script, iframe, a, [onerror], [onclick]").count() == 0
    body = opened.locator("body").text_content()
    assert body.count(EVIL_NAME) > 50, "as text it is everywhere"
    assert "\u202e" not in body
    assert len(opened.asked_for) == 1, "nothing but the page itself is asked for"
    assert opened.locator("svg").count() >= 7


def test_every_part_is_there_in_english_and_chinese_without_a_script(
    shift: ShiftJournal, shown: Shown
) -> None:
    tell(shift)
    opened = shown(written(shift), script=False)
    english = ["Head-counts", "Alarms per 10 minutes", "Alarms", "Gateways and cameras"]
    english += ["Roadway seen, metres", "What people did"]
    chinese = ["井下人数", "每 10 分钟报警数", "报警", "网关与摄像机", "可见巷道（米）", "操作记录"]
    heading = opened.locator("h2")
    assert heading.all_inner_texts() == english
    lacks = opened.locator("#lacks")
    assert "did not run, or wrote nothing down: 10 min 00 s" in lacks.inner_text()
    opened.click("label[for=to-zh]")
    assert heading.all_inner_texts() == chinese
    assert "控制室未运行或无记录：共 10 分 00 秒" in lacks.inner_text()
    assert not opened.get_by_text("Head-counts").is_visible()
    opened.click("label[for=to-both]")
    assert heading.all_inner_texts() == [
        f"{en}{zh}" for en, zh in zip(english, chinese, strict=True)
    ]
    SHOTS.mkdir(parents=True, exist_ok=True)
    opened.screenshot(path=SHOTS / "shift-report-both.png", full_page=True)


def test_a_language_can_be_asked_for(shift: ShiftJournal, shown: Shown) -> None:
    opened = shown(written(shift, "zh"))
    assert opened.locator("h2").first.inner_text() == "井下人数"
    assert opened.evaluate("() => document.documentElement.lang") == "zh"


def test_it_prints_on_paper(shift: ShiftJournal, shown: Shown, tmp_path: Path) -> None:
    tell(shift)
    opened = shown(written(shift))
    opened.emulate_media(media="print")
    opened.set_viewport_size({"width": 1047, "height": 718})  # A4 landscape within its margins
    assert not opened.locator("nav").is_visible()
    wide = opened.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= 1047, "nothing is cut off at the right"
    pdf = opened.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    opened.screenshot(path=SHOTS / "shift-report-print.png", full_page=True)


def drawings(html: str) -> list[ElementTree.Element]:
    """Read all drawings of the page; also a test that they are whole."""
    found = []
    for piece in html.split("<svg")[1:]:
        found.append(ElementTree.fromstring("<svg" + piece[: piece.index("</svg>") + 6]))
    return found


def fills(drawing: ElementTree.Element) -> list[tuple[str, float, float, float]]:
    """Fill, left, width and height of all bars."""
    names = ("x", "width", "height")
    return [
        (one.get("fill", ""), *(float(one.get(name, 0)) for name in names))  # type: ignore[misc]
        for one in drawing.iter()
        if one.tag.endswith("rect")
    ]


def labelled(html: str, words: str) -> ElementTree.Element:
    [found] = [one for one in drawings(html) if words in one.get("aria-label", "")]
    return found


def lines(drawing: ElementTree.Element) -> list[list[tuple[float, float]]]:
    """The points of all curves."""
    return [
        [
            (float(x), float(y))
            for x, y in (pair.split(",") for pair in one.get("points", "").split())
        ]
        for one in drawing.iter()
        if one.tag.endswith("polyline")
    ]


def test_what_nobody_knows_is_hatched_and_has_no_curve(tmp_path: Path, monkeypatch: Any) -> None:
    """Seen and nobody there; nobody could be counted; nobody looked: each looks different."""
    monkeypatch.chdir(tmp_path)
    shift = ShiftJournal(tmp_path / "journal.sqlite")
    shift.looks(0, 1200, heads=heads(0, seen=40))
    shift.looks(1200, 2400, heads=heads(0, seen=0))
    html = written(shift)
    plot = labelled(html, "Head-count / 人数: roadway")
    high = {fill: (x, wide) for fill, x, wide, height in fills(plot) if height > 100}
    assert set(high) == {"url(#p-nobody)", "url(#p-unknown)"}
    (left, wide), (far_left, _) = high["url(#p-nobody)"], high["url(#p-unknown)"]
    assert far_left == pytest.approx(left + wide, abs=0.2)
    [curve] = lines(plot)
    assert curve[-1][0] == pytest.approx(left, abs=0.2), "the curve ends where nobody counted"
    coverage = labelled(html, "Metres seen")
    assert {fill for fill, _, _, height in fills(coverage) if height > 100} == {"url(#p-unknown)"}
    load = labelled(html, "Alarms per 10 minutes")
    assert {fill for fill, _, _, height in fills(load) if height > 100} == {"url(#p-unknown)"}


def test_a_nought_is_never_drawn_where_part_of_the_time_is_not_known(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """Who was counted is drawn all the same."""
    monkeypatch.chdir(tmp_path)
    shift = ShiftJournal(tmp_path / "journal.sqlite")
    shift.looks(0, 603, heads=heads(0, seen=40), every_s=3)
    shift.looks(1800, 2403, heads=heads(2, seen=40), every_s=3)
    html = written(shift)
    plot = labelled(html, "Head-count / 人数: roadway")
    nobody, two = lines(plot)
    hatched = [(x, x + wide) for _, x, wide, height in fills(plot) if height > 100]
    assert nobody[-1][0] == pytest.approx(hatched[0][0], abs=0.2)
    assert two[-1][0] > hatched[1][0] + 0.5


def test_a_journal_without_anything_is_all_unknown_and_nothing_is_well(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    shift = ShiftJournal(tmp_path / "journal.sqlite")
    shift.alarms([(100, word("one", 100))])
    html = written(shift)
    bars = [fill for drawing in drawings(html) for fill, *_ in fills(drawing)]
    assert "url(#p-unknown)" in bars
    plots = [one for one in drawings(html) if one.get("aria-label")]
    assert not {fill for one in plots for fill, *_ in fills(one)} & {"#cfe9dd"}, "well"
    assert "No control room wrote down" in html or "Nothing was written down" in html
    assert "<b>0</b><span>" not in html.split("most people counted")[0].rsplit("figure", 1)[-1]


def test_an_alarm_nobody_acknowledged_is_red_and_one_with_an_answer_is_not(
    tmp_path: Path, monkeypatch: Any, shown: Shown
) -> None:
    monkeypatch.chdir(tmp_path)
    shift = ShiftJournal(tmp_path / "journal.sqlite")
    shift.roadway()
    shift.alarms([(100, word("one", 100, worker="李伟")), (200, word("two", 200))])
    shift.act("two", 290, "acknowledge", by="Wang")
    opened = shown(written(shift))
    first, second = opened.locator("table", has_text="why it was raised").locator("tbody tr").all()
    assert first.get_attribute("class") == "bad"
    assert second.get_attribute("class") is None
    cells = first.locator("td").all_inner_texts()
    assert cells[1].startswith("Man down")
    assert "support 20" in cells[2]
    assert cells[3] == "李伟 #3"
    assert cells[4] == "not acknowledged"
    assert cells[5] == "active"
    assert second.locator("td").nth(4).inner_text().startswith("Wang\nafter 1 min 30 s")


def test_beside_an_alarm_that_was_heard_at_another_time_stands_when(
    tmp_path: Path, monkeypatch: Any, shown: Shown
) -> None:
    monkeypatch.chdir(tmp_path)
    shift = ShiftJournal(tmp_path / "journal.sqlite")
    shift.alarms(
        [
            (1200, word("cut off", -600)),
            (1201, word("cut off", -300, "cleared", raised_s=-600)),
            (1500, word("in time", 1499)),
            (1800, word("ahead", 9000)),
        ]
    )
    opened = shown(written(shift))
    rows = opened.locator("table", has_text="why it was raised").locator("tbody tr").all()
    late, in_time, ahead = (row.locator("td").first.inner_text() for row in rows)
    heard = [local(T0 + at_s * S) for at_s in (1200, 1800)]
    assert f"heard {heard[0]}, 30 min 00 s later" in late
    assert "heard" not in in_time
    assert f"heard {heard[1]}, 2 h 00 min before: its clock is ahead" in ahead


def figure(html: str, words: str) -> str:
    """Give a figure at the top of the page, by its English name."""
    before = html.split(words, maxsplit=1)[0]
    return before[before.rindex("<b>") + 3 : before.rindex("</b>")]


ALARM_FIGURES = (
    "alarms ask for somebody",
    "alarms raised",
    "alarms per hour and operator",
    "most alarms in 10 minutes",
)


def alarm_figures(html: str) -> list[str]:
    return [figure(html, f">{words}<") for words in ALARM_FIGURES]


def test_without_a_record_of_the_control_room_there_is_no_figure_and_no_verdict(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """No alarm in a journal that nobody wrote is no good news; one that is there counts."""
    monkeypatch.chdir(tmp_path)
    shift = ShiftJournal(tmp_path / "journal.sqlite")
    html = written(shift)
    assert alarm_figures(html) == ["–"] * 4
    assert 'figure green"' not in html
    table = html.split("who alarmed most")[0].rsplit("<table", 1)[-1]
    assert not re.search(r"<td[^>]*>0(\.0)?( |<)", table), "no nought of what nobody knows"
    shift.alarms([(100, word("one", 100))])
    assert alarm_figures(written(shift)) == ["≥ 1", "≥ 1", "–", "≥ 1"]
    assert "there is no alarm rate" in html


def test_a_control_room_without_a_broker_has_no_rate(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    shift = ShiftJournal(tmp_path / "journal.sqlite")
    shift.looks(0, 3600, room={"broker": False})
    assert alarm_figures(written(shift)) == ["–"] * 4


def test_a_quiet_shift_that_was_watched_all_the_time_has_noughts_and_is_green(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    shift = ShiftJournal(tmp_path / "journal.sqlite")
    shift.looks(0, 3600)
    html = written(shift)
    assert alarm_figures(html) == ["0", "0", "0.0", "0"]
    assert 'figure green"' in html


def test_cameras_of_which_only_alarms_tell_are_not_counted_as_well(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    shift = ShiftJournal(tmp_path / "journal.sqlite")
    words = "cameras with an outage / of all known"
    assert figure(written(shift), words) == "–", "nobody knows"
    lost: dict[str, Any] = {"kind": "camera_lost", "severity": "warning", "camera": "c2"}
    shift.alarms([(600, word("lost-1", 600, **lost))])
    assert figure(written(shift), words) == "≥ 1 / 1"
    shift.looks(0, 1800, gateways={"gw1": gateway({"c1": "ok", "c2": "ok"})})
    assert figure(written(shift), words) == "≥ 1 / 2"
    shift.looks(1800, 3600, gateways={"gw1": gateway({"c1": "ok", "c2": "ok"})})
    assert figure(written(shift), words) == "0 / 2"


def test_of_many_cameras_those_with_an_outage_are_drawn_with_their_gateway(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    shift = ShiftJournal(tmp_path / "journal.sqlite")
    cameras = {f"cam{number}": "ok" for number in range(40)}
    well = {f"gw{number}": gateway(cameras) for number in range(3)}
    shift.looks(0, 3595, gateways=well)
    span = Span(from_ns=T0, to_ns=T0 + HOUR // 2)
    found = gather(shift.place, span, site=None, operators=None, now_ns=span.to_ns)
    assert "123 more were well all the time" in page(found, "en", "lamproom test")
    late = gateway(cameras | {"cam7": "lost"}, clock_off_s=9)
    shift.looks(3595, 3600, gateways=well | {"gw1": late})
    html = written(shift)
    plot = labelled(html, "Outages")
    names = [one.text for one in plot.iter() if one.get("text-anchor") == "end"]
    assert names == ["gw1", "gw1 cam7"]
    assert "clock: off by up to 9 s" in html and "clock: within 1 s" not in html
    assert "121 more were well all the time and are not drawn" in html
