"""The film's letters: Chinese is written, and what has no letter is known beforehand."""

import numpy as np
import pytest

from control_room.incident.lettering import Picture, can_write, wide_px, write
from control_room.incident.tags import LONGEST, Legend
from tests.control_room.incident.recordings import person

WHITE = (255, 255, 255)


def drawn(text: str) -> Picture:
    canvas = np.zeros((40, 600, 3), np.uint8)
    write(canvas, text, (4, 28), WHITE)
    return canvas


def test_chinese_is_written_each_sign_as_itself() -> None:
    names = ["张伟", "李娜", "王芳", "欧阳·买买提", "煤矿", "±", "（斜线）", "Łukasz"]
    for name in names:
        assert can_write(name), name
        assert not np.array_equal(drawn(name), drawn("?" * len(name))), name
    assert len({drawn(name).tobytes() for name in names}) == len(names)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\U00020bb7", "a rare sign that the font lacks"),
        ("\ue000", "nobody's sign"),
        ("\u0645\u062d\u0645\u062f", "from right to left"),
        ("e\u0301", "two signs on one place"),
        ("a\u200bb", "a sign that nobody sees"),
        ("a\nb", "a new line"),
        ("\u202eabc", "turns the rest round"),
    ],
)
def test_what_it_has_no_letters_for_is_known(text: str, why: str) -> None:
    assert not can_write(text), why
    legend = Legend()
    assert legend.tag(person(worker=text)) == "*1", "rather a number than a name spelled wrongly"


def test_a_longer_text_takes_more_room_and_none_is_cut() -> None:
    for text in ("Li Wei 12.3 m ±0.2", "张伟 12.3 m ±0.2 躺卧"):
        columns = np.nonzero(drawn(text).any(axis=(0, 2)))[0]
        assert columns.max() - 4 <= wide_px(text) <= columns.max() + 4
    assert legend_tags(["王" * LONGEST, "王" * (LONGEST + 1)]) == ["王" * LONGEST, "*1"]


def legend_tags(names: list[str]) -> list[str]:
    legend = Legend()
    return [legend.tag(person(worker=name)) for name in names]
