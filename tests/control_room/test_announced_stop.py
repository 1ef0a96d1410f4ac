"""A gateway that says goodbye, as `lamproom alarms` tells of it."""

from control_room.alarm_line import line_of
from control_room.alarms import AlarmListener
from control_room.heartbeat import STOPPED_FOR_S
from scene.clock import ReplayClock
from scene.messages import GatewayState
from scene.topics import Address
from scene.wire import Envelope


def test_a_stop_is_told_as_a_warning_and_again_when_it_becomes_critical() -> None:
    clock = ReplayClock(now_ns=10**18)
    listener = AlarmListener(clock)
    for seq, (online, since_ns) in enumerate(((True, 100), (False, 200)), 1):
        listener.hear(
            Address(prefix="mine", site="roadway", gateway="gw1", topic="state"),
            Envelope(
                type="state",
                gateway="gw1",
                seq=seq,
                sent_at_ns=clock.now_ns(),
                body=GatewayState(online=online, since_ns=since_ns),
            ),
        )
    change = listener.next(0.0)
    assert change is not None
    address, anomaly, _ = change
    assert "WARNING" in line_of(address, anomaly)
    assert "it said goodbye" in line_of(address, anomaly)
    assert "CRITICAL" not in line_of(address, anomaly)
    assert listener.next(0.0) is None
    clock.sleep(STOPPED_FOR_S + 1)
    change = listener.next(0.0)
    assert change is not None
    assert "CRITICAL" in line_of(change[0], change[1])
    assert listener.next(0.0) is None
