"""The table of MQTT topics: what is said where, how often, and by whom.

Knows nothing about brokers. A new topic is a new row.
"""

from dataclasses import dataclass

from scene.errors import WireError

LIVE_PREFIX = "mine"
REPLAY_PREFIX = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One row: `{prefix}/{site}/gw/{gateway}/` + `path`; without `gw/{gateway}/` for the mine."""

    path: str
    """What follows the gateway, or the site; `{id}` stands for the alarm's id."""
    message: str
    """The type of message, a name in `scene.wire.MESSAGES`."""
    qos: int
    retain: bool
    """Whether the broker keeps the last message for those who come later. An alarm is kept while it
    is active; its clearing is sent unretained, and once that is receipted an empty retained message
    takes the kept one away. So an empty message says nothing, and readers pass over it."""
    rate_hz: float | None
    """How often it is said while all is well; none for "when it happens"."""
    sender: str
    """`gateway`, `control_room` or `mine`: the mine's own systems, which know no gateways."""

    @property
    def of_gateway(self) -> bool:
        """Whether a gateway stands in the topic."""
        return self.sender != "mine"


TOPICS: dict[str, Topic] = {
    "state": Topic(
        path="state", message="state", qos=1, retain=True, rate_hz=None, sender="gateway"
    ),
    "site": Topic(path="site", message="site", qos=1, retain=True, rate_hz=None, sender="gateway"),
    "positions": Topic(
        path="positions", message="positions", qos=0, retain=False, rate_hz=10, sender="gateway"
    ),
    "alarm": Topic(
        path="alarm/{id}", message="alarm", qos=1, retain=True, rate_hz=None, sender="gateway"
    ),
    "health": Topic(
        path="health", message="health", qos=0, retain=False, rate_hz=1, sender="gateway"
    ),
    "receipt": Topic(
        path="receipt/{id}",
        message="receipt",
        qos=1,
        retain=False,
        rate_hz=None,
        sender="control_room",
    ),
    "order": Topic(
        path="order/{id}", message="order", qos=1, retain=False, rate_hz=None, sender="control_room"
    ),
    "control_room": Topic(
        path="control_room",
        message="control_room",
        qos=0,
        retain=False,
        rate_hz=1,
        sender="control_room",
    ),
    "tags": Topic(path="tags", message="tags", qos=0, retain=False, rate_hz=1, sender="mine"),
    "machines": Topic(
        path="machines", message="machines", qos=0, retain=False, rate_hz=1, sender="mine"
    ),
}

HEARTBEAT_S = 1.0
SILENT_AFTER_S = 4.0
"""Without a heartbeat for so long a gateway, or to a gateway its control room, counts as silent
(alarm within 5 s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A topic taken apart."""

    prefix: str
    site: str
    gateway: str
    """Empty where the mine's own systems speak."""
    topic: str
    """A key of `TOPICS`."""
    id: str | None = None


def topic_name(
    topic: str, *, site: str, gateway: str, id: str | None = None, prefix: str = LIVE_PREFIX
) -> str:
    """Write out a topic.

    >>> topic_name("alarm", site="roadway", gateway="gw1", id="man_down-3")
    'mine/roadway/gw/gw1/alarm/man_down-3'
    >>> topic_name("tags", site="roadway", gateway="")
    'mine/roadway/tags'
    """
    path = TOPICS[topic].path.format(id=id) if id is not None else TOPICS[topic].path
    return _head(topic, prefix, site, gateway) + path


def topic_filter(
    topic: str, *, prefix: str = LIVE_PREFIX, site: str = "+", gateway: str = "+"
) -> str:
    """Write the subscription that hears one topic, of every site and gateway unless one is named.

    >>> topic_filter("alarm")
    'mine/+/gw/+/alarm/+'
    """
    return _head(topic, prefix, site, gateway) + TOPICS[topic].path.replace("{id}", "+")


def topic_fits(filter: str, name: str) -> bool:
    """Tell whether a subscription hears a topic (MQTT 5, section 4.7; no `$` topics).

    >>> topic_fits("mine/+/gw/+/alarm/+", "mine/roadway/gw/gw1/alarm/a7")
    True
    >>> topic_fits("mine/#", "mine"), topic_fits("mine/+", "mine/a/b")
    (True, False)
    """
    wanted, given = filter.split("/"), name.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        given = given[: len(wanted)]
    return len(wanted) == len(given) and all(
        one in ("+", other) for one, other in zip(wanted, given, strict=True)
    )


def parse_topic(name: str) -> Address:
    """Take a topic apart; raises `WireError` for one that is not in the table.

    >>> parse_topic("replay/roadway/gw/gw1/alarm/a7").id
    'a7'
    >>> parse_topic("mine/roadway/tags").topic
    'tags'
    """
    parts = name.split("/")
    of_gateway = len(parts) >= 5 and parts[2] == "gw"
    rest = parts[4:] if of_gateway else parts[2:]
    for key, row in TOPICS.items():
        wanted = row.path.split("/")
        if row.of_gateway == of_gateway and len(rest) == len(wanted) and rest[0] == wanted[0]:
            return Address(
                prefix=parts[0],
                site=parts[1],
                gateway=parts[3] if of_gateway else "",
                topic=key,
                id=rest[1] if len(wanted) == 2 else None,
            )
    raise WireError(f"topic {name!r} is none of Lamproom's; see `scene/topics.py`")


def _head(topic: str, prefix: str, site: str, gateway: str) -> str:
    return f"{prefix}/{site}/gw/{gateway}/" if TOPICS[topic].of_gateway else f"{prefix}/{site}/"
