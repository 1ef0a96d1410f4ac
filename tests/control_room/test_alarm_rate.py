import pytest

from control_room.alarm_rate import FLOOD_PER_10_MIN, Raise, alarm_rate
from control_room.lifecycle import Key
from scene.messages import Severity

S_NS = 1_000_000_000
NOW_NS = 1_790_000_000 * S_NS


def raised(
    age_s: float,
    kind: str = "camera_lost",
    place: str = "c1",
    severity: Severity = "warning",
    gateway: str = "gw1",
) -> Raise:
    return Raise(
        key=Key(site="roadway", gateway=gateway, alarm=f"{kind}-{age_s}"),
        kind=kind,
        severity=severity,
        place=place,
        stored_at_ns=NOW_NS - int(age_s * S_NS),
    )


def test_rates_are_per_operator_and_per_window() -> None:
    ages_s = [-5, 10, 599, 601, 3599, 3601, 8 * 3600 - 1, 8 * 3600 + 1]
    one = alarm_rate(map(raised, ages_s), [], now_ns=NOW_NS)
    assert (one.last_10_min, one.last_hour, one.shift_per_hour) == (2, 4, 6 / 8)
    two = alarm_rate(map(raised, ages_s), [], now_ns=NOW_NS, operators=2)
    assert (two.operators, two.last_10_min, two.last_hour) == (2, 1, 2)
    assert two.shift_per_hour == 3 / 8
    assert (one.acceptable_per_hour, one.most_per_hour, one.flood_per_10_min) == (6, 12, 10)


def test_more_than_ten_in_ten_minutes_are_a_flood_for_one_operator() -> None:
    ten = [raised(i) for i in range(FLOOD_PER_10_MIN)]
    assert not alarm_rate(ten, [], now_ns=NOW_NS).flood
    assert alarm_rate([*ten, raised(599)], [], now_ns=NOW_NS).flood
    assert not alarm_rate([*ten, raised(601)], [], now_ns=NOW_NS).flood
    assert not alarm_rate([*ten, raised(599)], [], now_ns=NOW_NS, operators=2).flood


def test_the_worst_ten_minutes_of_the_shift_are_remembered() -> None:
    burst = [raised(7000 + 100 * i) for i in range(7)]
    found = alarm_rate([raised(1), *burst], [], now_ns=NOW_NS)
    assert found.worst_10_min == 6, "6 fit into 10 minutes, a seventh is 600 s from the first"
    assert found.last_10_min == 1


def test_shares_and_offenders() -> None:
    listed = [
        raised(1),
        raised(2),
        raised(3, gateway="gw2"),
        raised(4, "man_down", "belt", "critical"),
    ]
    found = alarm_rate(listed, [], now_ns=NOW_NS)
    assert found.share == {"critical": 0.25, "warning": 0.75, "notice": 0.0}
    worst = found.offenders[0]
    assert (worst.kind, worst.place, worst.gateway, worst.count) == ("camera_lost", "c1", "gw1", 2)
    assert len(found.offenders) == 3


def test_standing_alarms_are_those_active_for_over_a_day() -> None:
    active = [raised(86_399), raised(86_401), raised(900_000)]
    found = alarm_rate([], active, now_ns=NOW_NS)
    assert [one.key.alarm for one in found.standing] == [
        "camera_lost-900000",
        "camera_lost-86401",
    ]
    assert sum(found.share.values()) == 0
    assert found.last_hour == found.worst_10_min == 0


@pytest.mark.parametrize("operators", [1, 3])
def test_nothing_raised_is_no_trouble(operators: int) -> None:
    found = alarm_rate([], [], now_ns=NOW_NS, operators=operators)
    assert found.offenders == ()
    assert not found.flood
