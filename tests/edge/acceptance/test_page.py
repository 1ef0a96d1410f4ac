"""The report in a real browser: one language at a time, whatever is drawn too, and it prints."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.acceptance.check import Check
from edge.acceptance.drawing import GREY, RED
from edge.acceptance.figures import CoverageFigures, Figures
from edge.acceptance.judge import judge
from edge.acceptance.page import page
from edge.acceptance.record import subject_of
from tests.edge.acceptance.staged_walk import SITE_FILE, rig, site
from tests.edge.acceptance.test_judge import GOOD, STATION

CHROMIUM = Path("/usr/bin/chromium")
EVIL = "<img src=x onerror=window.hacked=1>"
NEVER = replace(STATION, name="2", where=("station 2", "站点 2"), told_xy_m=None, median_m=None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing; install it with `apt-get install chromium`")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def report(folder: Path, figures: Figures) -> tuple[Path, tuple[Check, ...]]:
    checks = judge(figures, site())
    subject = subject_of(
        site(), SITE_FILE, rig(), tester=EVIL, truth=SITE_FILE, began_at_ns=0, ended_at_ns=10**9
    )
    file = folder / "report.html"
    file.write_text(page(subject, figures, checks, site(), rig()), encoding="utf-8")
    return file, checks


@pytest.mark.parametrize(
    ("locale", "words", "others"),
    [
        ("en-GB", ("PASSED", "people missed", "station 1", "Man down"), ("合格", "站点 1")),
        ("zh-CN", ("合格", "人员漏检", "站点 1", "人员倒地"), ("PASSED", "people missed")),
    ],
)
def test_it_speaks_one_language_and_loads_nothing(
    tmp_path: Path, chromium: Any, locale: str, words: tuple[str, ...], others: tuple[str, ...]
) -> None:
    file, _ = report(tmp_path, GOOD)
    context = chromium.new_context(locale=locale)
    tab = context.new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(file.as_uri())
    shown = tab.inner_text("body")
    drawn = tab.evaluate(
        "[...document.querySelectorAll('svg text')].filter(t => t.getClientRects().length)"
        ".map(t => t.textContent).join('\\n')"
    )
    for word in words:
        assert word in shown + drawn
    for other in others:
        assert other not in shown + drawn
    assert asked == [file.as_uri()]
    assert tab.evaluate("window.hacked") is None
    assert EVIL in shown
    assert tab.locator("svg").count() == 3
    assert len(tab.pdf(format="A4")) > 10_000
    context.close()


def test_roadway_that_is_not_seen_is_red_on_the_plan(tmp_path: Path, chromium: Any) -> None:
    seen, looks = (0, 90, 95, 0, *(100,) * 13), (100, 100, 100, 0, *(100,) * 13)
    lost = CoverageFigures(from_m=23, seen=seen, looks=looks)
    file, _ = report(tmp_path, replace(GOOD, coverage=lost))
    context = chromium.new_context(locale="en-GB")
    tab = context.new_page()
    tab.goto(file.as_uri())
    plan = tab.locator("svg").first
    colours = plan.locator("line[stroke-width='5']").evaluate_all(
        "lines => lines.map(line => [line.getAttribute('stroke'), +line.getAttribute('x1')])"
    )
    metres = [
        sorted({20 + round((x - 40) / 56) for c, x in colours if c == one}) for one in (RED, GREY)
    ]
    assert metres == [[20, 21, 22, 23, 24], [26]], "metres 20 to 23 are told of nowhere"
    assert "Grey edges: not judged" in tab.inner_text("body")
    file, _ = report(tmp_path, replace(GOOD, coverage=None))
    tab.goto(file.as_uri())
    strokes = plan.locator("line[stroke-width='5']").evaluate_all(
        "lines => lines.map(line => line.getAttribute('stroke'))"
    )
    assert strokes == [GREY] * 40, "nothing known does not look like all seen"
    assert "Grey edges: not judged" in tab.inner_text("body")
    context.close()


def test_what_failed_is_red_and_says_why(tmp_path: Path, chromium: Any) -> None:
    figures = replace(GOOD, stations=(STATION, NEVER), clock_skew_s=None)
    file, checks = report(tmp_path, figures)
    assert {one.verdict for one in checks} == {"passed", "failed", "not_measured"}
    context = chromium.new_context(locale="en-GB")
    tab = context.new_page()
    tab.goto(file.as_uri())
    red = tab.inner_text(".verdict.red")
    assert "failed: position error" in red
    assert "not measured: clocks apart" in red
    rows = tab.locator("tr.bad").all_inner_texts()
    assert any("station 2: nobody was told there" in row for row in rows)
    assert any("NOT MEASURED" in row for row in rows)
    context.close()
