from pathlib import Path

from delivery.memory import MemoryBroker
from delivery.outbox import Outbox
from delivery.publisher import Publisher
from edge.announcement import Announcement
from edge.options import RunOptions
from scene.clock import SystemClock
from scene.messages import SiteDescription
from scene.rig import save_rig
from scene.rig_history import replace_rig, roll_back
from scene.site import Site
from scene.topics import topic_filter
from scene.wire import decode
from tests.edge.knock_day import SITE, two_cameras
from tests.edge.test_rig_watch import turned

ZONES = """\
zones:
  - {name: fixed, polygon_m: [[1, -1], [2, -1], [2, 1]]}
  - {name: shearer, kind: danger, follows: shearer1, polygon_m: [[-1, -1], [1, -1], [1, 1]]}
"""


def test_viewers_are_told_when_panoramas_come_from_another_rig(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    rig = tmp_path / "rig.yaml"
    save_rig(two_cameras(), rig)
    options, clock = RunOptions(site_file=path), SystemClock()
    site, broker = options.site(), MemoryBroker()
    heard: list[str] = []
    zones: list[tuple[str, ...]] = []

    def hear(topic: str, payload: bytes, retained: bool) -> None:
        body = decode(payload).body
        assert isinstance(body, SiteDescription)
        heard.append(body.geometry)
        zones.append(tuple(zone.name for zone in body.zones))

    listener = broker.connection()
    listener.subscribe(topic_filter("site"), 1, hear)
    outbox = Outbox(tmp_path / "state", clock)
    publisher = Publisher(site, broker.connection(), outbox, clock)
    announcement = Announcement(site, options, publisher, "ws://127.0.0.1:1/panorama")
    first, second = two_cameras().id, turned().id
    announcement.follow(first)
    replace_rig(turned(), rig)
    announcement.follow(first)
    assert heard == [first], "not before a panorama comes from it"
    announcement.follow(second)
    announcement.follow(second)
    assert heard == [first, second]
    path.write_text(f"{SITE}\n{ZONES}", encoding="utf-8")
    announcement.follow(second)
    announcement.follow(second)
    assert heard == [first, second, second], "once more for other zones"
    assert zones[-1] == ("fixed",), "one that follows a machine has no place in the mine"
    del heard[-1]
    path.unlink()
    roll_back(rig)
    announcement.follow(first)
    assert heard == [first, second, first]
    announcement.follow("0123456789ab")
    assert heard == [first, second, first], "a late panorama of a rig that is no longer there"
    rig.unlink()
    announcement.follow(second)
    assert heard == [first, second, first], "without a rig there is nothing to say"
    publisher.going_offline()
    outbox.close()


def test_a_site_file_that_vanishes_while_it_is_read_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    save_rig(two_cameras(), tmp_path / "rig.yaml")

    class Vanishing(RunOptions):
        def site_as_written(self) -> Site:
            site = RunOptions.site_as_written(self)
            if site.zones:  # an editor puts a new file in place of the old one just now
                path.unlink()
            return site

    options, clock = Vanishing(site_file=path), SystemClock()
    site, broker = options.site(), MemoryBroker()
    zones: list[tuple[str, ...]] = []

    def hear(topic: str, payload: bytes, retained: bool) -> None:
        body = decode(payload).body
        assert isinstance(body, SiteDescription)
        zones.append(tuple(zone.name for zone in body.zones))

    broker.connection().subscribe(topic_filter("site"), 1, hear)
    outbox = Outbox(tmp_path / "state", clock)
    publisher = Publisher(site, broker.connection(), outbox, clock)
    announcement = Announcement(site, options, publisher, "ws://127.0.0.1:1/panorama")
    path.write_text(f"{SITE}\n{ZONES}", encoding="utf-8")
    announcement.follow(two_cameras().id)
    assert zones == [(), ("fixed",)]
    publisher.going_offline()
    outbox.close()


def test_a_sender_without_a_rig_file_sends_alarms_all_the_same(tmp_path: Path) -> None:
    """It may have been started anew while somebody writes the rig file."""
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    options, clock, broker = RunOptions(site_file=path), SystemClock(), MemoryBroker()
    outbox = Outbox(tmp_path / "state", clock)
    publisher = Publisher(options.site(), broker.connection(), outbox, clock)
    announcement = Announcement(options.site(), options, publisher, "ws://127.0.0.1:1/panorama")
    save_rig(two_cameras(), tmp_path / "rig.yaml")
    announcement.follow(two_cameras().id)
    assert [topic for topic in broker.retained if topic.endswith("/site")]
    publisher.going_offline()
    outbox.close()
