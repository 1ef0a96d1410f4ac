"""What the sender tells viewers of the site, and tells anew when it changes.

Knows nothing about MQTT or the panorama's pictures.
"""

import contextlib

from delivery.publisher import Publisher
from edge.description import describe
from edge.options import RunOptions
from edge.site_watch import SiteWatch
from scene.errors import LamproomError, RigError
from scene.rig import Rig, load_rig
from scene.site import Site


class Announcement:
    """Describes the site to viewers, and again when panoramas come from another rig."""

    def __init__(
        self, site: Site, options: RunOptions, publisher: Publisher, stream_url: str
    ) -> None:
        self._site, self._site_yaml = site, options.site_yaml()
        self._site_watch = SiteWatch(options.site_file, site, options.site_as_written)
        self._options = options
        self._publisher, self._stream_url = publisher, stream_url
        self._geometry = ""
        with contextlib.suppress(RigError):  # alarms go out without a rig as well
            self._announce(load_rig(site.rig.file))

    def follow(self, geometry: str) -> None:
        """Describe the site anew when panoramas have another geometry, or zones have changed."""
        changed = self._site_watch.poll()
        if changed is not None:
            self._site = changed
            with contextlib.suppress(OSError, ValueError, LamproomError):  # somebody is at it
                self._site_yaml = self._options.site_yaml()
        elif geometry == self._geometry:
            return
        self._geometry = geometry
        with contextlib.suppress(RigError):  # the pipeline says so in the cameras' health
            rig = load_rig(self._site.rig.file)
            if rig.id == geometry:
                self._announce(rig)

    def _announce(self, rig: Rig) -> None:
        self._geometry = rig.id
        self._publisher.announce(describe(self._site, rig, self._site_yaml, self._stream_url))
