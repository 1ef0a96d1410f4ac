"""The whole product on one screen: frames to people, positions, panorama and anomalies.

Knows nothing about processes, queues, MQTT or where frames come from.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from detection.detector import open_detector
from location.naming import Naming
from location.on_panorama import with_panorama
from location.person import Kept
from location.tag_check import TagCheck
from location.tracker import Tracker
from location.watch import Watch
from scene.alarms import ALARMS
from scene.arrays import Floats
from scene.floor import Floor
from scene.messages import Anomaly, Detections, Frame, Order, Panorama, Positions, Tags
from scene.rig import Rig
from scene.site import Site
from scene.wire import Message
from stitching.drift.proposal import distrusted
from stitching.local_contrast import LocalContrast
from stitching.stitcher import Stitcher

Frames = tuple[Frame, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """One instant as the control room gets it."""

    panorama: Panorama
    positions: Positions
    """Predicted to the panorama's very instant."""
    anomalies: tuple[Anomaly, ...]
    """What changed: alarms raised or cleared."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hanging:
    """A rig with all that is computed once for it."""

    rig: Rig
    stitcher: Stitcher


class Pipeline:
    """The stages of one gateway, wired together.

    `see` may run in another thread than `show`, and less often: positions are predicted to the
    panorama's instant.
    """

    def __init__(self, site: Site, rig: Rig) -> None:
        self.detector = open_detector(site.detection)
        self._tracker = Tracker(rig, Floor(site.floor))
        self._stitcher = Stitcher(rig, site.panorama)
        self._naming = Naming(site.limits.tags)
        self._watch = Watch(site)
        self._tag_check = TagCheck(site.limits.tags, Floor(site.floor))
        self._site, self._rig = site, rig
        self._spreads: Mapping[str, Floats | None] = {}
        self._blind: frozenset[str] = frozenset()
        self._failed: dict[str, str] = {}
        """Which of the parts that judge do not work now, and why."""
        self._finds: tuple[Detections, ...] = ()
        """The latest ones: they show who is where before anybody is located."""
        self._lift_to_see, self._lift_to_show = LocalContrast(), LocalContrast()
        self._tracking = threading.RLock()

    def see(self, frames: Frames) -> tuple[Detections, ...]:
        """Find the people in one instant's frames and follow them in mine metres.

        Frames that don't fit the rig are left out: what is found there has no right place.
        """
        fit = [frame for frame in frames if not self._stitcher.problem_of(frame)]
        if self._site.detection.local_contrast:
            fit = [replace(frame, image=self._lift_to_see.lifted(frame.image)) for frame in fit]
        people = self.detector.detect(fit)
        self.follow(people)
        return people

    def follow(self, people: tuple[Detections, ...]) -> None:
        """Follow people who were found in one instant's frames."""
        with self._tracking:
            self._tracker.update(people)
            self._finds = people

    def show(self, frames: Frames) -> Picture:
        """Make the panorama of one instant, with everybody's position and what is wrong."""
        positions = self._named(self.locate(max(f.captured_at_ns for f in frames)))
        panorama = self._stitcher.stitch(frames, positions.people, self._finds, self._blind)
        if self._site.panorama.local_contrast:
            panorama = replace(
                panorama, image=self._lift_to_show.lifted(panorama.image, panorama.unseen)
            )
        surface = self._rig.surface
        positions = replace(
            positions, people=with_panorama(positions.people, surface, panorama.insets)
        )
        return Picture(
            panorama=panorama,
            positions=positions,
            anomalies=self._judged(positions),
        )

    def judge(self, at_ns: int) -> tuple[Positions, tuple[Anomaly, ...]]:
        """Do without pictures what `show` does: positions, and what changed about alarms."""
        positions = self._named(self.locate(at_ns))
        return positions, self._judged(positions)

    def hear(self, message: Message) -> tuple[Anomaly, ...]:
        """Take in what others say: tags, machines, operators' orders, this gateway's own health.

        Gives the alarm that an operator ends though nothing here knows it any more: cleared.
        """
        if isinstance(message, Tags):
            self._naming.hear(message)
        self._tag_check.hear(message)
        self._watch.hear(message)
        about = message.about if isinstance(message, Order) else None
        if not isinstance(message, Order) or about is None or about.id != message.alarm:
            return ()
        if about.kind not in ALARMS or ALARMS[about.kind].about != "person":
            return ()  # nobody's word mends a camera
        active = (*self._watch.active(), *self._tag_check.active())
        known = message.alarm in {alarm.id for alarm in active}
        return () if known else (_ended_unknown(message, about),)

    def kept(self) -> Kept:
        """Note down who is known, for the next run."""
        with self._tracking:
            return self._tracker.kept()

    def take_back(self, kept: Kept) -> None:
        """Go on from an earlier run's note, before the first frames."""
        self._tracker.take_back(kept)

    @property
    def trouble(self) -> str:
        """What the rules can't watch, and why; mostly empty."""
        return "; ".join(text for text in (self._watch.trouble, *self._failed.values()) if text)

    def _named(self, positions: Positions) -> Positions:
        try:
            named = self._naming.named(positions)
        except Exception as error:  # people without names are better than no people
            self._failed["names"] = f"names fail: {error!r}"
            return positions
        self._failed.pop("names", None)
        return named

    def _judged(self, positions: Positions) -> tuple[Anomaly, ...]:
        """Judge by the rules; one part that fails stops neither the other nor the picture."""
        found: list[Anomaly] = []
        for name, part in (("rules", self._watch), ("tag rules", self._tag_check)):
            try:
                found += part.update(positions)
            except Exception as error:
                self._failed[name] = f"the {name} fail: {error!r}"
            else:
                self._failed.pop(name, None)
        return tuple(found)

    def unfit(self, frames: Frames) -> dict[str, str]:
        """Say, by camera, why frames don't fit the rig; mostly empty."""
        problems = {frame.camera: self._stitcher.problem_of(frame) for frame in frames}
        return {camera: why for camera, why in problems.items() if why}

    @property
    def degraded(self) -> str:
        """Why something does not run where the site wants it to; mostly empty."""
        reasons = (self.detector.degraded, self._stitcher.degraded)
        return "; ".join(reason for reason in reasons if reason)

    def change(self, site: Site) -> None:
        """Go over to other zones, gates and limits of the same site, between two panoramas."""
        self._watch.change(site)
        self._site = site

    def adopt(self, alarms: Sequence[Anomaly]) -> tuple[Anomaly, ...]:
        """Give alarms about people, active since before the start, back to the rules.

        Gives those that no rule takes: they would stay for good.
        """
        self._watch.adopt(alarms)
        if self._site.limits.tags is not None:
            self._tag_check.adopt(alarms)
        taken = {alarm.id for alarm in (*self._watch.active(), *self._tag_check.active())}
        return tuple(alarm for alarm in alarms if alarm.id not in taken)

    def prepare(self, rig: Rig, frames: Frames = ()) -> Hanging:
        """Compute what another rig needs, in any thread; changes nothing yet.

        A first panorama of some present frames sets its gains, so that none of it is seen.
        """
        stitcher = Stitcher(rig, self._site.panorama)
        if frames:
            stitcher.stitch(frames)
        return Hanging(rig=rig, stitcher=stitcher)

    def rehang(self, hanging: Hanging) -> None:
        """Go over to another rig of the same cameras, between two panoramas."""
        self._stitcher, self._rig = hanging.stitcher, hanging.rig
        self.distrust(self._spreads)

    def distrust(self, spreads: Mapping[str, Floats | None]) -> None:
        """Place people with less trust in some cameras: (3, 3) rad2 more of unsure turn.

        Whom only such cameras see is there `possibly`. A camera with none instead places nobody.
        """
        with self._tracking:
            self._tracker.look_through(distrusted(self._rig, spreads))
        self._spreads = spreads

    def take_for_blind(self, cameras: frozenset[str]) -> None:
        """Mark what only these cameras look at as unseen; whom only they find is `possibly` there.

        They are searched all the same: a lamp in the dark may be somebody.
        """
        self._blind = cameras

    def locate(self, at_ns: int) -> Positions:
        """Predict everybody to one instant."""
        with self._tracking:
            people = self._tracker.positions(at_ns)
        doubted = self._blind | self._spreads.keys()
        people = tuple(
            replace(person, certainty="possibly")
            if doubted and doubted.issuperset(person.cameras)
            else person
            for person in people
        )
        return Positions(captured_at_ns=at_ns, people=people)


def _ended_unknown(order: Order, about: Anomaly) -> Anomaly:
    return replace(
        about,
        state="cleared",
        captured_at_ns=max(order.ordered_at_ns, about.captured_at_ns + 1),
        evidence=f"Ended by {order.by}: {order.reason} (the gateway no longer knew of it)",
    )
