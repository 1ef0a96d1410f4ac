"""What a plan shows of a site file that the gateway's own description lacks.

Knows nothing about pages. What can't be read is left out: a plan with no gates is better than none.
"""

from typing import Any, TypeVar

from pydantic import ValidationError

from scene.errors import LamproomError
from scene.limits import DangerLimits
from scene.messages import SiteDescription
from scene.section import Section, read_yaml
from scene.zones import GateConfig, ZoneConfig

MOST = 200
"""So many zones and so many gates at most."""


S = TypeVar("S", bound=Section)


def plan_words(description: SiteDescription) -> dict[str, Any]:
    """Give `zones` (by name), `following` and `gates` as plain JSON values, metres in mine axes.

    `following` are the zones that move with a machine: corners from its place, x the way it faces.
    A machine's place that is older than `place_age_s` is not known any more.
    """
    try:
        _, content = read_yaml(description.site_yaml, name="site")
    except LamproomError:
        content = None
    given = content if isinstance(content, dict) else {}
    zones = _read(ZoneConfig, given.get("zones"))
    return {
        "zones": {
            zone.name: {"capacity": zone.capacity, "hours": zone.hours, "severity": zone.severity}
            for zone in zones
        },
        "following": [
            {
                "name": zone.name,
                "kind": zone.kind,
                "machine": zone.follows,
                "polygon_m": zone.polygon_m,
            }
            for zone in zones
            if zone.follows is not None
        ],
        "gates": [
            {"name": gate.name, "line_m": gate.line_m, "way": gate.way}
            for gate in _read(GateConfig, given.get("gates"))
        ],
        "place_age_s": _place_age_s(given.get("limits")),
    }


def _read(kind: type[S], items: object) -> list[S]:
    found = []
    for item in items[:MOST] if isinstance(items, list) else ():
        try:
            found.append(kind.model_validate(item))
        except ValidationError:
            continue
    return found


def _place_age_s(limits: object) -> float:
    danger = limits.get("danger") if isinstance(limits, dict) else None
    try:
        return DangerLimits.model_validate(danger or {}).place_age_s
    except ValidationError:
        return DangerLimits().place_age_s
