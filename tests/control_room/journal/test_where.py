"""Who was where at an instant."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from control_room.journal.database import open_database
from control_room.journal.journal import Journal
from control_room.journal.positions import POSITIONS
from control_room.journal.where import COLUMNS
from edge.main import main

T0 = 1_795_939_200_000_000_000
"""2026-11-29T08:00Z."""
S = 1_000_000_000
Where = Callable[..., tuple[int, str, str]]


def row(at_s: float, track: int, worker: str | None = None, **changes: Any) -> tuple[object, ...]:
    at_ns = T0 + round(at_s * S)
    fields: dict[str, Any] = {
        "gateway": "gw1",
        "zones": "",
        "x_m": float(at_s),
        "seen_at_ns": at_ns,
        **changes,
    }
    return (
        *("roadway", fields["gateway"], track, at_ns, worker, fields["zones"]),
        *(fields["x_m"], -1.0, 0.3, "upright", "certainly", fields["seen_at_ns"]),
    )


def keep(file: Path, rows: Sequence[tuple[object, ...]]) -> None:
    Journal(file, required=True).close()
    with closing(open_database(POSITIONS.place_of(file), POSITIONS.prepare)) as database:
        database.write(lambda session: session.change_all(POSITIONS.insert, list(rows)))


@pytest.fixture
def where(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Where]:
    file = tmp_path / "journal.sqlite"

    def run(rows: Sequence[tuple[object, ...]], *words: str) -> tuple[int, str, str]:
        if rows:
            keep(file, rows)
        capfd.readouterr()
        code = main(["journal", "where", "--journal", str(file), *words])
        said = capfd.readouterr()
        return code, said.out, said.err

    yield run


AT = ("--at", "2026-11-29T08:01:00Z", "--format", "json")


def found(where: Where, rows: Sequence[tuple[object, ...]], *more: str) -> list[dict[str, Any]]:
    code, text, _ = where(rows, *AT, *more)
    assert code == 0
    read: list[dict[str, Any]] = json.loads(text)
    return read


def test_everybody_has_one_line_with_the_last_place_before_and_its_age(where: Where) -> None:
    rows = [row(t, 1, "李伟") for t in (30, 40, 50, 61)] + [row(t, 2) for t in (35, 55)]
    told = found(where, rows)
    assert [(one["track"], one["x_m"], one["age_s"]) for one in told] == [(2, 55, 5), (1, 50, 10)]
    assert told[0]["at"] == "2026-11-29T08:00:55.000Z"
    assert set(COLUMNS) <= set(told[0])


def test_a_number_that_went_over_to_another_hides_nobody(where: Where) -> None:
    """And where it has lost its name at last, it is whoever had it last."""
    rows = [row(20, 5, "Li"), row(30, 5, "Li"), row(40, 5, "Wang"), row(50, 5), row(55, 5)]
    told = found(where, rows)
    assert [(one["worker"], one["x_m"]) for one in told] == [("Wang", 55), ("Li", 30)]


def test_several_numbers_of_one_name_are_one_person(where: Where) -> None:
    """Those of one gateway after each other, and those of two gateways at once."""
    rows = [row(10, 1, "李伟"), row(20, 4), row(30, 4, "李伟"), row(32, 9, "李伟", gateway="gw2")]
    assert [one["track"] for one in found(where, rows)] == [9]


def test_two_who_were_followed_at_once_are_two_whatever_their_name(where: Where) -> None:
    rows = [row(t, track, "李伟") for t in (30, 40) for track in (1, 2)]
    assert len(found(where, rows)) == 2


def test_a_zone_is_where_somebody_was_last_not_where_they_once_were(where: Where) -> None:
    rows = [row(30, 1, zones="belt"), row(40, 1, zones="face"), row(30, 2, zones="belt,face")]
    assert [one["track"] for one in found(where, rows, "--zone", "belt")] == [2]
    assert [one["track"] for one in found(where, [], "--person", "#1")] == [1]


def test_old_places_are_left_out(where: Where) -> None:
    rows = [row(-500, 1), row(-600, 2)]
    assert [one["track"] for one in found(where, rows)] == [1]
    assert len(found(where, [], "--within", "11")) == 2


def test_it_is_told_in_words_in_both_languages_and_as_csv(where: Where) -> None:
    rows = [row(54, 4, "李伟", x_m=12.34, zones="belt", seen_at_ns=T0 + 20 * S)]
    code, text, _ = where(rows, *AT[:2])
    assert code == 0
    assert re.search(
        r"李伟 \(#4\) +x 12\.3 m, y -1\.0 m ± 0\.3 m +belt +upright +\S+:54 \(6 s before\)", text
    )
    assert "not seen since" in text
    chinese = where([], *AT[:2], "--language", "zh")[1]
    assert "6 秒前" in chinese
    assert "站立" in chinese
    [one] = csv.DictReader(io.StringIO(where([], *AT[:2], "--format", "csv")[1].lstrip("\ufeff")))
    assert (one["worker"], one["age_s"]) == ("李伟", "6.0")


def test_nobody_found_is_not_nobody_there(where: Where) -> None:
    assert "or nothing was written down" in where([row(100, 1)], *AT[:2])[1]


def test_a_time_without_a_date_is_the_last_one_and_said(where: Where) -> None:
    now = datetime.now()
    later = now + timedelta(minutes=5)
    code, _, said = where([row(0, 1)], "--at", f"{later:%H:%M:%S}")
    assert code == 0
    day = (later - timedelta(days=1)).date()
    assert f"is taken as {day.isoformat()}T{later:%H:%M:%S}" in said
    earlier = now - timedelta(minutes=5)
    assert f"taken as {earlier:%Y-%m-%dT%H:%M:%S}" in where([], "--at", f"{earlier:%H:%M:%S}")[2]


def test_one_instant_is_no_span_but_can_be_asked_for(
    where: Where, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    where([row(0, 1)], *AT)
    words = ["journal", "export", "--journal", str(tmp_path / "journal.sqlite")]
    assert main([*words, "--from", AT[1], "--to", AT[1]]) == 2
    assert "journal where --at" in capfd.readouterr().err


def test_without_a_journal_it_is_said_where_the_demos_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["journal", "where", "--at", AT[1], "--journal", str(tmp_path / "no.sqlite")]) == 2
    assert "build/demo/journal.sqlite" in capfd.readouterr().err
