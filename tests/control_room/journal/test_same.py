"""SQLite and PostgreSQL answer the same question the same, in the same order."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from control_room.journal.api import page_of
from control_room.journal.audit import faults_of
from control_room.journal.database import Place
from control_room.journal.export import FORMATS, written
from control_room.journal.journal import Journal
from control_room.journal.query import (
    NOT_OF,
    WHATS,
    Question,
    What,
    answer,
    columns_of,
    open_for,
)
from control_room.journal.where import last_places
from control_room.lifecycle import SEVERITIES, Key
from control_room.shift_report.gather import gather
from control_room.shift_report.page import page
from control_room.shift_report.span import Span
from scene.alarms import ALARMS
from tests.control_room.postgres import Postgres
from tests.control_room.random_history import (
    GATEWAYS,
    HOUR,
    HUGE,
    NAMES,
    SITES,
    T0,
    ZONES,
    History,
    at,
)

SEEDS = range(2)
QUESTIONS = 50
Both = tuple[Path, str]


@pytest.fixture(scope="module", params=SEEDS)
def both(
    request: pytest.FixtureRequest, server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    """The same history in a file, and on a server that sorts Chinese by its sound."""
    folder = tmp_path_factory.mktemp("same")
    patch = pytest.MonkeyPatch()
    patch.chdir(folder)
    name = f"same{request.param}"
    server.run_sql(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' "
        "LOCALE_PROVIDER icu ICU_LOCALE 'zh-u-co-pinyin'"
    )
    places = (folder / "journal.sqlite", server.address(name))
    for place in places:
        History(request.param).write(place)
    yield places
    patch.undo()
    server.run_sql(f"DROP DATABASE {name}")


def random_question(chance: random.Random, what: What) -> Question:
    def maybe(share: float, *values: Any) -> Any:
        return chance.choice(values) if chance.random() < share else None

    wanted: dict[str, Any] = {
        "person": maybe(0.3, *NAMES[:-1], "#7"),
        "site": maybe(0.3, *SITES),
        "gateway": maybe(0.3, *GATEWAYS),
        "zone": maybe(0.3, *ZONES),
        "kind": maybe(0.2, *ALARMS)
        if what == "alarms"
        else maybe(0.3, "log_in", "end", "retention"),
        "severity": maybe(0.2, *SEVERITIES),
    }
    times = sorted({at(chance), at(chance), *chance.sample(HUGE, 2)})
    span: dict[str, Any] = (
        {"from_ns": times[0], "to_ns": times[-1]} if chance.random() < 0.6 else {}
    )
    return Question(
        what=what,
        **{name: value for name, value in wanted.items() if name not in NOT_OF[what]},
        **span,
        newest_first=chance.random() < 0.5,
        limit=chance.choice((None, 1, 7, 100)),
    )


def answers(place: Place, question: Question) -> list[Any]:
    with closing(open_for(place, question.what)) as database:
        return list(answer(database, question))


@pytest.mark.parametrize("what", WHATS)
def test_random_questions(both: Both, what: What, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_room.journal.query.PAGE", 7)
    chance, found = random.Random(what), 0
    file, server = (open_for(place, what) for place in both)
    with closing(file), closing(server):
        for _ in range(QUESTIONS):
            question = random_question(chance, what)
            one, other = (list(answer(database, question)) for database in (file, server))
            assert one == other, question
            found += len(one)
    assert found > 400, "most questions found something"


@pytest.mark.parametrize("what", WHATS)
def test_whole_files_of_the_export(both: Both, what: What) -> None:
    for format in FORMATS:
        one, other = (
            "".join(
                written(
                    [row for _, row in answers(place, Question(what=what))],
                    columns_of(what),
                    format,
                )
            )
            for place in both
        )
        assert one == other
        assert one.count("\n") > 70


@pytest.mark.parametrize("what", WHATS)
def test_pages_of_the_api_in_both_orders(both: Both, what: What) -> None:
    for newest_first in (False, True):
        after = None
        for _ in range(8):
            question = Question(what=what, newest_first=newest_first, limit=11, after=after)
            one, other = (page_of(place, question) for place in both)
            assert one == other
            rows = answers(both[0], question)
            if not rows or one["after"] is None:
                break
            after = rows[-1][0]


def test_who_was_where(both: Both) -> None:
    some = 0
    for hour in range(0, 26, 2):
        found = []
        for place in both:
            with closing(open_for(place, "positions")) as database:
                found.append(last_places(database, T0 + hour * HOUR, within_s=9000))
        assert found[0] == found[1]
        some += len(found[0])
    assert some > 50


def told(place: Place) -> dict[str, Any]:
    """Tell all that the page and the desk ask for."""
    with closing(Journal(place, required=True)) as journal:
        keys = [entry.key for entry in journal.history(10_000)]
        unknown = Key(site="nowhere", gateway="", alarm="李")
        return {
            "head": journal.head(),
            "open": journal.open_entries(),
            "history": journal.history(10_000),
            "newest": journal.history(9),
            "shelved": journal.shelved(),
            "ending": journal.ending(),
            "acts": [journal.acts(key) for key in keys],
            "entries": journal.entries([*keys, unknown]),
            "entry": [journal.entry(key) for key in (*keys[:20], unknown)],
            # Counted only; nobody asks in which order they come.
            "raised": sorted(journal.raised_since(T0 + 5 * HOUR), key=repr),
            "standing": sorted(journal.standing_since(T0 + 9 * HOUR), key=repr),
            "faults": faults_of(journal._database, [journal.head()]),
        }


def test_what_the_page_and_the_desk_ask_for(both: Both) -> None:
    one, other = (told(place) for place in both)
    for name, found in one.items():
        assert found == other[name], name
        assert found, name
    assert one["faults"][1] == []


@pytest.mark.parametrize("site", [None, "北门"])
def test_the_shift_report_with_its_loads_and_heads(both: Both, site: str | None) -> None:
    span = Span(from_ns=T0 + HOUR, to_ns=T0 + 9 * HOUR)
    one, other = (
        page(gather(place, span, site=site, operators=None, now_ns=T0 + 50 * HOUR), "zh", "x")
        for place in both
    )
    assert one == other
    assert len(one) > 5000
