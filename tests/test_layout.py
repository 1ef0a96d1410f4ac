from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ["scene", "stitching", "detection", "location", "delivery", "edge", "control_room"]


@pytest.mark.parametrize("name", FOLDERS)
def test_our_folder_wins_over_any_installed_namesake(name: str) -> None:
    assert Path(str(import_module(name).__file__)).parent == ROOT / name
