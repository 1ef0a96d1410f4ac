"""What a drill sees of the outbox, with alarms put there by hand."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from edge.faults.drill import Drill
from edge.faults.record import GatewayRecord
from tests.delivery.parts import alarm, site


def a_drill(folder: Path, said: list[str]) -> Drill:
    return Drill(
        site=site(folder),
        folder=folder / "state",
        gateway=GatewayRecord(pid=1, started_s=1.0, services={}),
        within_s=None,
        say=said.append,
    )


def test_alarms_about_a_name_that_begins_alike_are_not_mixed_up(tmp_path: Path) -> None:
    with closing(a_drill(tmp_path, [])) as drill:
        for id in ("camera_lost-cam1-17", "camera_lost-cam1-left-17", "storage-17"):
            drill.outbox.put(alarm(id))
        assert [one.id for one in drill.active(["camera_lost"], "cam1")] == ["camera_lost-cam1-17"]
        assert [one.id for one in drill.active(["storage"], "")] == ["storage-17"]


def test_an_alarm_of_before_the_fault_is_not_what_is_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    with closing(a_drill(tmp_path, said)) as drill:
        drill.outbox.put(alarm("storage-1"))
        drill.begin("filling")
        assert drill.wait_for_alarm(["storage"], "", 0.05) == ()
        assert drill.missed == ["alarm storage raised"]
        drill.outbox.put(replace(alarm("storage-2"), raised_at_ns=drill.begun_ns))
        (found,) = drill.wait_for_alarm(["storage"], "", 60.0)
        assert found.id == "storage-2"
        drill.wait_for_receipt((found,), 0.05)
        assert drill.missed[1:] == ["alarm man_down in the control room's journal (receipt)"]
        drill.outbox.receipt("storage-2", "active")
        drill.wait_for_receipt((found,), 60.0)
    assert said[0] == "filling"
    assert said[1] == "NOT SEEN within 0.05 s: alarm storage raised"
    assert said[2].startswith("alarm storage raised after ")
    assert len(drill.missed) == 2
