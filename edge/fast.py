"""Go through camera files frame by frame, as fast as possible.

Knows nothing about processes or real time; nothing is dropped, every frame is searched. The same
input gives the same positions and alarms; the panorama may differ by a grey level here and there,
as the quickest kind of look-up is measured on the machine at each start.
"""

import dataclasses
from collections.abc import Callable, Iterator

from rich.progress import Progress

from edge.calibration.made_for import check_same_site, doubt
from edge.cameras.source import open_source
from edge.encoder import PanoramaEncoder
from edge.options import RunOptions
from edge.outlet import Outlet
from edge.packets import packet_of
from edge.pictures import PictureBook
from edge.pipeline import Frames, Picture, Pipeline
from edge.sender import open_sending
from edge.together import lockstep
from scene.clock import SystemClock
from scene.messages import Detections
from scene.rig import Rig, load_rig
from scene.site import Site


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instant:
    """Everything about one instant."""

    frames: Frames
    people: tuple[Detections, ...]
    picture: Picture


def instants(site: Site, rig: Rig, start_at_ns: int) -> Iterator[Instant]:
    """Run the pipeline over the site's camera files, in order, until one of them ends."""
    clock = SystemClock()
    sources = [
        open_source(camera, clock, pace="as_fast_as_possible", loop=False, start_at_ns=start_at_ns)
        for camera in site.cameras
    ]
    pipeline = Pipeline(site, rig)
    try:
        for frames in lockstep(sources):
            people = pipeline.see(frames)
            yield Instant(frames=frames, people=people, picture=pipeline.show(frames))
    finally:
        for source in sources:
            source.close()


def run_fast(options: RunOptions, say: Callable[[str], None]) -> int:
    """Run, publish, draw; print what was found."""
    site = options.site()
    rig = load_rig(site.rig.file)
    check_same_site(site.rig.file, site)
    if old := doubt(site.rig.file, site):
        say(f"degraded: {old}")
    book = PictureBook(options.pictures) if options.pictures else None
    seen, raised, count = set[int](), list[str](), 0
    with open_sending(site, options) as sending, Progress(transient=True) as progress:
        task = progress.add_task("frames", total=None)
        encoder = PanoramaEncoder(rig.surface.size_px, 10.0, site.panorama.bitrate_kbit_s)
        for instant in instants(site, rig, SystemClock().now_ns()):
            _send(instant, encoder, sending.outlet)
            if book:
                book.add(instant.picture, instant.frames, instant.people)
            seen |= {person.track for person in instant.picture.positions.people}
            raised += [a.kind for a in instant.picture.anomalies if a.state == "active"]
            count += 1
            progress.advance(task)
    say(f"{count} instants, {len(seen)} people followed, alarms raised: {raised or 'none'}")
    if book:
        say(f"pictures: {options.pictures}")
    return 0


def _send(instant: Instant, encoder: PanoramaEncoder, outlet: Outlet) -> None:
    picture = instant.picture
    for anomaly in picture.anomalies:
        outlet.send(anomaly)
    outlet.send(picture.positions)
    outlet.send(packet_of(picture, encoder))
