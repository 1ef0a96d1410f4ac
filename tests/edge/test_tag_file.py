"""A tag system that is a file."""

from pathlib import Path

import pytest

from delivery.memory import MemoryBroker
from edge.inlet import Inlet
from edge.tag_file import TagFile, TagPlayer, length_s
from scene.errors import LamproomError
from scene.messages import Tags
from tests.delivery import parts
from tests.sample_site import SAMPLES

S = 1_000_000_000
LINES = """\
{"t_s": 0.2, "tag": "a", "xy_m": [1.0, 2.0], "sigma_m": 0.3}

{"t_s": 1.4, "tag": "b", "xy_m": [3, 4], "sigma_m": 0.3, "worker": "Li"}
"""


def test_fixes_come_when_their_time_has_come(tmp_path: Path) -> None:
    (tmp_path / "tags.jsonl").write_text(LINES)
    file = TagFile(tmp_path / "tags.jsonl", 100 * S)
    assert file.take(100 * S) == ()
    (first,) = file.take(round(100.6 * S))
    assert [(fix.tag, fix.at_ns) for fix in first.fixes] == [("a", round(100.2 * S))]
    assert file.take(round(100.7 * S)) == ()
    (second,) = file.take(102 * S)
    assert [(fix.tag, fix.worker) for fix in second.fixes] == [("b", "Li")]
    assert file.take(200 * S) == ()


def test_a_loop_begins_again_with_the_cameras(tmp_path: Path) -> None:
    (tmp_path / "tags.jsonl").write_text(LINES)
    file = TagFile(tmp_path / "tags.jsonl", 100 * S, loop_s=2.0)
    heard = [fix for tags in file.take(round(104.5 * S)) for fix in tags.fixes]
    assert [fix.at_ns / S - 100 for fix in heard] == pytest.approx([0.2, 1.4, 2.2, 3.4, 4.2])


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "7",
        '{"tag": "a"}',
        '{"t_s": 1, "tag": "a", "xy_m": [1], "sigma_m": 1}',
        '{"t_s": 1, "tag": "a", "xy_m": [1, NaN], "sigma_m": 1}',
        '{"t_s": 1, "tag": "a", "xy_m": [1, 2], "sigma_m": 1, "worker": 7}',
    ],
)
def test_a_line_that_is_no_fix_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "tags.jsonl").write_text(LINES + line + "\n")
    with pytest.raises(LamproomError, match=r"tags\.jsonl:4: is no fix"):
        TagFile(tmp_path / "tags.jsonl", 0)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LamproomError, match=r"none\.jsonl: can't be read"):
        TagFile(tmp_path / "none.jsonl", 0)


def test_a_clips_length_is_that_of_its_frames() -> None:
    assert length_s(SAMPLES / "roadway" / "cam1.mp4") == pytest.approx(16.0)
    assert length_s(SAMPLES / "roadway" / "site.yaml") is None


def test_everybody_hears_what_is_played(tmp_path: Path) -> None:
    (tmp_path / "tags.jsonl").write_text(LINES)
    broker = MemoryBroker()
    inlet = Inlet(parts.site(tmp_path), broker.connection())
    file = TagFile(tmp_path / "tags.jsonl", 100 * S)
    player = TagPlayer(file, broker.connection(), "roadway")
    for tenth in range(30):
        player.play(100 * S + tenth * S // 10)
    heard = [one for one in inlet.take() if isinstance(one, Tags)]
    assert [fix.tag for tags in heard for fix in tags.fixes] == ["a", "b"]
