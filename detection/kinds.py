"""What a model's class names mean to us: person, helmet, head or fallen.

Knows nothing about ONNX, pictures or boxes.
"""

import re
from collections.abc import Mapping, Sequence

from scene.errors import ModelError
from scene.messages import KINDS

NAMES_OF_KIND = {
    "person": (
        *("person", "people", "persons", "pedestrian", "human", "man", "worker", "workers"),
        *("miner", "miners", "personnel", "coal miner", "mine worker", "mine personnel"),
    ),
    "helmet": ("helmet", "hardhat", "hard hat", "safety helmet", "with helmet", "helmet on"),
    "head": (
        *("head", "bare head", "no helmet", "no hardhat", "no hard hat", "without helmet"),
        *("no safety helmet", "helmet off"),
    ),
    "fallen": ("fallen", "fall", "falling", "fallen person", "person fallen", "down", "lying"),
}
"""Class names that are understood without configuration; case, `-` and `_` do not matter."""

IGNORED = -1


def plain(name: str) -> str:
    """Write a class name the way `NAMES_OF_KIND` does.

    >>> plain("NO-Hardhat"), plain("SafetyHelmet")
    ('no hardhat', 'safety helmet')
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.sub(r"[\s_-]+", " ", spaced).strip().lower()


def kinds_of(names: Sequence[str], configured: Mapping[str, str], *, model: str) -> tuple[int, ...]:
    """Say for each class of a model which of `KINDS` it is, or `IGNORED`.

    `configured` maps class names to a kind or to `ignore` and goes before the names that are
    understood anyway. Raises `ModelError` if a configured class is not in the model, or if
    nothing in the model is a person, a fallen one included.

    >>> kinds_of(["Hardhat", "car", "Person"], {}, model="m.onnx")
    (1, -1, 0)
    """
    strangers = sorted(set(configured) - set(names))
    if strangers:
        raise ModelError(
            f"{model}: detection.kinds names {strangers[0]!r}, which is no class of this model; "
            f"it has {_shown(names)}"
        )
    known = {name: kind for kind, group in NAMES_OF_KIND.items() for name in group}
    words = [configured.get(name) or known.get(plain(name), "ignore") for name in names]
    if not {"person", "fallen"} & set(words):
        raise ModelError(
            f"{model}: no class of this model is a person; it has {_shown(names)}. If one of them "
            "is, say so under detection.kinds, as `<class>: person`"
        )
    return tuple(KINDS.index(word) if word in KINDS else IGNORED for word in words)


def _shown(names: Sequence[str]) -> str:
    some = ", ".join(repr(name) for name in names[:10])
    return some + (f" and {len(names) - 10} more" if len(names) > 10 else "")
