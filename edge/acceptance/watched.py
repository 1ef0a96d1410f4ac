"""After how long each kind of alarm may sound, by a site's own limits.

Knows nothing about how any of them is found.
"""

from edge.cameras.watch import ALARM_OF
from edge.drift import alarms as drift_alarms
from edge.drift.state import MOVED_FOR_S
from edge.view.camera import BLIND_AFTER_S, DIM_AFTER_S
from location.watch import rules
from scene.site import Site


def watched_delays_s(site: Site) -> dict[str, float]:
    """Give the configured delay of every kind of alarm that the site watches for."""
    watched = {rule.kind: rule.raise_after_s for rule in rules(site)}
    # A camera that stalls is alarmed about first; lost is the same cause, later.
    watched |= {kind: site.limits.camera.stalled_after_s for kind in ALARM_OF.values()}
    watched[drift_alarms.KIND] = MOVED_FOR_S
    return watched | {"camera_obscured": BLIND_AFTER_S, "light_lost": DIM_AFTER_S}


def delay_of_s(site: Site, kind: str, zone: str | None) -> float:
    """Give the configured delay of an alarm about people, in one zone or in whichever is quickest.

    0 for what the site does not watch for.
    """
    found = [rule for rule in rules(site) if rule.kind == kind and zone in (None, rule.zone)]
    return min((rule.raise_after_s for rule in found), default=0.0)
