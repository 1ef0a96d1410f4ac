"""How well people are followed in metres on the sample sites.

Knows nothing about pictures; rendered scores are not real-mine accuracy.
"""

import numpy as np

from scene.arrays import Floats
from tests import sample_site
from tests.site_scores import (
    errors_by_cameras,
    errors_by_state,
    errors_from_pelvis_m,
    honesty,
    location_score,
)

FEWEST = 30
"""Fewer errors than this are not worth a figure."""


def measure() -> dict[str, float | str]:
    """Measure every site that is there; those without a rig run on the true cameras."""
    figures: dict[str, float | str] = {}
    near: dict[str, list[Floats]] = {"one": [], "more": []}
    for folder in sample_site.sites():
        name = f"locate.{folder.name}"
        place = location_score(folder)
        if not place.matches:
            figures[f"{name}_median_m"] = "left out: nobody was followed"
            continue
        figures |= {
            f"{name}_median_m": float(np.median(place.errors_m)),
            f"{name}_p95_m": float(np.percentile(place.errors_m, 95)),
            f"{name}_inside_68_share": honesty(folder, 0.68),
            f"{name}_inside_95_share": honesty(folder, 0.95),
            f"{name}_idf1": place.idf1,
            f"{name}_moda": place.moda,
            f"{name}_hota": place.hota.hota,
            f"{name}_deta": place.hota.detection,
            f"{name}_assa": place.hota.association,
            f"{name}_switches": place.switches,
            f"{name}_missed": place.missed,
            f"{name}_false": place.false,
            f"{name}_wanted": place.wanted,
        }
        figures[f"{name}_pelvis_median_m"] = float(np.median(errors_from_pelvis_m(folder)))
        parts = errors_by_state(folder)
        for cameras, errors_m in errors_by_cameras(folder).items():
            parts[f"{cameras}_near_cameras"] = errors_m
            near[cameras].append(errors_m)
        for part, errors_m in parts.items():
            if len(errors_m) >= FEWEST:
                figures[f"{name}_{part}_median_m"] = float(np.median(errors_m))
    for cameras, lists in near.items():
        if lists:
            figures[f"locate.sites_{cameras}_near_cameras_median_m"] = float(
                np.median(np.concatenate(lists))
            )
    return figures
