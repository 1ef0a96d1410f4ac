"""The life of an alarm in the control room: which phase it is in, what an operator may do with it.

Knows nothing about storing, MQTT or pages. The phases are those of ANSI/ISA-18.2 and of OPC UA
Part 9 (https://reference.opcfoundation.org/specs/OPC-10000-9/3.1): acknowledged, shelved for a
time, latched. Every rule on what an operator may do stands in `act_of`, and nowhere else.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from control_room.complaints import printable
from control_room.own_alarms import is_own
from scene.alarms import ALARMS
from scene.errors import LamproomError
from scene.messages import Anomaly, Severity

Phase = Literal["unacknowledged", "acknowledged", "shelved", "cleared_unacknowledged", "over"]
Action = Literal["acknowledge", "shelve", "unshelve", "end"]
ACTIONS: tuple[Action, ...] = get_args(Action)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The worst first."""

SHELF_MAX_MIN = 480.0
"""One shift: whoever takes over has not agreed to what is hidden. The same at every site."""
LIFE_SHELF_MAX_MIN = 30.0
"""Of a critical alarm about a person: long enough to walk there and look, not to forget them."""
OPERATOR = "operator"
"""Who acts when a request names nobody."""
CONTROL_ROOM = "control room"
"""Who acts when it is nobody's doing but the time's."""
MAX_BY, MAX_REASON, MAX_NAME = 80, 500, 200
"""Characters."""


class ActError(LamproomError):
    """What an operator asks for is not done; one sentence that says why."""


class BadWish(ActError):
    """The request itself is wrong."""


class UnknownAlarm(ActError):
    """There is no such alarm."""


class NotNow(ActError):
    """The alarm is not in a phase, or not of a kind, for this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Which alarm: an alarm's id is unique within its gateway."""

    site: str
    gateway: str
    alarm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody did with an alarm: who, when, why."""

    action: Action
    by: str
    reason: str
    at_ns: int
    until_ns: int | None = None
    """When a shelved alarm comes back; none for other acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One alarm with all that the journal knows of its life."""

    key: Key
    last: Anomaly
    """The newest word on it; once cleared it stays cleared, whatever arrives late."""
    stored_at_ns: int
    """When the first word on it was stored."""
    cleared_at_ns: int | None = None
    acknowledged: Act | None = None
    """Who saw it at its present severity; none again once it got worse or came off the shelf."""
    shelved: Act | None = None
    """Who shelved it, until it comes back, gets worse or is cleared."""
    ending: Act | None = None
    """Who said that it has been dealt with, though no camera can see that."""
    raised: Anomaly | None = None
    """The newest word while it was active: where and why it was raised, which its clearing no
    longer says. None where only the clearing ever came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an operator asks for, before anybody looked whether it can be done."""

    action: Action
    key: Key
    by: str = OPERATOR
    reason: str = ""
    minutes: float = 0.0
    """For how long to shelve."""


def phase_of(entry: Entry, now_ns: int) -> Phase:
    """Tell where an alarm stands now."""
    if entry.last.state == "active":
        if is_shelved(entry, now_ns):
            return "shelved"
        return "unacknowledged" if entry.acknowledged is None else "acknowledged"
    if entry.acknowledged is None and is_latched(entry.last.kind):
        return "cleared_unacknowledged"
    return "over"


def is_shelved(entry: Entry, now_ns: int) -> bool:
    """Tell whether an alarm is on the shelf; a clock set back to before it was put there ends it.

    The desk sees to it that one set back less does not prolong it.
    """
    shelved = entry.shelved
    if shelved is None or shelved.until_ns is None or entry.last.state != "active":
        return False
    return shelved.at_ns <= now_ns < shelved.until_ns


def is_ending(entry: Entry) -> bool:
    """Tell whether it was ended by somebody and its gateway has not cleared it yet."""
    return entry.ending is not None and entry.last.state == "active"


def is_latched(kind: str) -> bool:
    """Tell whether it stays until seen; of a kind that this table does not know, it does."""
    return kind not in ALARMS or ALARMS[kind].latched


def may_end(entry: Entry) -> bool:
    """Tell whether somebody may say that it is over: people's alarms and the control room's own.

    A camera's alarm ends when the camera is well; nobody's word mends a camera. One about a control
    room on a machine that is no more would stand for ever.
    """
    kind = entry.last.kind
    is_ours = is_own(kind, entry.key.site, entry.key.gateway)
    return is_ours or (kind in ALARMS and ALARMS[kind].about == "person")


def shelf_max_min(anomaly: Anomaly) -> float:
    """Tell for how many minutes it may be shelved; of an unknown kind as if about a person."""
    about = ALARMS[anomaly.kind].about if anomaly.kind in ALARMS else "person"
    life = about == "person" and anomaly.severity == "critical"
    return LIFE_SHELF_MAX_MIN if life else SHELF_MAX_MIN


def wish_of(action: str, body: object) -> Wish:
    """Read a request: JSON with `site`, `gateway`, `id` and maybe `by`, `reason`, `minutes`.

    Raises `BadWish`.
    """
    if action not in ACTIONS:
        raise BadWish(f"{action}: no such act; there are {', '.join(ACTIONS)}")
    if not isinstance(body, dict):
        raise BadWish(f"{action}: the body must be a JSON object with site, gateway and id")
    key = Key(
        site=_text(body, "site", MAX_NAME, needed=True),
        gateway=_text(body, "gateway", MAX_NAME, needed=True),
        alarm=_text(body, "id", MAX_NAME, needed=True),
    )
    reason = " ".join(_text(body, "reason", MAX_REASON).split())
    if action in ("shelve", "end") and not reason:
        raise BadWish(f"{action}: give a reason; whoever comes next must understand why")
    minutes = body.get("minutes", 0)
    if action == "shelve" and (
        isinstance(minutes, bool) or not isinstance(minutes, int | float) or not minutes > 0
    ):
        raise BadWish("shelve: give minutes, a number above 0")
    return Wish(
        action=action,
        key=key,
        by=" ".join(_text(body, "by", MAX_BY).split()) or OPERATOR,
        reason=reason,
        minutes=min(minutes, 1e9) if action == "shelve" else 0.0,  # whole numbers may be endless
    )


def act_of(wish: Wish, entry: Entry, *, now_ns: int) -> Act | None:
    """Give the act that is to be stored; none when it has been done already.

    Raises `NotNow` and `BadWish`.
    """
    until_ns = None
    if wish.action == "acknowledge":
        done = entry.acknowledged is not None
    elif wish.action == "unshelve":
        done = entry.shelved is None
    elif wish.action == "end":
        done = entry.ending is not None
        _need(done or may_end(entry), "it ends by itself once its cause is mended")
        _need(done or entry.last.state == "active", "it is over already")
    else:
        _need(entry.last.state == "active", "it is over; only an active alarm can be shelved")
        most_min = shelf_max_min(entry.last)
        if wish.minutes > most_min:
            raise BadWish(f"shelve: {wish.minutes:g} minutes; at most {most_min:g} for this alarm")
        until_ns = now_ns + round(wish.minutes * 60e9)
        done = is_shelved(entry, now_ns) and _same_shelf(entry.shelved, wish)
        until = _clock(entry.shelved.until_ns) if entry.shelved else ""
        _need(
            done or not is_shelved(entry, now_ns), f"it is shelved until {until}; unshelve it first"
        )
    if done:
        return None
    return Act(action=wish.action, by=wish.by, reason=wish.reason, at_ns=now_ns, until_ns=until_ns)


def _same_shelf(shelved: Act | None, wish: Wish) -> bool:
    """Tell whether the very same request put it on the shelf: then it was only sent again."""
    if shelved is None or shelved.until_ns is None:
        return False
    same_time = shelved.until_ns - shelved.at_ns == round(wish.minutes * 60e9)
    return same_time and (shelved.by, shelved.reason) == (wish.by, wish.reason)


def _clock(at_ns: int | None) -> str:
    return datetime.fromtimestamp((at_ns or 0) / 1e9, UTC).strftime("%H:%M:%S UTC")


def _need(condition: bool, why_not: str) -> None:
    if not condition:
        raise NotNow(f"the alarm stays as it is: {why_not}")


def _text(body: dict[Any, Any], name: str, most: int, *, needed: bool = False) -> str:
    if needed and name not in body:
        raise BadWish(f"{name}: is missing")
    # An empty gateway is no mistake: an alarm about the mine's own systems has none.
    text = body.get(name, "")
    if not isinstance(text, str) or len(text) > most:
        raise BadWish(f"{name}: a text of at most {most} characters is expected")
    # Line breaks and tabs are only space; lone surrogates and the like could not be stored.
    return printable(" ".join(text.split()) if not needed else text)
