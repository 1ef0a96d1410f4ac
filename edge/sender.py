"""The sending process: MQTT and the panorama stream, fed by the pipeline's line.

Knows nothing about frames or people; it could be killed and started again at any time without an
alarm being lost, because alarms are in the outbox on disk.
"""

import contextlib
import time
from dataclasses import dataclass
from types import TracebackType

from delivery.mqtt import Connection
from delivery.outbox import Outbox
from delivery.publisher import Publisher
from delivery.stream import StreamServer
from edge.description import describe
from edge.line import LineIn
from edge.options import RunOptions
from edge.outlet import DirectOutlet, pass_on
from edge.services import Context
from edge.site_watch import SiteWatch
from scene.clock import SystemClock
from scene.errors import RigError
from scene.messages import GatewayState
from scene.rig import Rig, load_rig
from scene.site import Site
from scene.topics import topic_name
from scene.wire import encode

LAST_WORDS_S = 2.0
"""So long at most the sender goes on after it is told to stop."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sending:
    """Connection, outbox and stream of one gateway; close it with `with`."""

    connection: Connection
    publisher: Publisher
    outbox: Outbox
    stream: StreamServer
    outlet: DirectOutlet

    def __enter__(self) -> "Sending":
        """Nothing to do: everything runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say goodbye to the broker and stop."""
        self.publisher.going_offline()
        self.connection.close()
        self.stream.close()


class Announcement:
    """Describes the site to viewers, and again when panoramas come from another rig."""

    def __init__(
        self, site: Site, options: RunOptions, publisher: Publisher, stream_url: str
    ) -> None:
        self._site, self._site_yaml = site, options.site_yaml()
        self._site_watch = SiteWatch(options.site_file, site, options.site)
        self._options = options
        self._publisher, self._stream_url = publisher, stream_url
        self._geometry = ""
        self._announce(load_rig(site.rig.file))

    def follow(self, geometry: str) -> None:
        """Describe the site anew when panoramas have another geometry, or zones have changed."""
        changed = self._site_watch.poll()
        if changed is not None:
            self._site = changed
            with contextlib.suppress(OSError, UnicodeDecodeError):  # somebody is at it again
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


def open_sending(site: Site, options: RunOptions) -> Sending:
    """Connect to the broker (in the background, for ever) and serve the panorama."""
    clock = SystemClock()
    gone = GatewayState(online=False, since_ns=clock.now_ns())
    will = (
        topic_name("state", site=site.site, gateway=site.gateway),
        encode(gone, gateway=site.gateway, seq=0, sent_at_ns=clock.now_ns()),
    )
    stream = StreamServer(site.panorama.host, site.panorama.port)
    connection = Connection(site.broker, client_id=f"{site.gateway}-{site.site}", will=will)
    outbox = Outbox(site.state_folder, clock)
    publisher = Publisher(site, connection, outbox, clock)
    announcement = Announcement(site, options, publisher, stream.url)
    connection.connect(timeout_s=10.0)
    return Sending(
        connection=connection,
        publisher=publisher,
        outbox=outbox,
        stream=stream,
        outlet=DirectOutlet(publisher, stream, announcement.follow),
    )


def main(context: Context) -> None:
    """Send what the pipeline hands over until the run ends."""
    site = context.options.site()
    line = LineIn(context.door_in)
    with open_sending(site, context.options) as sending:
        while not context.stopped():
            context.alive()
            pass_on(line, sending.outlet, wait_s=0.2)
        # What the pipeline said last still goes out, if that is not endless.
        until_s = time.monotonic() + LAST_WORDS_S
        while time.monotonic() < until_s and pass_on(line, sending.outlet, wait_s=0.3):
            context.alive()
    line.close()
