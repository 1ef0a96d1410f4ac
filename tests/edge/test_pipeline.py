"""What the site file can switch in the pipeline itself."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from edge.pipeline import Pipeline
from scene.messages import Anomaly, Order
from scene.rig import load_rig
from scene.site import load_site
from tests import sample_site
from tests.delivery import parts

DUSTED = sample_site.SAMPLES / "events" / "lens_dust"


@pytest.mark.parametrize("part", ["panorama", "detection"])
def test_local_contrast_is_switched_for_each_by_itself(part: str) -> None:
    site = load_site(DUSTED / "site.yaml")
    section = getattr(site, part).model_copy(update={"local_contrast": True})
    lifted = site.model_copy(update={part: section})
    rig = load_rig(site.rig.file)
    frames = next(islice(sample_site.instants(site), 40, None))
    plain, other = Pipeline(site, rig), Pipeline(lifted, rig)
    found = [pipeline.see(frames) for pipeline in (plain, other)]
    shown = [pipeline.show(frames).panorama for pipeline in (plain, other)]
    same_finds = all(np.array_equal(a.scores, b.scores) for a, b in zip(*found, strict=True))
    assert same_finds == (part == "panorama")
    seen = ~shown[0].unseen
    before, after = (panorama.image.y[seen].astype(float) for panorama in shown)
    if part == "panorama":
        assert after.std() > 1.1 * before.std()
        dark = [panorama.image.y[panorama.unseen] for panorama in shown]
        assert np.array_equal(dark[0], dark[1])  # what nobody sees is not lifted into something
    else:
        assert np.abs(before - after).mean() < 1  # other finds may move a seam, no more


def test_whom_only_blind_cameras_find_is_possibly_there_and_what_they_show_is_unseen() -> None:
    site = load_site(sample_site.SAMPLES / "events" / "quiet" / "site.yaml")
    pipeline = Pipeline(site, load_rig(site.rig.file))
    for frames in islice(sample_site.instants(site), 0, 40, 2):
        pipeline.see(frames)
    before = pipeline.show(frames)
    assert "certainly" in {person.certainty for person in before.positions.people}
    pipeline.take_for_blind(frozenset(frame.camera for frame in frames))
    blind = pipeline.show(frames)
    assert {person.certainty for person in blind.positions.people} == {"possibly"}
    assert blind.panorama.unseen.all() and not before.panorama.unseen.all()
    pipeline.take_for_blind(frozenset())
    assert pipeline.show(frames).positions.people == before.positions.people


def test_an_operator_can_end_an_alarm_that_nobody_here_knows_any_more() -> None:
    site = load_site(DUSTED / "site.yaml")
    pipeline = Pipeline(site, load_rig(site.rig.file))
    lost = Anomaly(
        id="man_down-7-1",
        kind="man_down",
        severity="critical",
        state="active",
        captured_at_ns=10,
        raised_at_ns=5,
        probability=0.9,
        certainty="certainly",
        xyz_m=(1.0, 2.0, 0.0),
    )
    order = Order(alarm=lost.id, action="end", by="Li", reason="carried out", ordered_at_ns=99)
    assert pipeline.hear(order) == ()
    (cleared,) = pipeline.hear(replace(order, about=lost))
    assert (cleared.id, cleared.state, cleared.captured_at_ns) == (lost.id, "cleared", 99)
    assert "Li: carried out" in cleared.evidence
    for other in (replace(lost, id="man_down-8-1"), replace(lost, kind="camera_lost")):
        assert pipeline.hear(replace(order, about=other)) == ()
    pipeline.adopt([lost])
    assert pipeline.hear(replace(order, about=lost)) == (), "the rules end what they know"


def test_an_alarm_that_no_rule_takes_back_is_given_back() -> None:
    site = load_site(DUSTED / "site.yaml")
    limits = site.limits.model_copy(update={"tags": None})
    pipeline = Pipeline(site.model_copy(update={"limits": limits}), load_rig(site.rig.file))
    down = parts.alarm("man_down-7-1")
    placeless = replace(down, id="man_down-8-1", xyz_m=None)
    card = replace(down, id="two_tags-a-1", kind="two_tags")
    assert pipeline.adopt([down, placeless, card]) == (placeless, card)


@pytest.mark.parametrize("part", ["_watch", "_tag_check", "_naming"])
def test_a_part_that_fails_stops_neither_the_picture_nor_the_others(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = load_site(DUSTED / "site.yaml")
    pipeline = Pipeline(site, load_rig(site.rig.file))
    frames = next(islice(sample_site.instants(site), 0, None))

    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    judge = getattr(pipeline, part)
    name = "named" if part == "_naming" else "update"
    monkeypatch.setattr(type(judge), name, fail)
    pipeline.see(frames)
    assert pipeline.show(frames).panorama is not None
    assert "a defect" in pipeline.trouble
    monkeypatch.undo()
    assert pipeline.show(frames).panorama is not None
    assert pipeline.trouble == ""
