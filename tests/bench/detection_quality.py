"""How well people are found on the sample sites; rendered scores are not real-mine accuracy.

Knows nothing about places.
"""

from tests import sample_site
from tests.site_scores import detection_score, recalls

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
    return figures
