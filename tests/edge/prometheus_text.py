"""A strict reader of Prometheus's text format 0.0.4, written from its description."""

import re
from dataclasses import dataclass, field

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(?:,|$)')


@dataclass(kw_only=True)
class Read:
    help: str
    type: str = ""
    samples: dict[tuple[tuple[str, str], ...], float] = field(default_factory=dict)


def read(text: str) -> dict[str, Read]:
    """Read a whole answer; raises AssertionError for anything that is not as it must be."""
    assert text.endswith("\n")
    families: dict[str, Read] = {}
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# HELP "):
            name, _, help = line.removeprefix("# HELP ").partition(" ")
            assert name not in families, f"{name} comes twice"
            assert re.fullmatch(r"(?:[^\\]|\\[\\n])*", help), "a lonely backslash"
            families[name] = Read(help=help)
        elif line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert kind in ("counter", "gauge")
            assert (kind == "counter") == name.endswith("_total")
            assert name == list(families)[-1] and not families[name].samples
            families[name].type = kind
        else:
            found = _SAMPLE.fullmatch(line)
            assert found, line
            name, inner, value = found.groups()
            assert name == list(families)[-1] and families[name].type, "all of one name together"
            labels = _labels(inner or "")
            assert labels not in families[name].samples, f"{line}: given twice"
            families[name].samples[labels] = float(value)
    assert all(one.samples for one in families.values())
    return families


def _labels(inner: str) -> tuple[tuple[str, str], ...]:
    labels, at = [], 0
    while at < len(inner):
        found = _LABEL.match(inner, at)
        assert found, inner
        plain = re.sub(r"\\(.)", lambda one: {"n": "\n"}.get(one[1], one[1]), found[2])
        labels.append((found[1], plain))
        at = found.end()
    return tuple(labels)
