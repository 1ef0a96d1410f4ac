"""A file from the midst of a run is begun earlier, from what live knew then."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from delivery.recordings.rerun_records import RecordedStep, read_for_a_rerun
from delivery.recordings.run_record import read_run
from edge.byte_ring import ByteRing
from edge.reanalysis.archive import find
from edge.reanalysis.job import Trial, job_of
from edge.reanalysis.run_in import MOST_S, SETTLE_S, enter, recorded_site, run_in_s
from edge.reanalysis.segment import reanalysed
from edge.rerun_pipeline import Beginning, Rerun, Variant
from edge.steps import SteppedPipeline
from scene.rig import load_rig, parse_rig
from scene.site import Site, load_site
from tests.edge.recorded_live import FALL, Live
from tests.edge.test_rerun import altered

SAME = Trial(sites={}, model=None)


def steps_of(path: Path) -> list[RecordedStep]:
    found = read_for_a_rerun(path, lambda _text: None, kinds=("steps",))
    return [one for one in found if isinstance(one, RecordedStep)]


def with_zone(site: Site, **what: float) -> Site:
    zone = {"name": "z", "kind": "area", "polygon_m": [[0, 0], [1, 0], [1, 1]], **what}
    return Site.model_validate(
        site.model_dump(mode="json") | {"zones": [zone]},
        context={"folder": FALL, "check_files": False},
    )


def test_it_is_longer_than_what_rules_count() -> None:
    site = load_site(FALL / "site.yaml")
    assert site.limits.man_down is not None
    assert site.limits.man_down.after_s + SETTLE_S <= run_in_s(site) < MOST_S
    assert run_in_s(with_zone(site, longest_s=900)) == 900 + SETTLE_S
    assert run_in_s(with_zone(site, immobile_after_s=700)) == 700 + SETTLE_S
    assert run_in_s(with_zone(site, longest_s=90_000)) == MOST_S


def test_without_it_an_alarm_behind_a_border_comes_too_late(
    archive: Path, falls: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = find([archive / "fall"]).segments[-1]
    with_it = json.loads(reanalysed(job_of(last, SAME)))
    assert with_it["begins"] == "run_in"
    live = [one for _, one in with_it["recorded"]]
    assert [one for _, one in with_it["again"]] == live
    assert [one["kind"] for one in live] == ["man_down"]
    monkeypatch.setattr("edge.reanalysis.run_in._lead", lambda *_: None)
    without = json.loads(reanalysed(job_of(last, SAME)))
    assert without["begins"] == "midst"
    assert [one for _, one in without["again"]] != live


def test_a_short_one_begins_from_live_s_notes(
    archive: Path, falls: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the midst of an earlier file: who was known goes on with the same numbers."""
    border = steps_of(falls.files[3])[0]
    notes = [one for one in steps_of(falls.files[0]) if one.fields["do"] == "kept"]
    short_s = (border.at_ns - notes[3].at_ns) / 1e9
    run = read_run(falls.files[3])
    assert run is not None
    entry = enter(falls.files[3], falls.files[:3], run, short_s, lambda _text: None)
    assert (entry.begins, entry.run_in_s) == ("run_in", short_s)
    given = [one for one in entry.records if isinstance(one, RecordedStep)]
    assert given[0].fields["do"] == "kept"
    numbers = [one.fields["number"] for one in given]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "nothing seems to lack"
    monkeypatch.setattr("edge.reanalysis.segment.run_in_s", lambda _site: short_s)
    found = json.loads(reanalysed(job_of(find([archive / "fall"]).segments[3], SAME)))
    assert found["limits"] == []
    assert [one[1]["id"] for one in found["again"]] == [one[1]["id"] for one in found["recorded"]]
    (hour,) = found["hours"].values()
    assert hour["only_was"] == hour["only_now"] == 0 and hour["both"] > 0
    assert max(map(int, hour["apart_cm"])) <= 25


def test_what_lasts_is_known_though_it_was_said_long_before(falls: Live) -> None:
    """Cameras that are not trusted, by live's note each second."""
    site = load_site(FALL / "site.yaml")
    ring = ByteRing("steps", 10**6)
    ring.want()
    pipeline = SteppedPipeline(site, load_rig(site.rig.file), ring)
    spread = np.diag([0.02, 0.02, 0.02])
    pipeline.distrust({"cam1": spread, "cam2": None})
    pipeline.take_for_blind(frozenset({"cam2"}))
    pipeline.kept()
    note = json.loads(ring.take()[-1])
    assert note["do"] == "kept"
    run = read_run(falls.files[1])
    assert run is not None
    beginning = Beginning(
        site=recorded_site(run),
        rig=parse_rig(run.rig_yaml, name="rig"),
        model_sha256=run.model_sha256,
        alarms=(),
    )
    again = Rerun([RecordedStep(at_ns=1, fields=note)], Variant(), beginning)
    assert list(again.instants()) == []
    assert again._pipe._blind == {"cam2"}
    assert again._pipe._spreads["cam2"] is None
    np.testing.assert_array_equal(again._pipe._spreads["cam1"], spread)


def test_steps_that_last_come_before_the_run_in(falls: Live, tmp_path: Path) -> None:
    """What was said before the run-in begins, and lasts, is said again at its beginning."""
    number = steps_of(falls.files[2])[2].fields["number"]

    def said(step: dict[str, Any]) -> dict[str, Any]:
        one_more = {**step, "do": "blind", "cameras": ["cam1"]}
        return one_more if step["number"] == number else step

    before = altered(falls.files[2], tmp_path / "before.mcap", said)
    path = altered(falls.files[3], tmp_path / "file.mcap", lambda step: step)
    first, run = steps_of(path)[0], read_run(path)
    assert run is not None
    entry = enter(path, [before], run, 1e-6, lambda _text: None)
    given = [one for one in entry.records if isinstance(one, RecordedStep)]
    assert entry.begins == "run_in"
    assert given[0].fields["do"] == "blind" and given[0].fields["cameras"] == ["cam1"]
    assert given[0].fields["number"] + 1 == given[1].fields["number"]
    assert (given[1].at_ns, entry.border_ns) == (first.at_ns, first.at_ns)
    assert given[0].at_ns < entry.border_ns
