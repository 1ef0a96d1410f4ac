"""Follows the site file: limits, zones and gates may change while the gateway runs.

Knows nothing about rules. Everything else in the file counts from the next start only, and the
heartbeat says so; a file with mistakes changes nothing, and the heartbeat says that, too.
"""

from collections.abc import Callable
from pathlib import Path

from edge.site_signature import signature_of
from scene.errors import LamproomError
from scene.site import Site

LIVE_FIELDS = {"zones", "gates", "limits"}
NOT_OURS = {"acceptance"}
"""What a gateway does not look at."""
STATIC_LIMITS = {"camera", "tags"}
"""Of the limits, those that count from the next start only."""


class SiteWatch:
    """Looks at one site file; `poll` is cheap."""

    def __init__(self, path: Path, site: Site, read: Callable[[], Site]) -> None:
        self._path, self._site, self._read = path, site, read
        # Not the stamp of now: the file may have changed since the site was read.
        self._stamp: tuple[tuple[int, int], ...] | None = None
        self.trouble = ""
        """What in the file is not in force, and why; empty when all is.

        `read` raises for a file that should be signed and is not: it counts as one with mistakes.
        """

    def poll(self) -> Site | None:
        """Give the site with other limits, zones or gates, once for each change; else none."""
        stamp = _stamp_of(self._path)
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            wanted = self._read()
        except LamproomError as error:
            self.trouble = (
                f"the site file was changed and has mistakes, the former one is in force: {error}"
            )
            return None
        late = sorted(_changed(self._site, wanted))
        self.trouble = (
            f"the site file was changed, and counts from the next start on: {', '.join(late)}"
            if late
            else ""
        )
        limits = wanted.limits.model_copy(
            update={name: getattr(self._site.limits, name) for name in STATIC_LIMITS}
        )
        site = self._site.model_copy(
            update={"zones": wanted.zones, "gates": wanted.gates, "limits": limits}
        )
        if site == self._site:
            return None
        self._site = site
        return site


def _changed(before: Site, after: Site) -> set[str]:
    """Name the fields that differ and are not followed."""
    names = {
        name
        for name in type(before).model_fields
        if name not in LIVE_FIELDS | NOT_OURS and getattr(before, name) != getattr(after, name)
    }
    return names | {
        f"limits.{name}"
        for name in STATIC_LIMITS
        if getattr(before.limits, name) != getattr(after.limits, name)
    }


def _stamp_of(path: Path) -> tuple[tuple[int, int], ...]:
    """Look at the file and at its signature, which may come a little later."""
    stamp = []
    for one in (path, signature_of(path)):
        try:
            found = one.stat()
            stamp.append((found.st_mtime_ns, found.st_size))
        except OSError:
            stamp.append((0, 0))
    return tuple(stamp)
