"""How well people are found on the sample sites; rendered scores are not real-mine accuracy.

Knows nothing about places.
"""

from dataclasses import replace
from pathlib import Path

from detection.detector import open_detector
from edge.cameras.source import open_source
from scene.clock import SystemClock
from stitching.local_contrast import LocalContrast
from tests import sample_site
from tests.site_scores import Finds, beside_truth, detection_score, recalls, score_finds

EVERY = 5
"""So many pictures are one that is searched twice, with and without local contrast."""
FEWEST = 30
"""Recall of fewer boxes than this is not worth a figure."""


def measure() -> dict[str, float | str]:
    """Measure every site that is there."""
    figures: dict[str, float | str] = {}
    for folder in sample_site.sites():
        name = f"detect.{folder.name}"
        persons = detection_score(folder)
        figures[f"{name}_person_ap50"] = persons.ap50
        figures[f"{name}_person_recall"] = persons.recall
        figures[f"{name}_person_precision"] = persons.precision
        figures[f"{name}_person_boxes"] = persons.boxes
        for group, (recall, count) in recalls(folder).items():
            if count >= FEWEST:
                figures[f"{name}_{group}_recall"] = recall
    for folder in (*sample_site.sites(), sample_site.SAMPLES / "events" / "lens_dust"):
        plain, lifted = local_contrast_effect(folder)
        figures[f"detect.{folder.name}_person_ap50_every_{EVERY}th"] = plain
        figures[f"detect.{folder.name}_person_ap50_local_contrast"] = lifted
    return figures


def local_contrast_effect(folder: Path) -> tuple[float, float]:
    """Give the person AP50 without and with `detection.local_contrast`, on the same pictures."""
    site = sample_site.site_of(folder)
    detector, contrast = open_detector(site.detection), LocalContrast()
    plain, lifted = list[Finds](), list[Finds]()
    for camera in site.cameras:
        source = open_source(
            camera, SystemClock(), pace="as_fast_as_possible", loop=False, start_at_ns=0
        )
        try:
            for number, frame in enumerate(source.frames()):
                if number % EVERY:
                    continue
                other = replace(frame, image=contrast.lifted(frame.image))
                for found, given in ((plain, frame), (lifted, other)):
                    found.append(beside_truth(folder, number, detector.detect([given])[0]))
        finally:
            source.close()
    return score_finds(plain).ap50, score_finds(lifted).ap50
