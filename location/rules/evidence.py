"""An alarm's messages in words and figures: raised, carried on, cleared.

Knows nothing about when.
"""

from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

from location.rules.moment import Judgement, Rule
from location.rules.places import sigma_m
from location.who import who
from scene.messages import Anomaly, Certainty, Position


def raised(rule: Rule, person: Position, judged: Judgement, now_ns: int, held_s: float) -> Anomaly:
    """Write the message that raises an alarm."""
    parts: Sequence[str] = [rule.kind, *([_token(rule.zone)] if rule.zone else [])]
    track = person.track or None
    parts = [*parts, *([str(track)] if track else [])]
    return Anomaly(
        id="-".join([*parts, str(now_ns // 1_000_000)]),
        kind=rule.kind,
        severity=rule.severity,
        state="active",
        captured_at_ns=now_ns,
        raised_at_ns=now_ns,
        probability=round(judged.probability, 3),
        certainty=_certainty(judged.probability, person, judged.doubtful),
        track=track,
        zone=rule.zone,
        xyz_m=_rounded(person),
        evidence=_sentence(
            track, person.worker, f"{judged.what} for {held_s:.1f} s, at {place(person)}"
        ),
        worker=person.worker,
    )


def _token(zone: str) -> str:
    """Give what stands for a zone in an alarm's id, which is part of topics and addresses.

    >>> _token("sump_2"), _token("泵房")
    ('sump_2', 'z09ff851c')
    """
    plain = zone.isascii() and zone.replace("-", "").replace("_", "").isalnum()
    return zone if plain else f"z{crc32(zone.encode()):08x}"


def carried(alarm: Anomaly, person: Position, now_ns: int) -> Anomaly:
    """Write that another track is the same person."""
    same = alarm.track in (None, person.track)
    before = "" if same else f", who was person {alarm.track} before,"
    worker = person.worker or alarm.worker
    return replace(
        alarm,
        captured_at_ns=now_ns,
        track=person.track,
        xyz_m=_rounded(person),
        evidence=f"{who(person.track, worker)}{before} carries this alarm on, at {place(person)}.",
        worker=worker,
    )


def left_behind(alarm: Anomaly, last: Position, person: Position, now_ns: int) -> Anomaly:
    """Write that an alarm's number is by now another worker's, and its own person's is unknown."""
    whom = alarm.worker or f"person {alarm.track}"
    return replace(
        alarm,
        captured_at_ns=now_ns,
        track=None,
        xyz_m=_rounded(last),
        evidence=f"The cameras have lost {whom}, last at {place(last)}: "
        f"person {person.track} is {person.worker}.",
    )


def cleared(
    alarm: Anomaly, person: Position, now_ns: int, probability: float, what: str
) -> Anomaly:
    """Write the message that clears an alarm, with the reason."""
    where = "" if "last at" in what else f", at {place(person)}"
    worker = person.worker or alarm.worker
    return replace(
        alarm,
        state="cleared",
        captured_at_ns=now_ns,
        probability=round(probability, 3),
        certainty=_certainty(1 - probability, person, False),
        xyz_m=_rounded(person),
        evidence=_sentence(alarm.track, worker, what.removesuffix(",") + where),
        worker=worker,
    )


def lost_person(alarm: Anomaly) -> Position:
    """Stand in for the person of an adopted alarm: nobody knows more than the place."""
    assert alarm.xyz_m is not None
    return Position(
        track=alarm.track or 0,
        xyz_m=alarm.xyz_m,
        covariance_m2=((0.25, 0.0), (0.0, 0.25)),
        velocity_m_s=(0.0, 0.0),
        height_m=0.0,
        posture="lying",
        certainty="possibly",
        seen_at_ns=0,
        cameras=(),
    )


def place(person: Position) -> str:
    """Say where somebody is, and how sure that is."""
    x, y, _ = person.xyz_m
    return f"x {x:.1f} m, y {y:.1f} m ± {sigma_m(person.covariance_m2):.1f} m"


def _sentence(track: int | None, worker: str | None, what: str) -> str:
    return f"{who(track, worker)}: {what}." if track else f"{what[0].upper()}{what[1:]}."


def _certainty(probability: float, person: Position, doubtful: bool) -> Certainty:
    sure = probability >= 0.9 and person.certainty == "certainly" and not doubtful
    return "certainly" if sure else "possibly"


def _rounded(person: Position) -> tuple[float, float, float]:
    x, y, z = person.xyz_m
    return round(x, 3), round(y, 3), round(z, 3)
