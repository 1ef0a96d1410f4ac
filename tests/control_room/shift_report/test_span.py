"""The time of a report, and its bins."""

import os
import time
from collections.abc import Iterator

import pytest

from control_room.shift_report.command import span_of
from control_room.shift_report.span import MOST_BINS, MOST_TICKS, Span, SpanError, local, offset
from tests.control_room.shift_report.shift_journal import HOUR, T0, S


@pytest.fixture
def shanghai() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Shanghai"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize("long_s", [60, 61, 7200, 8 * 3600, 12 * 3600 + 1, 31 * 86400])
def test_bins_cover_a_span_and_no_more(long_s: int) -> None:
    span = Span(from_ns=T0, to_ns=T0 + long_s * S)
    assert span.bins <= MOST_BINS
    assert sum(span.bin_long_ns(index) for index in range(span.bins)) == span.long_ns
    parts = [*span.parts(T0 - HOUR, T0 + 40 * 86400 * S)]
    assert [index for index, _ in parts] == [*range(span.bins)]
    assert sum(part_ns for _, part_ns in parts) == span.long_ns
    assert 1 <= len(span.ticks()) <= MOST_TICKS + 1


def test_a_time_touches_only_its_own_bins() -> None:
    span = Span(from_ns=T0, to_ns=T0 + 8 * HOUR)
    assert [*span.parts(T0 + 30 * S, T0 + 90 * S)] == [(0, 30 * S), (1, 30 * S)]
    assert [*span.parts(T0 + 60 * S, T0 + 120 * S)] == [(1, 60 * S)]
    assert [*span.parts(T0 - 60 * S, T0)] == []
    assert [*span.parts(T0, T0)] == []


@pytest.mark.usefixtures("shanghai")
def test_the_axis_names_full_hours_of_the_local_time() -> None:
    span = Span(from_ns=T0 + 1800 * S, to_ns=T0 + 8 * HOUR)
    ticks = [local(at_ns, "%H:%M") for at_ns in span.ticks()]
    assert ticks[:2] == ["17:00", "18:00"]
    assert offset(T0) == "UTC+08:00"


@pytest.mark.parametrize(
    ("from_s", "to_s", "why"),
    [(10, 10, "earlier"), (10, 5, "earlier"), (0, 59, "60 s"), (0, 32 * 86400, "31 days")],
)
def test_what_is_no_span_is_said(from_s: int, to_s: int, why: str) -> None:
    with pytest.raises(SpanError, match=why):
        Span(from_ns=T0 + from_s * S, to_ns=T0 + to_s * S)


def test_two_of_from_to_and_shift_make_a_span_and_the_future_is_left_out() -> None:
    now_ns = T0 + 10 * HOUR
    last = span_of(None, None, None, now_ns)
    assert (last.from_ns, last.to_ns) == (now_ns - 8 * HOUR, now_ns)
    night = span_of(None, T0 + 6 * HOUR, 4 * HOUR, now_ns)
    assert (night.from_ns, night.to_ns) == (T0 + 2 * HOUR, T0 + 6 * HOUR)
    begun = span_of(T0, None, 4 * HOUR, now_ns)
    assert begun.to_ns == T0 + 4 * HOUR
    assert span_of(T0, T0 + 20 * HOUR, None, now_ns).to_ns == now_ns
    with pytest.raises(SpanError, match="only two"):
        span_of(T0, T0 + HOUR, HOUR, now_ns)
    with pytest.raises(SpanError, match="yet to come"):
        span_of(now_ns + HOUR, now_ns + 2 * HOUR, None, now_ns)
