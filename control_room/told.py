"""What viewers are told, as JSON: a gateway's message, an alarm with its life, a group's names.

Knows nothing about who listens.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from control_room.evidence_words import in_chinese
from control_room.journal.schema import ANOMALY
from control_room.lifecycle import Entry, Key, may_end, phase_of, shelf_max_min
from control_room.out_of_service import Out
from scene.alarms import ALARMS
from scene.messages import XY, Anomaly, GatewayHealth, Position, Positions, SiteDescription
from scene.wire import VERSION, Envelope, encode


def message_text(site: str, gateway: str, topic: str, envelope: Envelope) -> str:
    """Write what a gateway said; without the site file, which may hold secrets.

    With a heartbeat comes what its English texts are in Chinese (`in_chinese`). Of positions it
    tells what a page shows, to the millimetre, as they are most of what is sent: the rest comes
    with the panorama.
    """
    body = envelope.body
    if isinstance(body, Positions):
        return _positions_text(site, gateway, envelope, body)
    if isinstance(body, SiteDescription):
        # A page needs neither; the site file may name users and addresses of cameras.
        body = replace(body, site_yaml="", stream_url="")
    text = encode(
        body, gateway=envelope.gateway, seq=envelope.seq, sent_at_ns=envelope.sent_at_ns
    ).decode()
    about: dict[str, Any] = {"is": "message", "site": site, "gateway": gateway, "topic": topic}
    if isinstance(body, GatewayHealth):
        said = {body.degraded, *(camera.detail for camera in body.cameras)}
        about["in_chinese"] = {english: in_chinese(english) for english in said if english}
    head = json.dumps(about)
    return f'{head[:-1]}, "envelope": {text}}}'


def together(texts: Sequence[str]) -> str:
    """Write several texts as one: a browser gets a few large messages, not hundreds of small."""
    return texts[0] if len(texts) == 1 else f'{{"is": "several", "said": [{", ".join(texts)}]}}'


def _positions_text(site: str, gateway: str, envelope: Envelope, body: Positions) -> str:
    said = {
        "is": "message",
        "site": site,
        "gateway": gateway,
        "topic": "positions",
        "envelope": {
            "schema": f"lamproom/positions/{VERSION}",
            "gateway": envelope.gateway,
            "seq": envelope.seq,
            "sent_at_ns": envelope.sent_at_ns,
            "body": {
                "captured_at_ns": body.captured_at_ns,
                "people": [_person_fields(one) for one in body.people],
            },
        },
    }
    return json.dumps(said, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _person_fields(one: Position) -> dict[str, Any]:
    """Give what the page reads of one person, as `Position` says it; none where that means same."""
    x, y, z = one.xyz_m
    (a, b), (c, d) = one.covariance_m2
    vx, vy = one.velocity_m_s
    sure, helmet, seen = one.worker_probability, one.helmet, _rounded(one.seen_xy_m, 3)
    return {
        "track": one.track,
        "xyz_m": (round(x, 3), round(y, 3), round(z, 3)),
        "covariance_m2": ((round(a, 6), round(b, 6)), (round(c, 6), round(d, 6))),
        "velocity_m_s": (round(vx, 2), round(vy, 2)),
        "height_m": round(one.height_m, 2),
        "posture": one.posture,
        "certainty": one.certainty,
        "seen_at_ns": one.seen_at_ns,
        "cameras": one.cameras,
        "worker": one.worker,
        "worker_probability": None if sure is None else round(sure, 3),
        "helmet": None if helmet is None else round(helmet, 3),
        "panorama_xy": _rounded(one.panorama_xy),
        "panorama_head_xy": _rounded(one.panorama_head_xy),
        "seen_xy_m": None if seen == (round(x, 3), round(y, 3)) else seen,
        "height_at_ns": None if one.height_at_ns == one.seen_at_ns else one.height_at_ns,
    }


def _rounded(place: XY | None, digits: int | None = None) -> tuple[float, float] | None:
    return None if place is None else (round(place[0], digits), round(place[1], digits))


def snapshot_text(
    prefix: str,
    *,
    machines: Sequence[dict[str, Any]],
    entries: Iterable[Entry],
    groups: Sequence[Sequence[str]],
    rate: dict[str, Any] | None,
    out: Sequence[Out],
    more: dict[str, Any],
    now_ns: int,
    said: Sequence[str],
) -> str:
    """Write all that a new viewer hears at once; `said` are texts on gateways (`message_text`)."""
    kinds = {
        name: {"en": kind.english, "zh": kind.chinese, "about": kind.about}
        for name, kind in ALARMS.items()
    }
    text = json.dumps(
        {
            "is": "snapshot",
            "prefix": prefix,
            "kinds": kinds,
            "machines": machines,
            "alarms": [alarm_fields(entry, now_ns) for entry in entries],
            "groups": groups,
            "alarm_rate": rate,
            "out_of_service": [asdict(one) for one in out],
            **more,
        }
    )
    # What gateways said is text already: of a hundred it is most of all this.
    return f'{text[:-1]}, "said": [{", ".join(said)}]}}'


def out_text(out: Sequence[Out]) -> str:
    """Write which gateways are out of service."""
    told = [asdict(one) for one in out]
    return json.dumps({"is": "out_of_service", "out_of_service": told})


def alarm_fields(entry: Entry, now_ns: int) -> dict[str, Any]:
    """Tell of an alarm all that a viewer needs, with what an operator may do with it.

    `anomaly` is the newest word; `raised` is where and why it was raised (`xyz_m` in the mine's
    frame, metres), which a clearing no longer says; null where only the clearing ever came. The
    evidence of both comes in Chinese, too.
    """
    seen = entry.acknowledged
    return {
        "site": entry.key.site,
        "gateway": entry.key.gateway,
        "anomaly": ANOMALY.dump_python(entry.last, mode="json"),
        "raised": None if entry.raised is None else _raised_fields(entry.raised),
        "phase": phase_of(entry, now_ns),
        "stored_at_ns": entry.stored_at_ns,
        "cleared_at_ns": entry.cleared_at_ns,
        "acknowledged_at_ns": None if seen is None else seen.at_ns,
        "acknowledged_by": None if seen is None else seen.by,
        "shelved": None if entry.shelved is None else asdict(entry.shelved),
        "ending": None if entry.ending is None else asdict(entry.ending),
        "may_end": may_end(entry),
        "shelf_max_min": shelf_max_min(entry.last),
        "evidence_zh": in_chinese(entry.last.evidence),
        "raised_evidence_zh": None if entry.raised is None else in_chinese(entry.raised.evidence),
    }


def _raised_fields(raised: Anomaly) -> dict[str, Any]:
    return {
        "xyz_m": raised.xyz_m,
        "probability": raised.probability,
        "certainty": raised.certainty,
        "evidence": raised.evidence,
        "captured_at_ns": raised.captured_at_ns,
    }


def alarm_name(key: Key) -> str:
    """Name an alarm across all gateways, as the page does.

    >>> alarm_name(Key(site="roadway", gateway="gw1", alarm="man_down-3"))
    'roadway/gw1/man_down-3'
    """
    return f"{key.site}/{key.gateway}/{key.alarm}"
