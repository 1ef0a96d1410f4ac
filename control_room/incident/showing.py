"""Go through a recording's minutes: draw its pictures into the film, keep some, list positions.

Knows nothing about manifests or pages. Where no picture was recorded the film says so, for a still
picture looks as if nothing happened.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from control_room.incident.canvas import Painter
from control_room.incident.decoding import Decoder
from control_room.incident.drawing import card
from control_room.incident.error import IncidentError
from control_room.incident.film import Film
from control_room.incident.gather import Gathered
from control_room.incident.instants import in_order, records_round
from control_room.incident.lettering import Picture
from control_room.incident.lives import Life
from control_room.incident.names import FILM, PICTURES, TRACKS
from control_room.incident.span import Span
from control_room.incident.tables import TRACKS as TRACK_COLUMNS
from control_room.incident.tables import Table, add_positions
from control_room.incident.tags import Legend
from control_room.journal.export import moment
from delivery.recordings.format import Record
from scene.alarms import ALARMS
from scene.messages import PanoramaPacket

GAP_NS = 1_000_000_000
"""Without a picture for longer the film says so."""
NEAR_NS = 2_000_000_000
"""A picture further from an alarm's raise shows something else."""
MOST_PICTURES = 100
THUMB_WIDE = 1400


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPicture:
    """A picture that is kept as a file of its own."""

    name: str
    at_ns: int
    of: Life | None
    """The alarm that it shows the raise of; none for the first and the last picture."""
    boxed: bool
    """Whether the alarm's person is on it, and framed."""
    thumb: bytes
    """A JPEG for the summary."""


@dataclass(slots=True, kw_only=True)
class Shown:
    """What came of it."""

    pictures: list[KeyPicture] = field(default_factory=list)
    film_begins_ns: int | None = None
    """Which instant the film's second 0 shows; none without a film."""
    frames: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """From when to when there is no picture."""
    failed: int = 0
    """Pictures that could not be decoded."""
    disordered: int = 0
    """Pictures older than the one before, which are left out."""
    instants: int = 0
    legend: Legend = field(default_factory=Legend)
    without_picture: list[Life] = field(default_factory=list)
    """Alarms at whose raise no picture was recorded."""
    beyond_pictures: int = 0
    """So many more alarms have no picture of their own, only the film."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drawn:
    """A picture with all that is drawn on it."""

    at_ns: int
    picture: Picture
    """As it was recorded."""
    canvas: Picture
    packet: PanoramaPacket


def show(
    found: Gathered,
    span: Span,
    lives: tuple[Life, ...],
    *,
    folder: Path,
    tell: Callable[[float], None],
) -> Shown:
    """Write film, pictures and tracks into a folder; `tell` is told the share that is done.

    Raises `IncidentError`, `RecordingError`, `OSError`.
    """
    shown = Shown()
    records = records_round(found, span)
    studio = _Studio(found, span, lives, folder, shown)
    with studio, Table(folder / TRACKS, TRACK_COLUMNS) as table:
        for said, source in in_order(studio.watched(records, tell), span):
            add_positions(table, said, found, shown.legend, source)
            shown.instants += 1
    return shown


class _Studio:
    """Draws the pictures of a span into a film, and keeps some."""

    def __init__(
        self, found: Gathered, span: Span, lives: tuple[Life, ...], folder: Path, shown: Shown
    ) -> None:
        self._span, self._folder, self._shown = span, folder, shown
        self._painter, self._decoder = Painter(found, lives, shown.legend), Decoder()
        raised = [one for one in lives if span.has(one.raised_at_ns)]
        self._waiting = raised[:MOST_PICTURES]
        shown.beyond_pictures = max(0, len(raised) - MOST_PICTURES)
        self._film: Film | None = None
        self._stack = contextlib.ExitStack()
        self._before: _Drawn | None = None

    def __enter__(self) -> "_Studio":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """End the film; where nothing failed, with what is still to be said."""
        try:
            if kind is None:
                self._end()
        finally:
            self._shown.failed = self._decoder.failed
            self._stack.__exit__(kind, *rest)  # type: ignore[arg-type]

    def watched(self, records: Iterable[Record], tell: Callable[[float], None]) -> Iterator[Record]:
        """Hand records on, after the pictures among them have been drawn."""
        for record in records:
            if isinstance(record.body, PanoramaPacket):
                self._take(record.body)
                done = (record.body.captured_at_ns - self._span.from_ns) / 1e9 / self._span.long_s
                tell(min(max(done, 0.0), 1.0))
            yield record

    def _take(self, packet: PanoramaPacket) -> None:
        picture = self._decoder.decode(packet)
        if picture is None or not self._span.has(packet.captured_at_ns):
            return
        if self._before is not None and packet.captured_at_ns <= self._before.at_ns:
            self._shown.disordered += 1
            return
        drawn = _Drawn(
            at_ns=packet.captured_at_ns,
            picture=picture,
            canvas=self._painter.paint(picture, packet),
            packet=packet,
        )
        if self._film is None:
            self._begin(drawn)
        elif self._before is not None and drawn.at_ns - self._before.at_ns > GAP_NS:
            self._say_gap(self._before.at_ns, drawn.at_ns)
        assert self._film is not None
        self._film.add(drawn.canvas, drawn.at_ns)
        self._shown.frames += 1
        self._keep_raises(drawn)
        self._before = drawn

    def _begin(self, first: _Drawn) -> None:
        late = first.at_ns - self._span.from_ns > GAP_NS
        begins_ns = self._span.from_ns if late else first.at_ns
        tall, wide = first.canvas.shape[:2]
        film = Film(self._folder / FILM, (wide, tall), begins_ns)
        self._film = self._stack.enter_context(film)
        self._shown.film_begins_ns = begins_ns
        (self._folder / PICTURES).mkdir()
        if late:
            self._say_gap(begins_ns, first.at_ns)
        self._keep("first.png", first, None)

    def _end(self) -> None:
        last, span = self._before, self._span
        for life in self._waiting:
            self._keep_raise(life, None)
        if last is None or self._film is None:
            self._shown.gaps.append((span.from_ns, span.to_ns))
            return
        self._keep("last.png", last, None)
        if span.to_ns - last.at_ns > GAP_NS:
            self._say_gap(last.at_ns, span.to_ns)
            self._film.add(self._card(last.at_ns, span.to_ns), span.to_ns)
        else:  # or the last picture would last for no time
            self._film.add(last.canvas, last.at_ns + 40_000_000)

    def _say_gap(self, from_ns: int, to_ns: int) -> None:
        """Put a card into the film where there is no picture, half a second after the last one."""
        self._shown.gaps.append((from_ns, to_ns))
        assert self._film is not None
        begins_ns = from_ns if self._before is None else from_ns + GAP_NS // 2
        self._film.add(self._card(from_ns, to_ns), begins_ns)

    def _card(self, from_ns: int, to_ns: int) -> Picture:
        assert self._film is not None
        span = f"{moment(from_ns)} to {moment(to_ns)}"
        return card(self._film.size_px, "NO PICTURE RECORDED 无录制画面", span)

    def _keep_raises(self, drawn: _Drawn) -> None:
        """Keep a picture of each alarm that was raised up to this one."""
        due = [one for one in self._waiting if one.raised_at_ns <= drawn.at_ns]
        for life in due:
            self._keep_raise(life, drawn)
        self._waiting = [one for one in self._waiting if one.raised_at_ns > drawn.at_ns]

    def _keep_raise(self, life: Life, after: _Drawn | None) -> None:
        near = [one for one in (self._before, after) if one is not None]
        best = min(near, key=lambda one: abs(one.at_ns - life.raised_at_ns), default=None)
        if best is None or abs(best.at_ns - life.raised_at_ns) > NEAR_NS:
            self._shown.without_picture.append(life)
            return
        number = 1 + sum(one.of is not None for one in self._shown.pictures)
        kind = life.first.kind if life.first.kind in ALARMS else "alarm"
        self._keep(f"alarm-{number:02}-{kind}.png", best, life)

    def _keep(self, name: str, drawn: _Drawn, life: Life | None) -> None:
        canvas, boxed = drawn.canvas, False
        track = None if life is None else life.first.track
        people = {one.track: one for one in drawn.packet.positions.people}
        person = None if track is None else people.get(track)
        if person is not None and person.panorama_xy is not None:
            canvas, boxed = self._painter.paint(drawn.picture, drawn.packet, person), True
        coded, png = cv2.imencode(".png", canvas)
        if not coded:
            raise IncidentError(f"{name}: can't be coded as a picture")
        (self._folder / PICTURES / name).write_bytes(png.tobytes())
        self._shown.pictures.append(
            KeyPicture(
                name=f"{PICTURES}/{name}",
                at_ns=drawn.at_ns,
                of=life,
                boxed=boxed,
                thumb=_thumb(canvas),
            )
        )


def _thumb(canvas: Picture) -> bytes:
    shrink = min(1.0, THUMB_WIDE / canvas.shape[1])
    small = cv2.resize(canvas, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])
    return jpeg.tobytes()
