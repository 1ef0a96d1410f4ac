"""A live run whose disk hangs: picture, positions and heartbeats go on, and it is said."""

import threading
from pathlib import Path

import pytest

from edge import live
from edge.options import RunOptions
from edge.people_file import NAME, PeopleFile
from edge.view.book import SAVE_EVERY_S
from edge.view.watch import ViewWatch
from scene.messages import GatewayHealth, Positions
from tests.delivery.parts import wait_until
from tests.edge.test_live import HANG_S, Taken, site_file
from tests.edge.view_day import CLIP, Day, film
from tests.faults.loop_disk import loop_disk, no_loop_disk, stalled

__all__ = ["site_file"]
pytestmark = pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk())
SAID = f"{NAME}: can't be written: its disk does not answer"


def test_a_disk_that_hangs_stops_neither_picture_nor_heartbeat(
    site_file: Path, tmp_path: Path
) -> None:
    taken, over = Taken(), threading.Event()

    def run(state_folder: Path) -> None:
        options = RunOptions(site_file=site_file, loop=True, state_folder=state_folder)
        live.run_cameras(options, taken, lambda: None, over.is_set, in_processes=False)

    def told() -> bool:
        return bool(taken.beats()) and SAID in taken.beats()[-1].degraded

    with loop_disk(tmp_path) as (_, disk):
        thread = threading.Thread(target=run, args=(disk,), daemon=True)
        with stalled(disk):
            thread.start()
            for _ in range(round(HANG_S / 0.1)):
                if told():
                    break
                over.wait(0.1)
            assert told(), taken.beats()[-1:]
            since = len(taken.results)
            for _ in range(round(HANG_S / 0.1)):
                new = [type(one) for one in taken.results[since:]]
                if new.count(GatewayHealth) >= 3 and new.count(Positions) >= 3:
                    break
                over.wait(0.1)
            else:
                raise AssertionError("neither heartbeats nor positions go on")
        for _ in range(round(HANG_S / 0.1)):
            if taken.beats()[-1].degraded == "":
                break
            over.wait(0.1)
        over.set()
        thread.join(HANG_S)
        assert not thread.is_alive()
        assert taken.beats()[-1].degraded == ""
        assert (disk / NAME).exists()


def test_at_the_end_alarms_come_before_all_else_that_waits_for_the_disk(
    site_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, over = Taken(), threading.Event()
    settled: list[str] = []
    for kept in (PeopleFile, ViewWatch):

        def noted(it: object, limit_s: float, name: str = kept.__name__) -> bool:
            settled.append(name)
            return False

        monkeypatch.setattr(kept, "settle", noted)

    def run(state_folder: Path) -> None:
        options = RunOptions(site_file=site_file, loop=True, state_folder=state_folder)
        live.run_cameras(
            options,
            taken,
            lambda: None,
            over.is_set,
            in_processes=False,
            settle=lambda _: settled.append("alarms"),
        )

    with loop_disk(tmp_path) as (_, disk):
        thread = threading.Thread(target=run, args=(disk,), daemon=True)
        with stalled(disk):
            thread.start()
            wait_until(lambda: any(SAID in beat.degraded for beat in taken.beats()))
            over.set()
            thread.join(HANG_S)
            assert not thread.is_alive()
    assert settled == ["alarms", "PeopleFile", "ViewWatch"]


@pytest.mark.skipif(not CLIP.exists(), reason="the sample clips are not here")
def test_looking_whether_cameras_see_waits_for_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.view.book.STALLED_S", 0.1)
    looked: list[int] = []
    with loop_disk(tmp_path) as (_, disk):
        day = Day(disk)
        day.run(10)

        def look() -> None:
            for number in range(5):
                day.clock.sleep(SAVE_EVERY_S)
                day.watch.look(film()[number])
                looked.append(number)

        thread = threading.Thread(target=look, daemon=True)
        with stalled(disk):
            thread.start()
            thread.join(HANG_S)
            assert len(looked) == 5
            wait_until(lambda: "usually show can't be written: its disk" in day.watch.trouble)
        assert day.watch.settle(HANG_S)
        assert day.watch.trouble == ""
