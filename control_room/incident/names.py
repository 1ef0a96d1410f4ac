"""Which names files of an export have: few, plain, and none taken from what was recorded.

Knows nothing about where the files lie.
"""

import re

MANIFEST, SIGNATURE, CHECKSUM = "manifest.json", "manifest.sig", "manifest.sha256"
FILM, TRACKS, HEALTH, SUMMARY = "panorama.mp4", "tracks.csv", "health.csv", "summary.html"
ALARMS_CSV, ALARMS_JSON = "alarms.csv", "alarms.json"
PICTURES = "pictures"
MOST_FILES = 10_000
ACCEPTANCE = "lamproom/acceptance/2"
"""The version of an acceptance report's data; another one for any other shape. 1 had two shapes and
did not stand in the manifest."""
_PLAIN = re.compile(r"(?:[a-z]{1,20}/)?[a-z0-9][a-z0-9_-]{0,60}\.[a-z0-9]{1,8}", re.ASCII)


def is_plain(name: str) -> bool:
    """Tell whether a file of an export can be called so: no `..`, no root, no surprises.

    >>> is_plain("pictures/alarm-01-man_down.png"), is_plain("../x.png"), is_plain("/x.png")
    (True, False, False)
    """
    return _PLAIN.fullmatch(name) is not None
