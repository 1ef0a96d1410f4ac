"""The sample site end to end, loosely: later work makes each part the best and tightens these."""

import numpy as np
import pytest

from scene.rig import load_rig
from tests import sample_site

pytestmark = pytest.mark.skipif(
    not (sample_site.FOLDER / "site.yaml").exists(), reason="the sample site is not here"
)


def test_the_shipped_rig_joins_the_cameras() -> None:
    errors_px = sample_site.tie_point_errors(load_rig(sample_site.FOLDER / "rig.yaml"))
    assert len(errors_px) > 100
    assert np.median(errors_px) < 1.5


def test_the_panorama_is_painted_by_every_camera_and_says_where_nobody_looks() -> None:
    panorama = sample_site.run().outputs[-1].picture.panorama
    assert set(np.unique(panorama.painter)) - {255} == {0, 1, 2, 3}
    assert np.array_equal(panorama.unseen, panorama.painter == 255)
    assert panorama.unseen.mean() < 0.35


def test_people_are_followed_in_metres() -> None:
    found = sample_site.location_score()
    assert np.median(found.errors_m) < 0.4
    assert np.percentile(found.errors_m, 95) < 1.0
    assert found.missed < 0.25 * found.wanted
    assert found.false < 0.10 * found.wanted
    assert found.idf1 > 0.7
    assert found.switches <= 6


def test_the_panorama_shows_nearly_everybody() -> None:
    shown = total = 0
    for output in sample_site.run().outputs[20::10]:
        _, height = output.picture.panorama.image.size_px
        for person in output.picture.positions.people:
            total += 1
            if person.panorama_xy is None or person.panorama_head_xy is None:
                continue
            shown += person.panorama_head_xy[1] < height and person.panorama_xy[1] > 0
    assert total > 20
    assert shown > 0.95 * total


def test_every_event_raises_its_alarm_and_nothing_else_does() -> None:
    found = sample_site.alarm_score()
    assert found.events >= 2
    assert found.raised == found.events
    assert found.false == 0
    assert found.worst_delay_s < 6.0
    assert found.worst_place_m < 1.0
