from pathlib import Path

import pytest

from edge.main import main
from scene.rig import load_rig, save_rig
from scene.rig_history import Proposal, TurnedCamera, proposal_file, save_proposal
from tests.edge.knock_day import SITE, two_cameras
from tests.edge.test_rig_watch import turned


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    save_rig(two_cameras(), tmp_path / "rig.yaml")
    return path


def propose(site_file: Path, of: str, shifted: bool = False) -> None:
    camera = TurnedCamera(
        camera="cam2", turn_deg=1.4, old_px=12.3, new_px=0.25, points=88, shifted=shifted
    )
    proposal = Proposal(
        rig=turned(), of=of, found_at_ns=1_790_000_000_000_000_000, cameras=(camera,)
    )
    save_proposal(proposal, site_file.parent / "rig.yaml")


def test_show_apply_rollback(site_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = site_file.parent / "rig.yaml"
    assert main(["rig", "show", str(site_file)]) == 0
    out = capsys.readouterr().out
    assert two_cameras().id in out
    assert "former rigs, latest first: none" in out
    assert "proposed: nothing" in out
    propose(site_file, two_cameras().id)
    assert main(["rig", "show", str(site_file)]) == 0
    out = capsys.readouterr().out
    assert f"proposed: rig {turned().id}, found 2026-09-21" in out
    assert "cam2: turned by 1.40 degrees; off by 12.3 px before, 0.25 px after" in out
    assert main(["rig", "apply", str(site_file)]) == 0
    assert f"rig {turned().id} follows {two_cameras().id}" in capsys.readouterr().out
    assert load_rig(rig).id == turned().id
    assert main(["rig", "show", str(site_file)]) == 0
    assert f"latest first: {two_cameras().id}" in capsys.readouterr().out
    assert main(["rig", "rollback", str(site_file)]) == 0
    assert f"rig {two_cameras().id} is back" in capsys.readouterr().out
    assert load_rig(rig).id == two_cameras().id
    assert main(["rig", "show", str(site_file)]) == 0
    out = capsys.readouterr().out
    assert f"put back from {turned().id}: nothing is applied by itself" in out
    propose(site_file, two_cameras().id)
    assert main(["rig", "apply", str(site_file)]) == 0
    capsys.readouterr()
    assert main(["rig", "show", str(site_file)]) == 0
    assert "put back" not in capsys.readouterr().out
    assert load_rig(rig).id == turned().id


@pytest.mark.parametrize("action", ["apply", "rollback"])
def test_with_nothing_to_do_it_is_one_line_and_2(
    site_file: Path, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rig", action, str(site_file)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lamproom rig: ")
    assert said.count("\n") == 1


def test_what_does_not_fit_together_is_said(
    site_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    propose(site_file, "0123456789ab", shifted=True)
    assert main(["rig", "show", str(site_file)]) == 0
    out = capsys.readouterr().out
    assert "made for 0123456789ab and can't be applied" in out
    assert "shifted, too: calibrate again" in out
    assert main(["rig", "apply", str(site_file)]) == 2
    assert "was made for rig 0123456789ab" in capsys.readouterr().err
    proposal_file(site_file.parent / "rig.yaml").write_text("rubbish: [", encoding="utf-8")
    assert main(["rig", "show", str(site_file)]) == 0
    assert "proposed: " in capsys.readouterr().out
    (site_file.parent / "rig.yaml").unlink()
    assert main(["rig", "show", str(site_file)]) == 2
    assert "no rig file yet" in capsys.readouterr().err
