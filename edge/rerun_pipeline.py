"""Does again what a live pipeline did, with the same rules and model or with others.

Knows nothing about files or how results are compared. Alarms about the gateway itself are of that
day's clocks and processes: they are recorded, and can't come about again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from detection.model import SHIPPED
from edge.file_digest import sha256_of
from edge.pipeline import Picture, Pipeline
from edge.rerun_steps import Recorded, StepsInOrder
from edge.rerun_watches import KINDS_OF, LOOKS, WatchesAgain
from edge.steps import ALARM, KEPT, RULES, SEE, SHOW
from scene.arrays import Floats
from scene.errors import ModelError, RecordingError
from scene.messages import Anomaly, Frame, Positions
from scene.rig import Rig, parse_rig
from scene.site import Site
from scene.wire import decode

ELSEWHERE = Path("/")
IN_THE_MIDST = (
    "the recording begins in the midst of a run: what was known then is taken from its first "
    "second; give the run's files before it as well"
)
TAKEN_FROM_SITE = (*RULES, "detection")
"""Of another site file: its rules, and how people are looked for. Cameras, rig and floor are the
recording's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What shall be otherwise than it was live."""

    site: Site | None = None
    """Whose rules and detection count instead."""
    model: Path | None = None
    rig: Rig | None = None
    """How cameras hung throughout, all of them trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """From what a second run starts whose recording begins in the midst of a run."""

    site: Site
    rig: Rig
    model_sha256: str
    alarms: tuple[Anomaly, ...]
    """Those that were active."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instant:
    """What came out at one instant."""

    recorded_at_ns: int
    """When live's step was recorded, by the recorder's clock."""
    positions: Positions
    anomalies: tuple[Anomaly, ...]
    """What changed about alarms since the instant before."""
    picture: Picture | None
    """With the panorama, where it is painted."""


class Rerun:
    """One second run over recorded packets and steps; `instants` may be called once."""

    def __init__(
        self,
        records: Iterable[Recorded],
        variant: Variant,
        beginning: Beginning | None,
        *,
        paints: bool = False,
        watches: WatchesAgain | None = None,
    ) -> None:
        """Use `beginning` where the recording has no start; none refuses such a recording.

        Cameras are watched again only where `watches` are given.
        """
        self._steps = StepsInOrder(records, paints=paints, also=LOOKS if watches else ())
        self._watches = watches
        self._variant, self._beginning, self._paints = variant, beginning, paints
        self._pipeline: Pipeline | None = None
        self._site: Site | None = None
        self._at: tuple[int, int] | None = None
        self._waits_for_kept = False
        """Whether it has begun in the midst of a run, and does not know yet who is known."""
        self.began_in_the_midst = False
        """Whether what was known at the start is only about what live knew."""
        self.last_anomalies: tuple[Anomaly, ...] = ()
        """What changed about alarms after the last instant."""
        self.doubts: list[str] = []
        """Why it may differ from live though nothing was changed."""

    def instants(self) -> Iterator[Instant]:
        """Give what every panorama of live had; raises `RecordingError`, `ModelError`."""
        anomalies: list[Anomaly] = []
        for step, frames in self._steps:
            try:
                self._look_for_gap(step.fields)
                found = self._do(step.fields, frames)
            except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
                what = f"step {str(step.fields.get('do'))[:20]}: {type(error).__name__}"
                raise RecordingError(f"the recording's steps make no sense: {what}") from None
            if isinstance(found, tuple):
                anomalies += found
            elif found is not None:
                changed = (*anomalies, *found.anomalies)
                anomalies = []
                yield replace(found, recorded_at_ns=step.at_ns, anomalies=changed)
        self.last_anomalies = tuple(anomalies)
        if self._watches is not None:
            self._watches.end()
        self._doubt_gaps()

    def _doubt_gaps(self) -> None:
        missing = self._steps.missing_pictures
        if missing:
            self.doubts.append(f"{missing} pictures that live worked on are not in the recording")
        for of, count in sorted(self._steps.gaps.items()):
            if count:
                what = "steps" if of == "steps" else f"packets of camera {of}"
                self.doubts.append(f"{count} {what} are missing in the recording")

    def _look_for_gap(self, fields: Mapping[str, Any]) -> None:
        """Notice where steps are missing, or where the recording begins in the midst of a run."""
        at = int(fields["pipeline"]), int(fields["number"])
        before, self._at = self._at, at
        if fields["do"] == "begin":
            return
        if before is None or before[0] != at[0]:
            self._begin_in_the_midst()
        elif at[1] != before[1] + 1:
            self._steps.gaps["steps"] += at[1] - before[1] - 1
            self._lose_watches("steps are missing in the recording")

    def _begin_in_the_midst(self) -> None:
        if self._beginning is None:
            raise RecordingError(
                "the recording begins in the midst of a run, and does not say how it was then: "
                "give the run's files before it as well"
            )
        self.doubts.append(IN_THE_MIDST)
        self._lose_watches("the recording begins in the midst of a run")
        begin = self._beginning
        self._open(begin.site, begin.rig, begin.model_sha256)
        self._pipe.adopt(self._beginning.alarms)
        self._waits_for_kept = self.began_in_the_midst = True

    @property
    def _pipe(self) -> Pipeline:
        if self._pipeline is None:
            raise RecordingError("the recording's steps do not begin with one that says what runs")
        return self._pipeline

    def _do(
        self, fields: Mapping[str, Any], frames: tuple[Frame, ...]
    ) -> Instant | tuple[Anomaly, ...] | None:
        """Do one step; gives an instant, or what else changed about alarms."""
        do = fields["do"]
        if do == "begin":
            self._open(read_site(fields["site"]), _rig(fields["rig"]), str(fields["model_sha256"]))
            self._doubt_provider(str(fields["provider"]))
        elif do == "hear":
            return self._pipe.hear(decode(json.dumps(fields["message"]).encode()).body)
        elif do in (SEE, SHOW):
            if self._waits_for_kept:
                return None
            if do == SHOW:
                return self._shown(int(fields["at_ns"]), frames)
            people = self._pipe.see(frames)
            if self._watches is not None:
                self._watches.saw(people)
        elif do in ("kept", "take_back", "adopt"):
            self._remember(do, fields)
        elif do in ("rehang", "distrust", "blind"):
            self._look_otherwise(do, fields)
        elif do == "change":
            self._change(fields["rules"])
        elif str(do).partition("_")[0] in KINDS_OF:
            return () if self._watches is None else self._watches.do(fields, frames)
        else:
            raise RecordingError(f"the recording has a step that is not known here: {do!r:.40}")
        return None

    def _remember(self, do: str, fields: Mapping[str, Any]) -> None:
        """Go on from what an earlier run, or a moment of this one, knew."""
        if do == "adopt":
            self._pipe.adopt([ALARM.validate_python(one) for one in fields["alarms"]])
        elif do == "take_back" or self._waits_for_kept:  # else it is known better
            self._pipe.take_back(KEPT.validate_python(fields["kept"], strict=False))
            if "spreads" in fields and "blind" in fields:  # older recordings do not say
                self._look_otherwise("distrust", fields)
                self._look_otherwise("blind", {"cameras": fields["blind"]})
            self._waits_for_kept = False

    def _look_otherwise(self, do: str, fields: Mapping[str, Any]) -> None:
        """Change how cameras hang, or how far they are trusted."""
        if do == "rehang":
            rig = _rig(fields["rig"])
            if self._variant.rig is None:
                self._pipe.rehang(self._pipe.prepare(rig))
            if self._watches is not None:
                self._watches.rehung(rig)
        elif do == "distrust" and self._variant.rig is None:
            self._pipe.distrust({k: _spread(one) for k, one in fields["spreads"].items()})
        elif do == "blind":
            self._pipe.take_for_blind(frozenset(map(str, fields["cameras"])))

    def _shown(self, at_ns: int, frames: tuple[Frame, ...]) -> Instant:
        picture = self._pipe.show(frames) if self._paints and frames else None
        if picture is not None:
            positions, anomalies = picture.positions, picture.anomalies
        else:
            positions, anomalies = self._pipe.judge(at_ns)
        return Instant(recorded_at_ns=0, positions=positions, anomalies=anomalies, picture=picture)

    def _open(self, site: Site, rig: Rig, model_sha256: str) -> None:
        other, model = self._variant.site, self._variant.model
        if other is not None:
            site = site.model_copy(update={one: getattr(other, one) for one in TAKEN_FROM_SITE})
        found = model or site.detection.model or SHIPPED
        if model is None and other is None and sha256_of(found) != model_sha256:
            raise ModelError(
                f"{found}: is not the model that the recording was made with (SHA-256 "
                f"{model_sha256[:12]}…); give that one with --model"
            )
        detection = site.detection.model_copy(
            update={"model": found, "manifest": None, "manifest_key": None}
        )
        self._site = site.model_copy(update={"detection": detection})
        if self._variant.rig is not None:
            rig = _fitting(self._variant.rig, rig)
            self._lose_watches("another rig is tried", "drift")
        self._pipeline, self._waits_for_kept = Pipeline(self._site, rig), False
        if self._watches is not None:
            self._watches.open(self._site, rig)

    def _lose_watches(self, why: str, *watches: str) -> None:
        if self._watches is not None:
            self._watches.lose(why, *watches)

    def _change(self, rules: Mapping[str, Any]) -> None:
        if self._variant.site is not None or self._site is None:
            return  # the other site's rules count throughout
        whole = self._site.model_dump(mode="json") | {name: rules[name] for name in RULES}
        changed = read_site(whole)
        self._site = self._site.model_copy(update={one: getattr(changed, one) for one in RULES})
        self._pipe.change(self._site)

    def _doubt_provider(self, recorded: str) -> None:
        here = self._pipe.detector.provider
        if recorded != here:
            self.doubts.append(f"live searched with {recorded}, this machine with {here}")


def read_site(fields: Any) -> Site:
    """Read a site as it was recorded, wherever its files are now; raises `RecordingError`."""
    try:
        context = {"folder": ELSEWHERE, "check_files": False}
        return Site.model_validate(fields, context=context)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise RecordingError(f"the recording's site: {place}: {first['msg']}") from None


def _rig(text: Any) -> Rig:
    if not text:
        raise RecordingError("the recording does not have the rig that was in force")
    return parse_rig(str(text), name="the recording's rig")


def _fitting(rig: Rig, recorded: Rig) -> Rig:
    """Give a rig that is to be tried; raises `RecordingError` where it is of other cameras."""
    sizes, wanted = ({one.name: one.size_px for one in of.cameras} for of in (rig, recorded))
    if sizes != wanted:
        raise RecordingError(
            f"the rig to be tried is of other cameras or sizes ({sizes}) than the recording's "
            f"({wanted}): give one of the same cameras"
        )
    return rig


def _spread(given: Any) -> Floats | None:
    if given is None:
        return None
    spread = np.array(given, np.float64)
    if spread.shape != (3, 3):
        raise ValueError("spread")
    return spread
