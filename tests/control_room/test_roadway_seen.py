"""Metres of many roadways: what was told anew counts at once, and little is compared."""

from dataclasses import replace

import pytest

from control_room import roadway_seen
from control_room.roadway_seen import Metre, metres_of
from control_room.whole_mine import MineGateway
from tests.control_room.fake_gateway import description, health
from tests.control_room.long_roadway import ns

LENGTH_M = 40


def gateway(number: int, y_m: float = 0.0, *, seen: int = LENGTH_M) -> MineGateway:
    """One that sees the first metres of a roadway along x, of its own survey."""
    coverage = (1,) * seen + (0,) * (LENGTH_M - seen)
    beat = replace(
        health(ns(0)),
        coverage=coverage,
        coverage_from_x_m=0.0,
        coverage_unseen_since_ns=tuple(None if one else ns(7) for one in coverage),
    )
    line_m = ((0.0, y_m, 0.0), (float(LENGTH_M), y_m, 0.001 * number))
    told = replace(description(), gateway=f"gw{number}", centre_line_m=line_m)
    return MineGateway(gateway=told.gateway, description=told, health=beat, silent_since_ns=None)


def words(metres: tuple[Metre, ...]) -> list[tuple[object, ...]]:
    return [(one.from_m, one.gateways, one.seen, one.since_ns) for one in metres]


def forget_all() -> None:
    for one in ("_own_metres", "_line", "_metres_at", "_box", "_places_of", "_touched"):
        getattr(roadway_seen, one).cache_clear()


@pytest.mark.parametrize("changed", ["seen", "silent", "moved", "gone", "new"])
def test_what_is_told_anew_counts_as_if_nothing_had_been_told_before(changed: str) -> None:
    before = [gateway(n, 0.3 * n, seen=10 + n) for n in range(4)]
    first = words(metres_of(before))
    after = {
        "seen": [*before[:2], gateway(2, 0.6, seen=33), before[3]],
        "silent": [*before[:3], replace(before[3], silent_since_ns=ns(9))],
        "moved": [*before[:3], gateway(3, 60.0)],
        "gone": before[1:],
        "new": [*before, gateway(4, 1.2, seen=40)],
    }[changed]
    again = words(metres_of(after))
    forget_all()
    assert again == words(metres_of(after)) != first
    assert words(metres_of(before)) == first


def test_a_roadway_that_lies_on_another_is_not_compared_with_all() -> None:
    """Of 60 surveys of one roadway each pair compared would be 3,540."""
    forget_all()
    told = metres_of([gateway(n, 0.02 * n, seen=min(n, LENGTH_M)) for n in range(60)])
    assert (len(told), sum(one.seen for one in told)) == (LENGTH_M, LENGTH_M)
    assert told[-1].gateways == tuple(f"gw{n}" for n in range(60))
    assert roadway_seen._metres_at.cache_info().misses < 3 * 60


def test_nothing_is_compared_again_while_all_say_the_same() -> None:
    mine = [gateway(n, 0.3 * n) for n in range(5)]
    first = metres_of(mine)
    again = metres_of([replace(one) for one in mine])
    assert all(one is two for one, two in zip(first, again, strict=True))
