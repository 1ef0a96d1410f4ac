"""Prometheus's text format, version 0.0.4: families of figures into lines.

Knows nothing about what the figures mean. Source: prometheus.io, "Exposition formats".
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One figure."""

    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """All figures of one name."""

    name: str
    """With the unit in it; a counter's ends with `_total`."""
    kind: Literal["gauge", "counter"]
    help: str
    samples: tuple[Sample, ...]


def family(
    name: str,
    help: str,
    samples: Iterable[tuple[float | None, Mapping[str, str]]],
    kind: Literal["gauge", "counter"] = "gauge",
) -> Family:
    """Make a family; figures that are not known are left out."""
    known = tuple(Sample(value=v, labels=labels) for v, labels in samples if v is not None)
    return Family(name=name, kind=kind, help=help, samples=known)


def render(families: Iterable[Family]) -> str:
    r"""Write families as text; those without a figure are left out.

    >>> print(render([family("mine_people", "Heads.", [(2, {"zone": 'a"b'})])]), end="")
    # HELP mine_people Heads.
    # TYPE mine_people gauge
    mine_people{zone="a\"b"} 2
    """
    lines: list[str] = []
    for one in families:
        if not one.samples:
            continue
        assert _NAME.fullmatch(one.name), one.name
        lines.append(f"# HELP {one.name} {_escaped(one.help)}")
        lines.append(f"# TYPE {one.name} {one.kind}")
        lines += [
            f"{one.name}{_labels(sample.labels)} {_number(sample.value)}" for sample in one.samples
        ]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    assert all(_LABEL.fullmatch(name) for name in labels), labels
    inner = ",".join(
        f'{name}="{_escaped(value).replace(chr(34), chr(92) + chr(34))}"'
        for name, value in labels.items()
    )
    return f"{{{inner}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return (
        str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
    )
