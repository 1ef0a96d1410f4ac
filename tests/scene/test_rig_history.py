import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scene.errors import RigError
from scene.rig import Rig, load_rig, save_rig
from scene.rig_history import (
    MADE_FOR,
    Proposal,
    TurnedCamera,
    apply_proposal,
    drop_proposal,
    former_id,
    former_ids,
    kept_file,
    load_proposal,
    proposal_file,
    replace_rig,
    roll_back,
    rolled_back_from,
    save_proposal,
)
from tests.scene.test_rig import rig


def turned(by_m: float) -> Rig:
    """Give a rig that differs from `rig` in one pose."""
    camera = rig().cameras[0]
    pose = camera.camera_from_mine.copy()
    pose[0, 3] += by_m
    return replace(rig(), cameras=(replace(camera, camera_from_mine=pose),))


def proposal(new: Rig, of: str) -> Proposal:
    camera = TurnedCamera(
        camera="cam1",
        turn_deg=1.9,
        old_px=16.8,
        new_px=0.3,
        points=66,
        overlap_old_px=16.0,
        overlap_new_px=0.04,
    )
    return Proposal(rig=new, of=of, found_at_ns=1_790_000_000_000_000_000, cameras=(camera,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_rig(rig(), tmp_path / "rig.yaml")
    return tmp_path / "rig.yaml"


def test_a_proposal_is_applied_and_rolled_back_to_the_same_bytes_and_a_note(path: Path) -> None:
    before = path.read_bytes()
    new = turned(0.1)
    save_proposal(proposal(new, rig().id), path)
    read = load_proposal(path)
    assert (read.rig.id, read.of, read.cameras) == (new.id, rig().id, proposal(new, "").cameras)
    assert load_rig(proposal_file(path)).id == new.id
    assert apply_proposal(path).rig.id == new.id
    assert load_rig(path).id == new.id
    assert not proposal_file(path).exists()
    assert former_ids(path) == (rig().id,)
    assert roll_back(path) == (new.id, rig().id)
    note = f"rolled_back_from: {new.id}\n".encode()
    assert path.read_bytes().replace(note, b"") == before != path.read_bytes()
    assert load_rig(kept_file(path, new.id)).id == new.id
    with pytest.raises(RigError, match="no rig before"):
        roll_back(path)


def test_what_was_rolled_back_is_noted_until_another_rig_is_put_in_its_place(path: Path) -> None:
    replace_rig(rig(), path, {MADE_FOR: {"site": "s"}})
    replace_rig(turned(0.1), path)
    assert rolled_back_from(path) is None
    roll_back(path)
    assert rolled_back_from(path) == turned(0.1).id
    assert MADE_FOR in path.read_text() and former_id(path) is None
    save_proposal(proposal(turned(0.2), rig().id), path)
    apply_proposal(path)
    assert rolled_back_from(path) is None
    roll_back(path)
    assert rolled_back_from(path) == turned(0.2).id, "the kept file's own note is of before"
    assert former_ids(path) == ()
    assert rolled_back_from(tmp := path.with_name("none.yaml")) is None and not tmp.exists()


def test_one_can_go_back_step_by_step(path: Path) -> None:
    ids = [rig().id]
    for step in (1, 2, 3):
        assert replace_rig(turned(step / 10), path) == ids[-1]
        ids.append(load_rig(path).id)
    assert former_ids(path) == tuple(ids[-2::-1])
    for left, now in zip(ids[:0:-1], ids[-2::-1], strict=True):
        assert roll_back(path) == (left, now)
        assert load_rig(path).id == now


def test_writing_the_same_rig_again_keeps_what_was_before_it(path: Path) -> None:
    new = turned(0.1)
    replace_rig(new, path)
    once = path.read_bytes()
    assert replace_rig(new, path) == rig().id
    assert path.read_bytes() == once
    assert former_ids(path) == (rig().id,)


def test_the_first_rig_has_none_before_it_nor_has_one_over_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    assert former_id(path) is None
    assert replace_rig(rig(), path) is None
    path.write_text("rubbish: [", encoding="utf-8")
    assert replace_rig(turned(0.1), path) is None
    assert load_rig(path).id == turned(0.1).id


def test_without_a_proposal_nothing_is_applied(path: Path) -> None:
    with pytest.raises(RigError, match=r"rig\.proposed\.yaml: there is no proposal"):
        apply_proposal(path)


def test_a_proposal_for_another_rig_is_not_applied(path: Path) -> None:
    save_proposal(proposal(turned(0.1), rig().id), path)
    calibrated = turned(0.5)
    save_rig(calibrated, path)
    with pytest.raises(RigError, match=f"made for rig {rig().id}.*is {calibrated.id} by now"):
        apply_proposal(path)
    assert load_rig(path).id == calibrated.id


def test_a_proposal_in_force_is_not_applied_again(path: Path) -> None:
    save_proposal(proposal(rig(), "before"), path)
    with pytest.raises(RigError, match="in force already"):
        apply_proposal(path)


def test_a_proposal_changed_by_hand_is_refused(path: Path) -> None:
    save_proposal(proposal(turned(0.1), rig().id), path)
    file = proposal_file(path)
    file.write_text(file.read_text().replace("max_angle_rad: 0.8", "max_angle_rad: 0.7"))
    with pytest.raises(RigError, match="changed by hand"):
        apply_proposal(path)


@pytest.mark.parametrize("broken", ["points: many", "pointz: 66"])
def test_a_damaged_proposal_names_file_and_remedy(path: Path, broken: str) -> None:
    save_proposal(proposal(turned(0.1), rig().id), path)
    file = proposal_file(path)
    file.write_text(file.read_text().replace("points: 66", broken))
    with pytest.raises(RigError, match=r"rig\.proposed\.yaml: proposal.*delete it"):
        load_proposal(path)
    save_rig(rig(), file)
    with pytest.raises(RigError, match="field proposal is missing"):
        load_proposal(path)


def test_a_former_rig_that_is_gone_or_another_is_not_put_back(path: Path) -> None:
    replace_rig(turned(0.1), path)
    kept, now = kept_file(path, rig().id), path.read_bytes()
    save_rig(turned(0.2), kept)
    with pytest.raises(RigError, match="holds another rig"):
        roll_back(path)
    kept.unlink()
    with pytest.raises(RigError, match="is gone"):
        roll_back(path)
    assert path.read_bytes() == now


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_can_not_be_written_is_named(path: Path) -> None:
    save_proposal(proposal(turned(0.1), rig().id), path)
    path.parent.chmod(0o500)
    try:
        with pytest.raises(RigError, match="can't be written"):
            apply_proposal(path)
        with pytest.raises(RigError, match="can't be deleted"):
            drop_proposal(path)
    finally:
        path.parent.chmod(0o700)
    assert load_rig(path).id == rig().id


def test_a_history_that_is_no_folder_changes_nothing(path: Path) -> None:
    path.with_suffix(".history").write_text("in the way", encoding="utf-8")
    save_proposal(proposal(turned(0.1), rig().id), path)
    with pytest.raises(RigError, match="can't be written"):
        apply_proposal(path)
    assert load_rig(path).id == rig().id
    assert np.allclose(load_rig(path).cameras[0].k, rig().cameras[0].k)
