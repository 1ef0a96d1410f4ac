"""What is written beside somebody on the film, and a legend for names that it has no letters for.

Knows nothing about drawing. Whoever has a name that is too long, or that the film's letters can't
spell, gets a number, `*1`, that the tables and the summary explain: rather a number than a name
spelled wrongly.
"""

from bisect import bisect_right
from dataclasses import dataclass, field

from control_room.incident.gather import Gathered
from control_room.incident.lettering import can_write
from control_room.incident.lives import Life
from scene.alarms import ALARMS
from scene.landmarks import chainage_of
from scene.messages import Position, SiteDescription

LONGEST, MOST = 20, 120
"""Signs of a name, and of a whole tag."""
POSTURES = {"crouching": "crouching 蹲伏", "lying": "lying 躺卧"}
PREDICTED_AFTER_S = 1.0
"""As on the control room's page: from then on a place is a prediction."""


@dataclass(slots=True)
class Legend:
    """Numbers for names that the film can't spell."""

    numbers: dict[str, str] = field(default_factory=dict)
    """`*1` … by name, in the order in which they are first met."""

    def tag(self, person: Position) -> str:
        """Give what the film calls somebody: the name, `*1` for one, or `#12` for track 12."""
        name = person.worker
        if name is None:
            return f"#{person.track}"
        plain = 0 < len(name) <= LONGEST and can_write(name)
        if plain and name == name.strip() and not name.startswith(("*", "#", "+")):
            return name
        if name not in self.numbers:
            self.numbers[name] = f"*{len(self.numbers) + 1}"
        return self.numbers[name]


def text_of(
    person: Position, at_ns: int, legend: Legend, site: SiteDescription, alarms: list[str]
) -> str:
    """Write somebody's tag: alarm, name, metres along the roadway, how sure, posture, since when.

    Metres are chainage, or the mine's x where no roadway is known; after `±` one sigma.
    """
    chainage_m = chainage_of(site, person.xyz_m)
    metres = person.xyz_m[0] if chainage_m is None else chainage_m
    parts = [f"{legend.tag(person)} {metres:.1f} m ±{sigma_m(person):.1f}"]
    if person.certainty == "possibly":
        parts.append("possibly 可能")
    if person.posture != "upright":
        parts.append(POSTURES[person.posture])
    if (unseen_s := unseen_for_s(person, at_ns)) > PREDICTED_AFTER_S:
        parts.append(f"NOT SEEN 未见 {unseen_s:.0f} s")
    whole = " ".join([*(f"{kind}:" for kind in alarms), *parts])
    return whole if len(whole) <= MOST else f"{whole[: MOST - 3]}..."


def unseen_for_s(person: Position, at_ns: int) -> float:
    """Tell for how long no camera has seen somebody."""
    return max(0.0, (at_ns - person.seen_at_ns) / 1e9)


def sigma_m(person: Position) -> float:
    """Tell one sigma of somebody's place along the worse axis, metres."""
    (a, b), (_, d) = person.covariance_m2
    larger = (a + d) / 2 + (((a - d) / 2) ** 2 + b * b) ** 0.5
    return float(max(0.0, larger) ** 0.5)


def alarms_at(lives: tuple[Life, ...], at_ns: int) -> dict[int, list[str]]:
    """Name the kinds of alarm that were active at an instant, by the track that they were about.

    In English and Chinese.
    """
    found: dict[int, list[str]] = {}
    for one in lives:
        over = one.cleared_at_ns is not None and one.cleared_at_ns <= at_ns
        if over or one.raised_at_ns > at_ns:
            continue
        every = [event.word for event in one.events if event.word is not None]
        # An alarm belongs to a person, and may go over to another number.
        said = [word for word in every if word.captured_at_ns <= at_ns] or every[:1]
        if said and said[-1].track is not None:
            kind = ALARMS.get(one.first.kind)
            words = f"{kind.english.upper()} {kind.chinese}" if kind else "ALARM 报警"
            found.setdefault(said[-1].track, []).append(words)
    return found


def site_at(found: Gathered, at_ns: int) -> SiteDescription:
    """Give the site as it was told to be at an instant, or first."""
    after = bisect_right(found.sites, at_ns, key=lambda one: one.at_ns)
    return found.sites[max(after - 1, 0)].body
