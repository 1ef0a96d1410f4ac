"""The whole pipeline over the sample site: stitching, detection, location, alarms."""

import numpy as np

from scene.rig import load_rig
from tests import sample_site


def measure() -> dict[str, float]:
    """Score every part on the rendered clip; that is not real-mine accuracy."""
    tie_px = sample_site.tie_point_errors(load_rig(sample_site.FOLDER / "rig.yaml"))
    place, alarms = sample_site.location_score(), sample_site.alarm_score()
    persons = sample_site.detection_score()
    return {
        "detect.roadway_person_ap50": persons.ap50,
        "detect.roadway_person_recall": persons.recall,
        "detect.roadway_person_precision": persons.precision,
        "stitch.roadway_tiepoint_median_px": float(np.median(tie_px)),
        "stitch.roadway_tiepoint_p95_px": float(np.percentile(tie_px, 95)),
        "locate.roadway_median_m": float(np.median(place.errors_m)),
        "locate.roadway_p95_m": float(np.percentile(place.errors_m, 95)),
        "locate.roadway_idf1": place.idf1,
        "locate.roadway_moda": place.moda,
        "locate.roadway_switches": place.switches,
        "alarm.roadway_events": alarms.events,
        "alarm.roadway_raised": alarms.raised,
        "alarm.roadway_false": alarms.false,
        "alarm.roadway_worst_delay_s": alarms.worst_delay_s,
        "alarm.roadway_worst_place_m": alarms.worst_place_m,
    }
