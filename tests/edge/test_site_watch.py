"""The site file may change while the gateway runs."""

import os
from pathlib import Path

import pytest

from edge.site_watch import SiteWatch
from scene.site import Site, load_site
from tests.delivery.parts import SITE

ZONE = "zones: [{name: belt, polygon_m: [[1, -1], [5, -1], [5, 1]]}]\n"


class File:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "site.yaml"
        self._moment = 0
        self.write(SITE)

    def write(self, text: str) -> None:
        """Write; each time at another moment, however quick the machine."""
        self._moment += 1
        self.path.write_text(text, encoding="utf-8")
        os.utime(self.path, (self._moment, self._moment))

    def read(self) -> Site:
        return load_site(self.path)


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> File:
    return File(tmp_path)


@pytest.fixture(name="watch")
def _watch(file: File) -> SiteWatch:
    return SiteWatch(file.path, file.read(), file.read)


def test_zones_gates_and_limits_come_once_for_each_change(file: File, watch: SiteWatch) -> None:
    assert watch.poll() is None
    file.write(SITE + ZONE + "limits: {man_down: {after_s: 9.0}}\n")
    changed = watch.poll()
    assert changed is not None
    assert [zone.name for zone in changed.zones] == ["belt"]
    assert changed.limits.man_down.after_s == 9.0
    assert watch.poll() is None
    assert watch.trouble == ""
    file.write(SITE + ZONE + "limits: {man_down: {after_s: 9.0}}\n")
    assert watch.poll() is None, "written anew, but the same"


def test_what_was_changed_while_the_gateway_started_is_not_missed(file: File) -> None:
    site = file.read()
    file.write(SITE + ZONE)
    assert SiteWatch(file.path, site, file.read).poll() is not None


def test_what_needs_a_start_is_named_and_left(file: File, watch: SiteWatch) -> None:
    more = "limits: {camera: {stalled_after_s: 1.0}}\ndetection: {max_fps: 3.0}\n"
    file.write(SITE + ZONE + more)
    changed = watch.poll()
    assert changed is not None
    assert changed.limits.camera.stalled_after_s == 2.0
    assert changed.detection.max_fps == 10.0
    assert "detection, limits.camera" in watch.trouble
    file.write(SITE + ZONE)
    assert watch.poll() is None
    assert watch.trouble == ""


def test_limits_of_acceptance_tests_are_none_of_a_gateways_business(
    file: File, watch: SiteWatch
) -> None:
    file.write(SITE + ZONE + "acceptance: {delay_s: 3}\n")
    watch.poll()
    assert watch.trouble == ""


def test_a_file_with_mistakes_changes_nothing_and_is_told_of(file: File, watch: SiteWatch) -> None:
    file.write(SITE + "zones: [{name: belt}]\n")
    assert watch.poll() is None
    assert "polygon_m" in watch.trouble
    file.path.unlink()
    assert watch.poll() is None
    assert "no such site file" in watch.trouble
    file.write(SITE + ZONE)
    assert watch.poll() is not None
    assert watch.trouble == ""


def test_a_slip_that_puts_a_zone_off_the_floor_does_not_switch_it_off(
    file: File, watch: SiteWatch
) -> None:
    file.write(SITE + ZONE)
    assert watch.poll() is not None
    file.write(SITE + ZONE.replace("[1, -1], [5, -1], [5, 1]", "[181, -1], [185, -1], [185, 1]"))
    assert watch.poll() is None, "the former zone stays in force"
    assert "has mistakes" in watch.trouble and "beyond the floor" in watch.trouble
