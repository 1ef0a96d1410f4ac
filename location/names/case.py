"""An alarm about people and tags that don't fit together, and since when there is cause for it.

Knows nothing about what a cause is.
"""

import re
from dataclasses import dataclass, replace
from zlib import crc32

from location.names.places import S
from scene.alarms import ALARMS
from scene.messages import XYZ, Anomaly, Certainty, Position

Key = tuple[str, str]
"""An alarm's kind, and what it is about as its id has it: track, tag, or pair of tags."""


@dataclass(slots=True)
class Case:
    """One person, tag or pair of tags: since when something is so or not, and the alarm."""

    since_ns: int | None = None
    """Since when it is wrong; by the tags' places, as all times here."""
    fine_ns: int | None = None
    """Since when it is not."""
    known_ns: int = 0
    """When the person or tag was last there, by positions."""
    first_ns: int = 0
    last: Position | None = None
    begun_at: tuple[float, float] | None = None
    """Where the two tags' person was at `since_ns`."""
    moved_m: float = 0.0
    alarm: Anomaly | None = None

    def is_wrong(self, at_ns: int) -> None:
        """Note that something is wrong, since then if it was not before."""
        self.since_ns = at_ns if self.since_ns is None else self.since_ns
        self.fine_ns = None

    def is_fine(self, at_ns: int) -> None:
        """Note that nothing is wrong, since then if something was before."""
        self.fine_ns = at_ns if self.fine_ns is None else self.fine_ns
        self.since_ns = None

    def wrong_s(self, now_ns: int) -> float:
        """Tell for how long something has been wrong; negative if nothing is."""
        return -1.0 if self.since_ns is None else (now_ns - self.since_ns) / S

    def fine_s(self, now_ns: int) -> float:
        """Tell for how long nothing has been wrong; negative if something is."""
        return -1.0 if self.fine_ns is None else (now_ns - self.fine_ns) / S


def slug(tag: str) -> str:
    """Make a tag fit for a topic: an alarm's id is part of one.

    >>> slug("tag-7"), slug("a/b")
    ('tag-7', 'a_b_07f4401c')
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", tag)[:60]
    return plain if plain == tag else f"{plain}_{crc32(tag.encode('utf-8', 'replace')):08x}"


def subject(alarm: Anomaly) -> str:
    """Read off an id what it is about: `kind-SUBJECT-milliseconds`."""
    if alarm.kind == "person_without_tag" and alarm.track is not None:
        return str(alarm.track)
    return alarm.id.removeprefix(f"{alarm.kind}-").rpartition("-")[0]


def raised(
    key: Key,
    now_ns: int,
    *,
    probability: float,
    xyz_m: XYZ,
    evidence: str,
    certainty: Certainty = "certainly",
    track: int | None = None,
    worker: str | None = None,
) -> Anomaly:
    """Make a new alarm; `certainty` is the most that it may claim."""
    kind, subject = key
    return Anomaly(
        id=f"{kind}-{subject}-{now_ns // 1_000_000}",
        kind=kind,
        severity=ALARMS[kind].severity,
        state="active",
        captured_at_ns=now_ns,
        raised_at_ns=now_ns,
        probability=round(probability, 3),
        certainty="certainly" if probability >= 0.9 and certainty == "certainly" else "possibly",
        track=track,
        xyz_m=rounded(xyz_m),
        evidence=evidence,
        worker=worker,
    )


def cleared(
    case: Case, now_ns: int, probability: float, evidence: str, xyz_m: XYZ | None
) -> Anomaly:
    """End a case's alarm; `probability` is that it is over."""
    alarm, case.alarm = case.alarm, None
    assert alarm is not None
    case.begun_at, case.moved_m, case.since_ns = None, 0.0, None
    return replace(
        alarm,
        state="cleared",
        captured_at_ns=now_ns,
        probability=round(1 - probability, 3),
        certainty="certainly" if probability >= 0.9 else "possibly",
        xyz_m=None if xyz_m is None else rounded(xyz_m),
        evidence=evidence,
    )


def rounded(xyz_m: XYZ) -> XYZ:
    """Round a place to millimetres."""
    x, y, z = xyz_m
    return round(x, 3), round(y, 3), round(z, 3)


def at(xyz_m: XYZ) -> str:
    """Write out a place for a sentence."""
    return f"x {xyz_m[0]:.1f} m, y {xyz_m[1]:.1f} m"
