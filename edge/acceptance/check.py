"""One point of an acceptance test: what was measured, its limit, and the verdict.

Knows nothing about how anything is measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scene.html_page import Both

Verdict = Literal["passed", "failed", "not_measured", "left_out"]
NOT_MEASURED: Both = ("not measured", "未测量")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One point of the test."""

    name: str
    what: Both
    verdict: Verdict
    measured: Both
    limit: Both
    why: tuple[Both, ...] = ()
    """What decided, where it did not pass; or what is to be known of a pass."""


def passed(checks: Sequence[Check]) -> bool:
    """Tell whether a site is accepted: all that its file asks for has passed."""
    wanted = [check for check in checks if check.verdict != "left_out"]
    return bool(wanted) and all(check.verdict == "passed" for check in wanted)


def left_out(name: str, what: Both, measured: Both) -> Check:
    """Leave a point out that the site file does not ask for."""
    return Check(
        name=name,
        what=what,
        verdict="left_out",
        measured=measured,
        limit=("null in the site file", "站点文件设为 null"),
    )


def at_most(value: float | None, limit: float) -> Verdict:
    """Judge a figure that may be so large at most."""
    if value is None:
        return "not_measured"
    return "passed" if value <= limit else "failed"


def seconds(value: float | None, en: str, zh: str, digits: int = 1) -> Both:
    """Say a time and what it is of."""
    if value is None:
        return NOT_MEASURED
    return f"{value:.{digits}f} s ({en})", f"{value:.{digits}f} 秒（{zh}）"
