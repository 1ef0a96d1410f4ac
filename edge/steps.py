"""What a pipeline did, step by step, so that the same can be done again over recorded packets.

Knows nothing about files or recorders. A live run leaves out what it is too late for, and which
frames were searched before which panorama depends on the machine; so each step is written down in
the order in which it took effect. Written are JSON objects; `edge/rerun_steps.py` reads them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from edge.byte_ring import ByteRing
from edge.cameras.source import place_of
from edge.model_file import model_file
from edge.pipeline import Frames, Hanging, Picture, Pipeline
from edge.step_log import StepLog
from location.person import Kept
from scene.arrays import Floats
from scene.errors import RigError
from scene.messages import Anomaly, Detections, Positions
from scene.rig import Rig, parse_rig
from scene.site import Site
from scene.wire import Message, encode

SEE, SHOW = "see", "show"
RULES = ("zones", "gates", "limits")
"""Sections of a site file that may change while a gateway runs."""
SECTIONS = (
    *("version", "site", "gateway", "cameras", "rig", "floor", "supports", "marks"),
    *("detection", "panorama", *RULES),
)
"""What of a site a pipeline heeds."""
KEPT: TypeAdapter[Kept] = TypeAdapter(Kept)
ALARM: TypeAdapter[Anomaly] = TypeAdapter(Anomaly)


class SteppedPipeline(Pipeline):
    """A pipeline that writes down what it does; nobody is waited for."""

    def __init__(self, site: Site, rig: Rig, ring: ByteRing) -> None:
        self.steps = StepLog(ring)
        """Where whoever belongs to this start of the pipeline writes steps down as well."""
        self._seeing: Frames = ()
        self._showing: Frames = ()
        super().__init__(site, rig)
        self.steps.put(
            "begin",
            site=site_fields(site),
            rig=rig_text(site, rig),
            model_sha256=model_file(site).sha256,
            provider=self.detector.provider,
        )

    def see(self, frames: Frames) -> tuple[Detections, ...]:
        """Search, and follow whom was found."""
        self._seeing = frames
        return super().see(frames)

    def follow(self, people: tuple[Detections, ...]) -> None:
        """Follow; the order in which this and `locate` take effect is that of the steps."""
        with self._tracking:
            self.steps.put(SEE, frames=_names(self._seeing))
            super().follow(people)

    def show(self, frames: Frames) -> Picture:
        """Show one instant."""
        self._showing = frames
        return super().show(frames)

    def locate(self, at_ns: int) -> Positions:
        """Locate everybody, as `show` begins with."""
        with self._tracking:
            self.steps.put(SHOW, at_ns=at_ns, frames=_names(self._showing))
            return super().locate(at_ns)

    def hear(self, message: Message) -> tuple[Anomaly, ...]:
        """Hear what others say."""
        payload = encode(message, gateway=self._site.gateway, seq=0, sent_at_ns=0)
        self.steps.put("hear", message=json.loads(payload))
        return super().hear(message)

    def kept(self) -> Kept:
        """Note who is known: a second run that can't start at the beginning starts from it.

        So which cameras are not trusted is in it as well, for as long as that lasts.
        """
        kept = super().kept()
        self.steps.put(
            "kept",
            kept=KEPT.dump_python(kept, mode="json"),
            blind=sorted(self._blind),
            spreads=_numbers(self._spreads),
        )
        return kept

    def take_back(self, kept: Kept) -> None:
        """Go on from an earlier run's note."""
        self.steps.put("take_back", kept=KEPT.dump_python(kept, mode="json"))
        super().take_back(kept)

    def change(self, site: Site) -> None:
        """Go over to other zones, gates and limits."""
        self.steps.put("change", rules=site_fields(site, RULES))
        super().change(site)

    def adopt(self, alarms: Sequence[Anomaly]) -> tuple[Anomaly, ...]:
        """Take back alarms about people of an earlier run."""
        self.steps.put("adopt", alarms=[ALARM.dump_python(alarm, mode="json") for alarm in alarms])
        return super().adopt(alarms)

    def rehang(self, hanging: Hanging) -> None:
        """Go over to another rig."""
        self.steps.put("rehang", rig=rig_text(self._site, hanging.rig))
        super().rehang(hanging)

    def distrust(self, spreads: Mapping[str, Floats | None]) -> None:
        """Trust some cameras less."""
        with self._tracking:
            self.steps.put("distrust", spreads=_numbers(spreads))
            super().distrust(spreads)

    def take_for_blind(self, cameras: frozenset[str]) -> None:
        """Take some cameras for blind; said with every picture, so only changes are written."""
        if cameras != self._blind:
            self.steps.put("blind", cameras=sorted(cameras))
        super().take_for_blind(cameras)


def site_fields(site: Site, sections: Sequence[str] = SECTIONS) -> dict[str, Any]:
    """Give sections of a site as JSON has them; cameras' addresses without passwords."""
    fields = site.model_dump(mode="json", include=set(sections))
    for camera in fields.get("cameras", ()):
        camera["url"] = place_of(camera["url"])
    return fields


def rig_text(site: Site, rig: Rig) -> str:
    """Give the text of the rig file that is in force; empty when the file is another one by now."""
    try:
        text = site.rig.file.read_text(encoding="utf-8")
        return text if parse_rig(text, name="rig").id == rig.id else ""
    except (OSError, UnicodeDecodeError, RigError):
        return ""


def _numbers(spreads: Mapping[str, Floats | None]) -> dict[str, Any]:
    return {name: None if one is None else one.tolist() for name, one in spreads.items()}


def _names(frames: Frames) -> list[tuple[str, int]]:
    return [(frame.camera, frame.captured_at_ns) for frame in frames]
