from dataclasses import replace

from control_room.clock_watch import BEATS
from control_room.gateway_clock import GatewayClock
from scene.topics import Address
from scene.wire import Envelope
from tests.control_room.fake_gateway import GATEWAY, SITE, health
from tests.control_room.test_room import Hall

BEAT = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic="health")


def beats(hall: Hall, count: int, *, slow_s: float) -> None:
    for _ in range(count):
        hall.clock.sleep(1)
        at_ns = hall.clock.now_ns() - int(slow_s * 1e9)
        said = Envelope(type="health", gateway=GATEWAY, seq=1, sent_at_ns=at_ns, body=health(at_ns))
        hall.room.hear(BEAT, said)


def clock_alarms(hall: Hall) -> list[tuple[str, str]]:
    return [
        (said["anomaly"]["state"], said["evidence_zh"])
        for said in hall.alarms()
        if said["anomaly"]["kind"] == "clock_off"
    ]


def test_a_wrong_clock_is_an_alarm_until_it_is_right() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    beats(hall, BEATS, slow_s=-61.0)
    [(state, chinese)] = clock_alarms(hall)
    assert state == "active"
    assert "快 61.0 秒" in chinese
    beats(hall, 30, slow_s=-61.0)
    assert len(clock_alarms(hall)) == 1
    hall.room = hall.new_room()
    hall.room.join(hall.listen)
    beats(hall, BEATS, slow_s=0.2)
    assert [state for state, _ in clock_alarms(hall)] == ["active", "cleared"]


def test_a_network_that_stalls_for_a_few_seconds_is_no_clock() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    for _ in range(4):
        beats(hall, BEATS, slow_s=0.1)
        beats(hall, BEATS // 2, slow_s=9.0)
    assert clock_alarms(hall) == []


def test_how_well_a_clock_is_known_is_told() -> None:
    clock = GatewayClock()
    assert clock.told is None
    for sent_s in (10.0, 11.0, 12.2):
        heard_ns = round((sent_s // 1 + 0.1) * 1e9)
        clock.shift_ns(
            heard_at_ns=heard_ns, sent_at_ns=int(sent_s * 1e9), captured_at_ns=int(sent_s * 1e9)
        )
    assert clock.told == (0.1, 0.1)
    hall = Hall()
    beats(hall, 3, slow_s=0.25)
    hall.room.hear(
        replace(BEAT, gateway="gw2"),
        Envelope(
            type="health",
            gateway="gw2",
            seq=1,
            sent_at_ns=hall.clock.now_ns(),
            body=health(hall.clock.now_ns()),
        ),
    )
    counted = hall.room.muster(SITE)
    assert counted is not None
    assert counted["clocks"] == [[GATEWAY, 0.25, 0.0], ["gw2", 0.0, 0.0]]
