"""Alarms over the sample sites and the events' clips: recall, delay, place, false ones.

Knows nothing about how alarms are found. A kind of event without a rule is counted as not watched.
"""

from edge.acceptance.alarm_scores import KindScore
from tests import sample_site
from tests.site_scores import alarm_scores


def measure() -> dict[str, float | str]:
    """Measure every clip that is there, sites' and events'."""
    clips = [*sample_site.sites(), *sample_site.event_clips()]
    if not clips:
        raise FileNotFoundError("no sample site is here")
    figures: dict[str, float | str] = {}
    total: dict[str, KindScore] = {}
    seconds = 0.0
    for folder in clips:
        scores = alarm_scores(folder)
        seconds += sample_site.duration_s(folder)
        if folder in sample_site.sites():
            figures |= _site(f"alarm.{folder.name}", list(scores.values()))
        for kind, found in scores.items():
            total[kind] = total.get(kind, KindScore()) + found
    if not sample_site.event_clips():
        figures["alarm.event_clips"] = "left out: sample_videos/events has no clips"
    for kind, found in total.items():
        figures |= _kind(f"alarm.{kind}", found)
    figures["alarm.events"] = sum(found.events for found in total.values())
    figures["alarm.raised"] = sum(found.raised for found in total.values())
    figures["alarm.false"] = sum(found.false for found in total.values())
    figures["alarm.not_watched"] = sum(found.not_watched for found in total.values())
    figures["alarm.footage_s"] = seconds
    return figures


def _site(name: str, scores: list[KindScore]) -> dict[str, float | str]:
    return {
        f"{name}_events": sum(found.events for found in scores),
        f"{name}_raised": sum(found.raised for found in scores),
        f"{name}_false": sum(found.false for found in scores),
    }


def _kind(name: str, found: KindScore) -> dict[str, float | str]:
    """Give one kind's figures; delays are beyond the configured ones."""
    figures: dict[str, float | str] = {}
    if found.not_watched:
        figures[f"{name}_not_watched"] = found.not_watched
    if found.events:
        figures[f"{name}_events"] = found.events
        figures[f"{name}_raised"] = found.raised
    if found.events or found.false:
        figures[f"{name}_false"] = found.false
    if found.too_short:
        figures[f"{name}_too_short"] = found.too_short
    if found.delays_s:
        figures[f"{name}_worst_delay_s"] = max(found.delays_s)
        figures[f"{name}_mean_delay_s"] = sum(found.delays_s) / len(found.delays_s)
    if found.places_m:
        figures[f"{name}_worst_place_m"] = max(found.places_m)
    return figures
