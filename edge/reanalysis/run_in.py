"""Where a second run of one file begins: so early that the file's border hardly matters.

Knows nothing about results. A file from the midst of a run starts from what live knew a while
before its beginning, in the file before: people from live's own notes of who is known (`kept`),
alarms from the recording, cameras, rig and rules from the steps so far. How long a while follows
from the rules: longer than the longest time that one of them counts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mcap.records import Channel

from control_room.judge import about_people, active_at
from delivery.recordings.format import FRAME_TOPIC, VIDEO_TOPIC
from delivery.recordings.reader import RecordingFile
from delivery.recordings.rerun_records import RecordedPacket, RecordedStep, read_for_a_rerun
from delivery.recordings.run_record import RunRecord, read_run
from edge.rerun_pipeline import ELSEWHERE, Beginning, read_site
from edge.rerun_recorded import read_live
from edge.rerun_steps import Recorded
from edge.steps import ALARM
from location.watch import rules
from scene.errors import LamproomError, RecordingError
from scene.messages import Anomaly, PanoramaPacket, Positions
from scene.rig import parse_rig
from scene.site import Site, parse_site

SETTLE_S = 30.0
"""So long at least, and on top of what rules count, until everybody is followed as live did."""
MOST_S = 3600.0
"""No longer than a file: what rules count beyond that is begun anew at a file's beginning."""
LASTS = ("change", "rehang", "distrust", "blind")
"""Steps whose effect lasts until the next of their kind."""

Tell = Callable[[str], None]
Begins = Literal["start", "run_in", "midst"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How one file is gone into."""

    records: Iterator[Recorded]
    beginning: Beginning | None
    begins: Begins
    """Whether at a start of the pipeline, with a run-in, or as live was when the file began."""
    border_ns: int
    """What was recorded earlier belongs to the run-in."""
    run_in_s: float
    stand: list[Anomaly]
    """Alarms of live that the run-in takes back; grows while `records` are read."""


def run_in_s(site: Site) -> float:
    """Tell for how long what was before may matter to a site's rules."""
    counted = [max(rule.raise_after_s, rule.forgotten_after_s) for rule in rules(site)]
    counted += [zone.immobile_after_s for zone in site.zones if zone.immobile_after_s is not None]
    if site.limits.tags is not None:
        tags = site.limits.tags
        counted += [
            tags.window_s + tags.person_without_tag_after_s,
            tags.window_s + tags.tag_without_person_after_s,
            tags.window_s + tags.two_tags_after_s,
        ]
    return min(max(counted, default=0.0) + SETTLE_S, MOST_S)


def recorded_site(run: RunRecord) -> Site:
    """Read the site file that a recording carries; raises `SiteError`."""
    return parse_site(
        run.site_yaml, name="the recording's site", folder=ELSEWHERE, check_files=False
    )


def enter(path: Path, before: Sequence[Path], run: RunRecord, run_in: float, tell: Tell) -> Entry:
    """Find out how a file is gone into; raises `LamproomError`.

    `before` are the files before it, the nearest last, `run_in` is in seconds; `tell` is told what
    can't be read of the file.
    """
    own = read_for_a_rerun(path, tell)
    first = _first_step(path)
    if first is None:
        raise RecordingError(f"{path}: has none of the pipeline's steps: it can't be run again")
    entry = Entry(
        records=own,
        beginning=None,
        begins="start",
        border_ns=first.at_ns,
        run_in_s=0.0,
        stand=[],
    )
    lead = None
    if first.fields.get("do") != "begin":
        lead = _lead(before, first, first.at_ns - round(run_in * 1e9))
        entry = replace(entry, begins="midst")
    if lead is None:
        return replace(entry, beginning=_midst(path, run))
    entry.stand.extend(lead.beginning.alarms)
    return replace(
        entry,
        records=_chained(lead, first, entry.stand, own),
        beginning=lead.beginning,
        begins="run_in",
        run_in_s=run_in,
    )


def _first_step(path: Path) -> RecordedStep | None:
    steps = read_for_a_rerun(path, _unheard, kinds=("steps",))
    return next((one for one in steps if isinstance(one, RecordedStep)), None)


def _midst(path: Path, run: RunRecord) -> Beginning | None:
    """Give what a file says by itself of how all was when it was begun."""
    if not run.rig_yaml or not run.site_yaml:
        return None
    live = read_live([path]).results
    return Beginning(
        site=recorded_site(run),
        rig=parse_rig(run.rig_yaml, name="the recording's rig"),
        model_sha256=run.model_sha256,
        alarms=active_at(min(live.places, default=0), filter(about_people, live.alarms)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lead:
    """What leads up to a file: how all was when the run-in begins, and from where it goes on."""

    paths: tuple[Path, ...]
    start_ns: int
    key_ns: int
    """From then on packets are needed so that every camera can be decoded."""
    beginning: Beginning
    lasting: tuple[RecordedStep, ...]
    """Steps before the run-in whose effect lasts."""


def _lead(before: Sequence[Path], first: RecordedStep, start_ns: int) -> _Lead | None:
    """Find the files that lead up to one; none where even the nearest does not."""
    paths: list[Path] = []
    after, begin, earliest = first, None, None
    for path in reversed(before):
        try:
            steps = _Steps(path, start_ns)
            if not steps.lead_to(after):
                break
            beginning = _beginning(path, steps.begin, start_ns)
        except (LamproomError, LookupError, TypeError, ValueError):
            break  # its own segment tells of what is wrong with it
        if beginning is None:
            break
        paths.insert(0, path)
        earliest, begin = steps, beginning
        assert steps.first is not None
        after = steps.first
        if after.at_ns < start_ns or after.fields.get("do") == "begin":
            break
    if begin is None or earliest is None:
        return None
    order = sorted(earliest.lasting.values(), key=lambda step: int(step.fields["number"]))
    return _Lead(
        paths=tuple(paths),
        start_ns=start_ns,
        key_ns=min(earliest.keys_ns.values(), default=0),
        beginning=begin,
        lasting=tuple(order),
    )


class _Steps:
    """Goes over the steps of one file before."""

    def __init__(self, path: Path, start_ns: int) -> None:
        self.first: RecordedStep | None = None
        self.begin: dict[str, Any] | None = None
        """The last start of the pipeline before the run-in."""
        self.lasting: dict[str, RecordedStep] = {}
        self.keys_ns: dict[str, int] = {}
        """Of each camera, when its last key frame before the run-in was recorded."""
        self._last: RecordedStep | None = None
        for one in read_for_a_rerun(path, _unheard, kinds=("steps", "camera")):
            if isinstance(one, RecordedStep):
                self._take(one, start_ns)
            elif isinstance(one, RecordedPacket) and one.packet.key_frame:
                name = one.packet.stream.camera
                if one.at_ns < start_ns or name not in self.keys_ns:
                    self.keys_ns[name] = one.at_ns

    def _take(self, step: RecordedStep, start_ns: int) -> None:
        self.first = self.first or step
        self._last = step
        do = step.fields.get("do")
        if step.at_ns >= start_ns:
            return
        if do == "begin":
            self.lasting, self.begin = {}, step.fields
        elif do in LASTS:
            self.lasting[do] = step

    def lead_to(self, after: RecordedStep) -> bool:
        """Tell whether no step is missing between this file and what is after it."""
        last = self._last
        if last is None or last.fields["pipeline"] != after.fields["pipeline"]:
            return False
        return bool(last.fields["number"] >= after.fields["number"] - 1)


def _beginning(before: Path, begin: dict[str, Any] | None, start_ns: int) -> Beginning | None:
    run = read_run(before)
    if run is None or not run.site_yaml or not (begin or run.rig_yaml):
        return None
    site, rig_yaml, model = recorded_site(run), run.rig_yaml, run.model_sha256
    if begin is not None:
        site, rig_yaml = read_site(begin["site"]), str(begin["rig"])
        model = str(begin["model_sha256"])
    return Beginning(
        site=site,
        rig=parse_rig(rig_yaml, name="the recording's rig"),
        model_sha256=model,
        alarms=_standing(before, start_ns),
    )


def _standing(path: Path, at_ns: int) -> tuple[Anomaly, ...]:
    """List the alarms about people that stood at a time of the recorder's clock."""
    file = RecordingFile(path)
    first = next(
        (
            body.captured_at_ns
            for record in file.records(from_ns=at_ns, wanted=_is_place)
            if isinstance(body := record.body, Positions | PanoramaPacket)
        ),
        None,
    )
    return () if first is None else active_at(first, filter(about_people, alarms_in(path)))


def alarms_in(path: Path) -> list[Anomaly]:
    """List what was said of alarms in a recording; raises `RecordingError`."""
    said = RecordingFile(path).records(wanted=lambda channel: channel.topic.endswith("/alarm"))
    return [one.body for one in said if isinstance(one.body, Anomaly)]


def _is_place(channel: Channel) -> bool:
    return channel.topic.endswith("/positions") or channel.topic in (FRAME_TOPIC, VIDEO_TOPIC)


def _chained(
    lead: _Lead, first: RecordedStep, stand: list[Anomaly], own: Iterator[Recorded]
) -> Iterator[Recorded]:
    """Give the run-in, then the file: what lasts comes before the first step."""
    begun = False
    for path in lead.paths:
        for record in read_for_a_rerun(path, _unheard, from_ns=lead.key_ns):
            if isinstance(record, RecordedPacket):
                yield record
            elif isinstance(record, RecordedStep) and record.at_ns >= lead.start_ns:
                at_ns = min(record.at_ns, first.at_ns - 1)  # a clock may have been set back
                step = replace(record, at_ns=at_ns)
                if not begun:
                    yield from _numbered(lead.lasting, step)
                begun = True
                _take_back(stand, step)
                yield step
    if not begun:
        yield from _numbered(lead.lasting, replace(first, at_ns=first.at_ns - 1))
    yield from own


def _numbered(lasting: Sequence[RecordedStep], before: RecordedStep) -> Iterator[RecordedStep]:
    """Give steps from earlier as if they were right before another: so nothing seems to lack."""
    for left, step in zip(range(len(lasting), 0, -1), lasting, strict=True):
        number = int(before.fields["number"]) - left
        yield replace(before, fields={**step.fields, "number": number})


def _take_back(stand: list[Anomaly], step: RecordedStep) -> None:
    """Note which alarms a start of the pipeline takes back."""
    if step.fields.get("do") == "begin":
        stand.clear()
    elif step.fields.get("do") == "adopt":
        stand.extend(map(ALARM.validate_python, step.fields["alarms"]))


def _unheard(_text: str) -> None:
    """Leave it to the file's own segment to say what can't be read of it."""
