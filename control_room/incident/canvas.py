"""One picture of the film: the panorama, everybody's tag, what nobody saw, and when it was taken.

Knows nothing about files.
"""

from control_room.incident.drawing import (
    ALARM,
    Lines,
    box_of,
    canvas_of,
    draw_band,
    draw_tags,
    draw_unseen,
    tag_of,
    unseen_lines,
)
from control_room.incident.gather import Gathered
from control_room.incident.lettering import Picture, can_write
from control_room.incident.lives import Life
from control_room.incident.seen import Coverage, Seen
from control_room.incident.tags import (
    PREDICTED_AFTER_S,
    Legend,
    alarms_at,
    site_at,
    text_of,
    unseen_for_s,
)
from control_room.journal.export import moment
from scene.messages import PanoramaPacket, Position, SiteDescription


class Painter:
    """Paints the pictures of a recording."""

    def __init__(self, found: Gathered, lives: tuple[Life, ...], legend: Legend) -> None:
        """Take what the recording says, and the legend that names are put into."""
        self._found, self._lives, self.legend = found, lives, legend
        self._coverage = Coverage(found)
        self._hatched: tuple[object, Lines] | None = None
        """The last hatching, and what it was of: a heartbeat holds for some 20 pictures."""

    def paint(
        self, picture: Picture, packet: PanoramaPacket, framed: Position | None = None
    ) -> Picture:
        """Give the picture under its band, everybody tagged; the person `framed` stands out."""
        at_ns, people = packet.captured_at_ns, packet.positions.people
        site, legend = site_at(self._found, at_ns), self.legend
        seen = self._coverage.at(at_ns, site)
        canvas = canvas_of(picture)
        if site.geometry == packet.geometry:  # another rig's metres would be hatched elsewhere
            draw_unseen(canvas, self._lines(canvas, site, seen))
        tags, alarmed, active = [], 0, alarms_at(self._lives, at_ns)
        for person in people:
            kinds = active.get(person.track, [])
            alarmed += bool(kinds)
            text = text_of(person, at_ns, legend, site, kinds)
            tag = tag_of(person, at_ns, text, alarmed=bool(kinds), height=picture.shape[0])
            tags += [tag] if tag is not None else []
        tags.sort(key=lambda tag: tag.colour != ALARM)  # they find room first
        frame = None
        if framed is not None and framed.panorama_xy is not None:
            frame = box_of(framed, framed.panorama_xy, picture.shape[0])
        without = draw_tags(canvas, tags, frame)
        unseen = sum(unseen_for_s(one, at_ns) > PREDICTED_AFTER_S for one in people)
        place = f"{_plain(self._found.site)}/{_plain(self._found.gateway)}"
        now = f" ({unseen} NOT SEEN now 当前未见)" if unseen else ""
        told = [f"people followed 跟踪人数: {len(people)}{now}"]
        off = len(people) - len(tags)
        told += [f"{off} not on this picture 不在画面内"] * (off > 0)
        told += [f"{without} WITHOUT ROOM FOR A LABEL 无处标注"] * (without > 0)
        told += [f"{alarmed} with alarms 有报警"] * (alarmed > 0)
        lines = (f"{moment(at_ns)}  {place}", "   ".join(told), seen.in_words)
        draw_band(canvas, lines, alarm=not seen.is_whole)
        return canvas

    def _lines(self, canvas: Picture, site: SiteDescription, seen: Seen) -> Lines:
        of = (id(site), id(seen.beat), canvas.shape)
        if self._hatched is None or self._hatched[0] != of:
            height, width = canvas.shape[:2]
            self._hatched = of, unseen_lines((width, height), site, seen)
        return self._hatched[1]


def _plain(text: str) -> str:
    """Give a name in the film's letters: others are "?"."""
    return "".join(one if can_write(one) else "?" for one in text[:60])
