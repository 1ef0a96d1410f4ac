"""How well the panoramas of the sample sites fit together: tie points, light, people at seams.

Knows nothing about speed. Sites without a calibrated rig have no panorama: each says so.
"""

from pathlib import Path

import numpy as np

from scene.ribbon import Ribbon
from tests import sample_site
from tests.overlaps import alike_in_overlaps, stills
from tests.seams import SeamScore, score_fixed_seams, score_given_truth, score_seams
from tests.site_scores import surface_errors_px, tie_point_errors

ON_SURFACE_M = 0.005
"""Points of a strip this near to its ribbon count as lying on it."""


def measure() -> dict[str, float | str]:
    """Measure every site that is there."""
    figures: dict[str, float | str] = {}
    seams: list[SeamScore] = []
    for folder in sample_site.sites():
        name = f"stitch.{folder.name}"
        if not sample_site.has_rig(folder):
            figures[f"{name}_tiepoint_median_px"] = "no rig.yaml: left out"
            continue
        figures |= _geometry(name, folder) | _light(name, folder)
        try:
            seam, fixed = score_seams(folder), score_fixed_seams(folder)
        except FileNotFoundError as error:
            figures[f"{name}_people_cut"] = f"left out: {error}"
            continue
        seams.append(seam)
        figures |= _people(name, seam)
        figures[f"{name}_people_harmed_by_fixed_seams"] = fixed.harmed + fixed.unavoidable
        figures[f"{name}_people_harmed_given_truth"] = score_given_truth(folder).harmed
    if seams:
        total = sum(seam.in_overlaps for seam in seams)
        harmed = sum(seam.harmed for seam in seams)
        figures["stitch.people_cut_doubled_lost"] = harmed
        figures["stitch.people_cut_doubled_lost_share"] = harmed / max(total, 1)
    return figures


def _geometry(name: str, folder: Path) -> dict[str, float | str]:
    rig = sample_site.rig_of(folder)
    if isinstance(rig.surface, Ribbon):
        near_px = surface_errors_px(folder, rig, ON_SURFACE_M)
        return {
            f"{name}_surface_tiepoint_median_px": float(np.median(near_px)),
            f"{name}_surface_tiepoint_p95_px": float(np.percentile(near_px, 95)),
            f"{name}_px_per_m": rig.surface.px_per_m,
        }
    tie_px = tie_point_errors(folder, rig)
    return {
        f"{name}_tiepoint_median_px": float(np.median(tie_px)),
        f"{name}_tiepoint_p95_px": float(np.percentile(tie_px, 95)),
    }


def _light(name: str, folder: Path) -> dict[str, float | str]:
    instants = [output.frames for output in sample_site.run(folder).outputs if output.frames]
    alike = alike_in_overlaps(sample_site.rig_of(folder), instants)
    still = alike_in_overlaps(sample_site.rig_of(folder), stills(instants))
    return {
        f"{name}_still_overlap_psnr_db": still["fields"].psnr_db,
        f"{name}_still_overlap_psnr_one_gain_db": still["one_gain"].psnr_db,
        f"{name}_overlap_psnr_db": alike["fields"].psnr_db,
        f"{name}_overlap_psnr_one_gain_db": alike["one_gain"].psnr_db,
        f"{name}_overlap_psnr_raw_db": alike["raw"].psnr_db,
        f"{name}_overlap_ssim": alike["fields"].ssim,
        f"{name}_overlap_one_gain_ssim": alike["one_gain"].ssim,
        f"{name}_overlap_raw_ssim": alike["raw"].ssim,
    }


def _people(name: str, seam: SeamScore) -> dict[str, float | str]:
    overlapping = max(seam.in_overlaps, 1)
    figures: dict[str, float | str] = {
        f"{name}_people_shown": seam.shown,
        f"{name}_people_in_overlaps": seam.in_overlaps,
        f"{name}_people_cut": seam.cut,
        f"{name}_people_doubled": seam.doubled,
        f"{name}_people_lost": seam.lost,
        f"{name}_people_harmed": seam.harmed,
        f"{name}_people_unavoidable": seam.unavoidable,
        f"{name}_people_cut_share": seam.cut / overlapping,
        f"{name}_people_doubled_share": seam.doubled / overlapping,
        f"{name}_people_lost_share": seam.lost / max(seam.shown, 1),
    }
    if seam.apart_px:
        figures[f"{name}_people_apart_median_px"] = float(np.median(seam.apart_px))
        figures[f"{name}_people_apart_p95_px"] = float(np.percentile(seam.apart_px, 95))
    return figures
