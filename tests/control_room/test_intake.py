"""Alarms that come together are handed over together; everything else passes them by."""

import threading

import pytest

from control_room import intake
from control_room.intake import MOST_TOGETHER, Intake, Said
from scene.topics import Address
from scene.wire import Envelope
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm, health
from tests.delivery.parts import HANG_S, wait_until


def said(topic: str, number: int = 0) -> Said:
    body = alarm(f"a-{number}", at_ns=5) if topic == "alarm" else health(5)
    address = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic=topic, id=f"a-{number}")
    return address, Envelope(type=topic, gateway=GATEWAY, seq=number, sent_at_ns=5, body=body)


class Ear:
    """Hears alarms, but only when it may."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.together: list[list[int]] = []
        self.others = 0
        self.fails = 0
        self.intake = Intake(self.hear, self.hear_alarms)  # type: ignore[arg-type]

    def hear(self, address: Address, envelope: Envelope) -> None:
        self.others += 1

    def hear_alarms(self, many: list[Said]) -> None:
        assert self.may.wait(HANG_S)
        self.together.append([envelope.seq for _, envelope in many])
        if self.fails:
            self.fails -= 1
            raise ValueError("a mistake of ours")


def test_what_comes_while_the_disk_works_is_stored_in_one_go_and_in_order() -> None:
    ear = Ear()
    for number in range(MOST_TOGETHER + 50):
        ear.intake.hear(*said("alarm", number))
    ear.may.set()
    ear.intake.close()
    assert [one for many in ear.together for one in many] == list(range(MOST_TOGETHER + 50))
    assert len(ear.together) <= 3
    assert max(len(many) for many in ear.together) <= MOST_TOGETHER


def test_a_heartbeat_does_not_wait_for_alarms() -> None:
    ear = Ear()
    ear.intake.hear(*said("alarm"))
    ear.intake.hear(*said("health"))
    assert ear.others == 1
    ear.may.set()
    ear.intake.close()


def test_a_mistake_costs_one_batch_only(capsys: pytest.CaptureFixture[str]) -> None:
    ear = Ear()
    ear.fails = 1
    ear.may.set()
    ear.intake.hear(*said("alarm", 1))
    wait_until(lambda: len(ear.together) == 1)
    ear.intake.hear(*said("alarm", 2))
    ear.intake.close()
    assert ear.together == [[1], [2]]
    assert "a mistake of ours" in capsys.readouterr().err


def test_a_flood_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MOST_WAITING", 20)
    ear = Ear()
    for number in range(100):
        ear.intake.hear(*said("alarm", number))
    ear.may.set()
    ear.intake.close()
    assert sum(len(many) for many in ear.together) <= 22
