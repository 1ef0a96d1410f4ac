import asyncio
import csv
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from control_room.journal import api as journal_api
from control_room.journal import query as journal_query
from control_room.journal.api import Slots, journal_routes
from control_room.journal.database import Place, open_database
from control_room.journal.export import harmless
from control_room.journal.journal import Journal
from control_room.journal.positions import POSITIONS
from control_room.journal.query import (
    Question,
    QuestionError,
    answer,
    columns_of,
    open_for,
    time_ns,
)
from control_room.journal.schema import prepare
from control_room.lifecycle import Act, Key
from control_room.turns import BusyError, Turns
from edge.main import main
from tests.control_room.fake_gateway import alarm

S = 1_000_000_000
HOUR_NS = 3600 * S
T0 = 1_795_939_200 * S
"""2026-11-29 08:00 UTC."""
FORMULA = '=HYPERLINK("http://evil","help")'


def key(id: str, gateway: str = "gw1") -> Key:
    return Key(site="roadway", gateway=gateway, alarm=id)


@pytest.fixture
def filled(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(journal_query, "PAGE", 2)
    journal = Journal(place, required=True)
    for id, at_h, gateway, changes in (
        ("a", 0, "gw1", {"worker": "李伟", "track": 7}),
        ("b", 1, "gw1", {"worker": "王芳", "track": 8, "zone": None}),
        (
            "c",
            2,
            "gw2",
            {"kind": "camera_lost", "severity": "warning", "camera": "c1", "zone": None},
        ),
        ("d", 3, "gw2", {"worker": FORMULA, "track": 7, "evidence": "+1 m"}),
        ("e", 3, "gw1", {"kind": "immobile", "severity": "warning"}),
    ):
        fields: dict[str, Any] = {"track": None, **changes}
        said = alarm(id, at_ns=T0 + at_h * HOUR_NS, **fields)
        journal.store(key(id, gateway), said, stored_at_ns=T0)
    over = alarm("a", at_ns=T0 + 2 * HOUR_NS, raised_at_ns=T0, state="cleared", track=None)
    journal.store(key("a"), over, stored_at_ns=T0)
    act = Act(action="acknowledge", by="李伟", reason="在看", at_ns=T0 + 5 * S)
    journal.note(key("a"), act)
    journal.audit(who="admin", what="log_in", at_ns=T0 + HOUR_NS)
    journal.close()
    with closing(open_database(POSITIONS.place_of(place), POSITIONS.prepare)) as database:
        rows = [
            (
                "roadway",
                "gw1",
                7,
                T0 + i * 10 * S,
                "李伟",
                zones,
                1.5 * i,
                -1.0,
                0.3,
                "upright",
                "certainly",
                T0 + i * 10 * S,
            )
            for i, zones in enumerate(["", "conveyor", "belt_1,conveyor", "belt-1", "conveyor2"])
        ]
        database.write(lambda session: session.change_all(POSITIONS.insert, rows))
    yield place


def ask(place: Place, **wanted: Any) -> list[dict[str, Any]]:
    question = Question(**wanted)
    with closing(open_for(place, question.what)) as database:
        return [row for _, row in answer(database, question)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "abced"),
        ({"newest_first": True}, "decba"),
        ({"from_ns": T0 + HOUR_NS}, "abced"),
        ({"from_ns": T0 + 2 * HOUR_NS + 1}, "bced"),
        ({"to_ns": T0 + 2 * HOUR_NS}, "ab"),
        ({"from_ns": T0 + HOUR_NS, "to_ns": T0 + HOUR_NS + 1}, "ab"),
        ({"person": "李伟"}, "a"),
        ({"person": "#7"}, "ad"),
        ({"person": "李"}, ""),
        ({"zone": "conveyor"}, "aed"),
        ({"gateway": "gw2"}, "cd"),
        ({"site": "longwall"}, ""),
        ({"kind": "camera_lost"}, "c"),
        ({"severity": "critical"}, "abd"),
        ({"severity": "warning", "gateway": "gw1"}, "e"),
        ({"limit": 3}, "abc"),
        ({"limit": 2, "newest_first": True}, "de"),
    ],
)
def test_alarms_by_time_person_zone_kind_severity_gateway(
    filled: Place, wanted: dict[str, Any], found: str
) -> None:
    assert "".join(row["alarm"] for row in ask(filled, **wanted)) == found


def test_pages_join_without_a_gap_or_a_repeat(filled: Place) -> None:
    for newest_first in (False, True):
        whole = [row["alarm"] for row in ask(filled, newest_first=newest_first)]
        after, parts = None, []
        while True:
            question = Question(newest_first=newest_first, after=after, limit=2)
            with closing(open_for(filled, "alarms")) as database:
                page = list(answer(database, question))
            parts += [row["alarm"] for _, row in page]
            if len(page) < 2:
                break
            after = page[-1][0]
        assert parts == whole


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"zone": "conveyor"}, [1, 2]),
        ({"zone": "belt_1"}, [2]),
        ({"zone": "%"}, []),
        ({"person": "李伟", "from_ns": T0 + 10 * S, "to_ns": T0 + 30 * S}, [1, 2]),
        ({"person": "#7", "gateway": "gw1", "site": "roadway"}, [0, 1, 2, 3, 4]),
        ({"person": "#8"}, []),
    ],
)
def test_positions_by_time_person_and_zone(
    filled: Place, wanted: dict[str, Any], found: list[int]
) -> None:
    rows = ask(filled, what="positions", **wanted)
    assert [(row["at_ns"] - T0) / (10 * S) for row in rows] == found


def test_acts_by_time_person_and_kind(filled: Place) -> None:
    assert [row["what"] for row in ask(filled, what="acts")] == ["acknowledge", "log_in"]
    [row] = ask(filled, what="acts", person="李伟")
    assert (row["about"], row["body"]["reason"]) == ("roadway/gw1/a", "在看")
    assert [row["who"] for row in ask(filled, what="acts", kind="log_in")] == ["admin"]
    assert ask(filled, what="acts", from_ns=T0 + HOUR_NS + 1) == []


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"what": "positions", "kind": "man_down"}, "kind"),
        ({"what": "acts", "zone": "x"}, "zone"),
        ({"severity": "bad"}, "severity"),
        ({"person": "#x"}, "person"),
        ({"from_ns": 5, "to_ns": 5}, "from"),
        ({"after": ("a", 1)}, "after"),
        ({"after": (1, "a", "b", "c\ud800")}, "after"),
        ({"zone": "a\0"}, "zone"),
    ],
)
def test_a_wrong_question_is_named(filled: Place, wanted: dict[str, Any], named: str) -> None:
    with pytest.raises(QuestionError, match=f"^{named}"):
        ask(filled, **wanted)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "9999-12-31", "0001-01-01", "12"])
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(QuestionError):
        time_ns(text)


def test_times_are_read_with_and_without_an_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    assert time_ns("2026-11-29T08:00:00.5Z") == T0 + S // 2
    assert time_ns("2026-11-29 16:00+08:00") == T0


Export = Callable[..., tuple[int, str, str]]


@pytest.fixture
def export(filled: Place, capfd: pytest.CaptureFixture[str]) -> Export:
    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        try:
            code = main(["journal", "export", "--journal", str(filled), *words])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def test_the_command_writes_csv_that_no_spreadsheet_runs(export: Export) -> None:
    code, text, _ = export()
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert text.startswith("\ufeff")
    assert sorted(row["alarm"] for row in rows) == list("abcde")
    [evil] = [row for row in rows if row["alarm"] == "d"]
    assert evil["worker"] == f"'{FORMULA}"
    assert evil["evidence"] == "'+1 m"
    assert evil["y_m"] == "-1.0", "a number is no formula"
    [first] = [row for row in rows if row["alarm"] == "a"]
    assert first["raised_at"] == "2026-11-29T08:00:00.000Z"
    assert (first["worker"], first["acknowledged_by"]) == ("李伟", "李伟")
    assert first["acknowledged_reason"] == "在看"
    assert first["cleared_at"] == "2026-11-29T10:00:00.000Z"


def test_the_command_writes_json_with_exact_times(export: Export) -> None:
    code, text, _ = export("--format", "json", "--what", "positions", "--zone", "conveyor")
    assert code == 0
    rows = json.loads(text)
    assert [row["at_ns"] for row in rows] == [T0 + 10 * S, T0 + 20 * S]
    assert rows[0]["at"] == "2026-11-29T08:00:10.000Z"
    assert rows[0] | {"worker": "李伟", "x_m": 1.5, "posture": "upright"} == rows[0]


@pytest.mark.parametrize("what", ["alarms", "acts", "positions"])
def test_nothing_found_is_a_table_without_rows(export: Export, what: str) -> None:
    words = ("--what", what, "--to", "2020-01-01")
    code, text, _ = export(*words)
    assert code == 0
    [head] = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    assert len(head) == len(columns_of(what))  # type: ignore[arg-type]
    assert json.loads(export(*words, "--format", "json")[1]) == []


def test_the_command_filters_as_asked(export: Export) -> None:
    words = ["--from", "2026-11-29T09:30Z", "--to", "2026-11-29T10:30:00Z", "--kind", "camera_lost"]
    code, text, _ = export("--format", "json", *words)
    assert [row["alarm"] for row in json.loads(text)] == ["c"]
    code, _, said = export("--what", "positions", "--kind", "man_down")
    assert code == 2
    assert "kind: positions can't be asked for by it" in said
    assert export("--from", "soon")[0] == 2


def test_where_and_why_it_was_raised_stays_after_the_clearing(place: Place) -> None:
    with closing(Journal(place, required=True)) as journal:
        for id in ("a", "b", "active"):
            said = alarm(id, at_ns=T0, evidence="0.4 m high", probability=0.9)
            journal.store(key(id), said, stored_at_ns=T0)
        worse = alarm("b", at_ns=T0 + S, raised_at_ns=T0, xyz_m=None, evidence="worse")
        journal.store(key("b"), worse, stored_at_ns=T0)
        for id in ("a", "b", "only cleared"):
            over = alarm(
                id, at_ns=T0 + 9 * S, raised_at_ns=T0, state="cleared", xyz_m=(1.0, 2.0, 3.0),
                probability=0.0, certainty="possibly", evidence="up again",
            )  # fmt: skip
            journal.store(key(id), over, stored_at_ns=T0)
    rows = {row["alarm"]: row for row in ask(place)}

    def told(id: str, lead: str) -> list[Any]:
        names = ("x_m", "y_m", "z_m", "probability", "certainty", "evidence")
        return [rows[id][lead + name] for name in names]

    assert told("a", "") == [1.0, 2.0, 3.0, 0.0, "possibly", "up again"]
    assert told("a", "raised_") == [29.5, -1.0, 0.0, 0.9, "certainly", "0.4 m high"]
    assert told("b", "raised_") == [None, None, None, 0.97, "certainly", "worse"]
    assert told("active", "raised_") == told("active", "")
    assert told("only cleared", "raised_") == [None] * 6, "nobody knows"
    columns = columns_of("alarms")
    first = columns.index("raised_x_m")
    assert columns[first : first + 6] == (
        *("raised_x_m", "raised_y_m", "raised_z_m"),
        *("raised_probability", "raised_certainty", "raised_evidence"),
    )


def test_a_kind_that_there_is_not_is_refused_and_nothing_found_is_said(export: Export) -> None:
    code, text, said = export("--kind", "nosuch")
    assert (code, text) == (2, "")
    assert "kind: 'nosuch' is no kind of alarm; give man_down, restricted_zone" in said
    for words in (("--zone", "nosuch"), ("--person", "nosuch"), ("--gateway", "nosuch")):
        code, text, said = export(*words)
        assert (code, len(text.splitlines())) == (0, 1)
        assert said == "lamproom journal: 0 rows\n"
    for found in (("--kind", "immobile"), ("--what", "acts", "--kind", "log_in")):
        code, _, said = export(*found)
        assert (code, said) == (0, "")


Get = Callable[..., httpx.Response]


@pytest.fixture
def get(filled: Place) -> Iterator[Get]:
    """Ask over HTTP, as a page or a program does."""
    journal = Journal(filled)
    app = Starlette(
        routes=journal_routes(journal, lambda _request: "王芳", Turns(2, most_waiting=2))
    )

    def run(**params: str) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                return await client.get("/api/history", params=params)

        return asyncio.run(call())

    yield run
    journal.close()


def test_history_over_http_comes_in_pages(get: Get, filled: Place) -> None:
    found, after = "", ""
    for _ in range(5):
        answer = get(limit="2", **({"after": after} if after else {}))
        assert answer.status_code == 200, answer.text
        found += "".join(row["alarm"] for row in answer.json()["rows"])
        after = answer.json()["after"]
        if after is None:
            break
    assert found == "decba", "the newest first"
    assert len(ask(filled, what="acts")) == 2, "looking is no export"


def test_history_over_http_takes_the_same_filters(get: Get) -> None:
    rows = get(what="positions", person="李伟", zone="conveyor", order="oldest").json()["rows"]
    assert [row["at"] for row in rows] == ["2026-11-29T08:00:10.000Z", "2026-11-29T08:00:20.000Z"]
    wanted = {"from": "2026-11-29T09:30Z", "to": "2026-11-29T10:30Z", "severity": "warning"}
    assert [row["alarm"] for row in get(**wanted).json()["rows"]] == ["c"]


def test_a_file_over_http_is_whole_and_written_into_the_audit(get: Get, filled: Place) -> None:
    answer = get(format="csv", kind="man_down")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="lamproom-alarms.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["alarm"] for row in rows] == list("abd")
    [act] = ask(filled, what="acts", kind="export")
    assert (act["who"], act["about"]) == ("王芳", "alarms")
    assert act["body"] == {"format": "csv", "kind": "man_down"}
    assert len(get(format="json", what="positions").json()) == 5


@pytest.mark.parametrize(
    "params",
    [
        {"what": "users"},
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "٣"},
        {"from": "soon"},
        {"after": "[1]"},
        {"after": '[1,"a","b","\\ud800"]'},
        {"after": "[" * 5000},
        {"zone": "a\0"},
        {"what": "acts", "after": '["x"]'},
        {"order": "up"},
        {"format": "xlsx"},
        {"personn": "x"},
    ],
)
def test_a_wrong_request_is_one_sentence(get: Get, params: dict[str, str]) -> None:
    answer = get(**params)
    assert answer.status_code == 400
    assert len(answer.text.splitlines()) == 1


def test_a_journal_that_is_away_is_said(get: Get, place: Place) -> None:
    with closing(open_database(place, prepare)) as database:
        database.write(lambda session: session.change("DROP TABLE change"))
    for params in ({}, {"format": "csv"}):
        answer = get(**params)
        assert answer.status_code == 503
        assert "can't be used now" in answer.text


def test_so_many_files_at_once_and_one_of_each_person() -> None:
    slots = Slots(2)
    with slots.one("Li Wei"):
        with pytest.raises(BusyError, match="on its way to you"), slots.one("Li Wei"):
            pass
        with slots.one("Ada"), pytest.raises(BusyError, match="many ask"), slots.one("Wang Fang"):
            pass
        with slots.one("Wang Fang"):
            pass
    with slots.one("Li Wei"):
        pass


def test_so_many_ask_at_once_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    app = Starlette(routes=journal_routes(journal, lambda _request: "x", Turns(1, most_waiting=0)))
    begun, go_on = threading.Event(), threading.Event()

    def slow(_place: Place, _question: Question) -> dict[str, object]:
        begun.set()
        go_on.wait(30)
        return {}

    monkeypatch.setattr(journal_api, "page_of", slow)

    async def call() -> list[int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            first = asyncio.create_task(client.get("/api/history"))
            await asyncio.to_thread(begun.wait, 30)
            second = await client.get("/api/history")
            third = await client.get("/api/history", params={"format": "csv"})
            go_on.set()
            answers = [await first, second, third, await client.get("/api/history")]
        return [answer.status_code for answer in answers]

    assert asyncio.run(call()) == [200, 503, 200, 200], "a file has a place of its own"
    journal.close()


@pytest.mark.parametrize(
    "space", ["", " ", "\u3000", "\xa0", "\ufeff", "\x0b", "\u200b\u2003", "\x00"]
)
@pytest.mark.parametrize("sign", ["=", "＠"])
def test_no_space_hides_a_formula(space: str, sign: str) -> None:
    assert harmless(f"{space}{sign}1") == f"'{space}{sign}1"
    assert harmless(f"{space}李{sign}1") == f"{space}李{sign}1"
