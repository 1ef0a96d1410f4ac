import pytest

from detection.kinds import kinds_of
from scene.errors import ModelError


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Person", 0), ("coal_miner", 0), ("Hardhat", 1), ("NO-Hardhat", 2), ("head", 2), ("Fall", 3)],
)
def test_names_that_are_understood(name: str, kind: int) -> None:
    assert kinds_of([name, "person"], {}, model="m.onnx")[0] == kind


def test_others_are_ignored() -> None:
    assert kinds_of(["person", "vest", "car"], {}, model="m.onnx") == (0, -1, -1)


def test_nobody_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"m\.onnx: no class of this model is a person.*'car'"):
        kinds_of(["car", "dog"], {}, model="m.onnx")


def test_a_class_that_is_not_there() -> None:
    with pytest.raises(ModelError, match=r"detection\.kinds names 'miner'"):
        kinds_of(["person"], {"miner": "person"}, model="m.onnx")
