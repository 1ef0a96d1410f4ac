"""How the parts of a site file fit together, as far as each can be read: names, cameras, the floor.

Knows nothing about a part's own fields. A mistake in one part hides none between the others.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from scene.acceptance_config import AcceptanceConfig
from scene.floor import Floor
from scene.floor_config import FloorConfig
from scene.landmarks_config import SupportsConfig, supports_beside
from scene.off_floor import off_floor
from scene.section import Section
from scene.zones import GateConfig, ZoneConfig

S = TypeVar("S", bound=Section)


def mistakes_between(given: Mapping[Any, Any], *, on_the_floor: bool) -> list[str]:
    """List the mistakes between the parts of a site file's content, each as `place: mistake`.

    `on_the_floor` asks, too, whether zones, gates and supports are there.
    """
    found = [*_names_given_twice(given), *_unknown_cameras(given)]
    floor = _read(FloorConfig, given.get("floor"))
    if on_the_floor and floor is not None:
        zones = [_read(ZoneConfig, one) for one in _list(given, "zones")]
        gates = [_read(GateConfig, one) for one in _list(given, "gates")]
        found += off_floor(floor, zones, gates)
        supports = _read(SupportsConfig, given.get("supports"))
        found += supports_beside(supports, Floor(floor).chainages_m)
        found += _beyond_floor(_read(AcceptanceConfig, given.get("acceptance")), Floor(floor))
    return found


def _names_given_twice(given: Mapping[Any, Any]) -> list[str]:
    found = []
    for what in ("cameras", "zones", "gates", "marks"):
        seen = dict[str, int]()
        for index, one in enumerate(_list(given, what)):
            name = _text(one, "name")
            if name is not None and name in seen:
                found.append(
                    f"{what}.{index}.name: the name {name!r} is given twice, first as "
                    f"{what}.{seen[name]}.name; names are unique"
                )
            seen.setdefault(name or "", index)
    return found


def _unknown_cameras(given: Mapping[Any, Any]) -> list[str]:
    """List what is said of cameras that the site does not have."""
    rig, tiles = _section(given, "rig"), _section(_section(given, "detection"), "tiles")
    named = {
        f"rig.{part}.{index}.camera": _text(one, "camera")
        for part in ("survey_points", "poses")
        for index, one in enumerate(_list(rig, part))
    }
    for index, camera in enumerate(_list(tiles, "cameras")):
        named[f"detection.tiles.cameras.{index}"] = camera if isinstance(camera, str) else None
    names = [_text(camera, "name") for camera in _list(given, "cameras")]
    if not names or None in names:  # it may be the one that is meant
        return []
    return [
        f"{place}: {camera!r} is not one of {', '.join(map(str, names))}"
        for place, camera in named.items()
        if camera is not None and camera not in names
    ]


def _beyond_floor(acceptance: AcceptanceConfig | None, floor: Floor) -> list[str]:
    if acceptance is None or acceptance.coverage_m is None:
        return []
    (from_m, to_m), (low_m, high_m) = acceptance.coverage_m, sorted(floor.chainages_m)
    if from_m >= low_m and to_m <= high_m:
        return []
    return [
        f"acceptance.coverage_m: {from_m:g} to {to_m:g} m reaches beyond the floor, whose chainage "
        f"goes from {low_m:g} to {high_m:g} m"
    ]


def _read(kind: type[S], given: object) -> S | None:
    """Read a part that names no files; none where it can't be read, which is told elsewhere."""
    try:
        return kind.model_validate(given)
    except ValidationError:
        return None


def _section(given: object, name: str) -> object:
    return given.get(name) if isinstance(given, Mapping) else None


def _list(given: object, name: str) -> list[Any]:
    found = _section(given, name)
    return list(found) if isinstance(found, list | tuple) else []


def _text(given: object, name: str) -> str | None:
    found = _section(given, name)
    return found if isinstance(found, str) else None
