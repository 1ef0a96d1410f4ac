"""What a rig file was made for: a site's cameras and survey, as fingerprints in the file itself.

Knows nothing about how a rig is found or judged. A rig is as good as the points it was hung by: a
point that is corrected afterwards, or another site's file that takes its place, must be noticed.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from scene.errors import RigError
from scene.rig import Rig
from scene.rig_history import MADE_FOR, replace_rig
from scene.site import Site

WORDS = {
    "cameras": "cameras (rig.kind, names, order)",
    "survey": "survey points or markers",
    "mount": "mount or poses",
    "lens": "lens",
    "floor": "floor",
    "panorama": "panorama surface",
}

HUNG_BY = {WORDS["survey"], WORDS["mount"], WORDS["lens"]}


def made_for(site: Site) -> dict[str, str]:
    """Give what calibration looks at in a site file: its name, then 10 hex digits per part.

    Addresses and passwords of cameras are not in it, nor what only a running gateway looks at.
    """
    rig = site.rig.model_dump(mode="json", exclude_defaults=True)
    panorama = site.panorama.model_dump(mode="json", exclude_defaults=True)
    strip = site.rig.kind == "strip"
    floor = site.floor.model_dump(mode="json", exclude_defaults=True)
    parts = {
        "cameras": [site.rig.kind, *(camera.name for camera in site.cameras)],
        "survey": _only(rig, "survey_points", "survey_sigma_m", "markers"),
        "mount": _only(rig, "mount", "poses"),
        "lens": _only(rig, "lens"),
        # Only a ribbon is drawn along the floor; a cylinder does not ask for it.
        "floor": floor if strip else {},
        "panorama": _only(panorama, "surface", "px_per_degree", "px_per_m", "max_width_px"),
    }
    return {"site": site.site, **{name: _digest(part) for name, part in parts.items()}}


def write_rig(rig: Rig, path: Path, site: Site) -> str | None:
    """Write a calibrated rig with what it was made for; the file's former rig is kept.

    Tells the id of the rig before this one. Raises `RigError`.
    """
    return replace_rig(rig, path, {MADE_FOR: made_for(site)})


def maker_of(path: Path) -> dict[str, str]:
    """Read what a rig file was made for; empty when it does not say."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    told = content.get(MADE_FOR) if isinstance(content, dict) else None
    return {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}


def changed_since(path: Path, site: Site) -> list[str]:
    """List in words what a rig file was made for and the site no longer has; empty if unknown."""
    return _changed(maker_of(path), made_for(site))


def check_made_for(path: Path, site: Site) -> None:
    """Refuse a rig file that belongs to another site, or to former points. Raises `RigError`."""
    changed = changed_since(path, site)
    if not changed:
        return
    other = maker_of(path).get("site", site.site)
    if other != site.site:
        raise RigError(
            f"{path}: is the rig of site {other}, from which site {site.site} differs in "
            f"{', '.join(changed)}; give this one a file of its own (rig.file: "
            f"{site.site}.rig.yaml) and run `lamproom calibrate`"
        )
    raise RigError(
        f"{path}: is older than the site file, where this has changed since: "
        f"{', '.join(changed)}; run `lamproom calibrate` again"
    )


def check_same_site(path: Path, site: Site) -> None:
    """Refuse a rig file that belongs to another site and does not fit. Raises `RigError`."""
    if maker_of(path).get("site", site.site) != site.site:
        check_made_for(path, site)


def doubt(path: Path, site: Site) -> str:
    """Say in one line why a rig may hang wrongly; empty when nothing speaks against it.

    Only what the cameras were hung by counts: its survey, mount, poses and lens.
    """
    if not set(changed_since(path, site)) & HUNG_BY:
        return ""
    try:
        check_made_for(path, site)
    except RigError as error:
        return str(error)
    return ""


def _changed(told: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [word for name, word in WORDS.items() if name in told and told[name] != now[name]]


def _only(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields}


def _digest(part: Any) -> str:
    text = json.dumps(part, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
