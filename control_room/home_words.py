"""What Home Assistant is told of a gateway: its discovery message and its states.

Knows nothing about when it is told. Fields are those of
https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload and of its MQTT sensors.
"""

from dataclasses import dataclass, field
from typing import Any

from scene.alarms import ALARMS
from scene.messages import Anomaly, GatewayHealth
from scene.topics import SILENT_AFTER_S

BASE = "lamproom"
"""States are said under this topic."""
STATUS = f"{BASE}/control_room/status"
ONLINE, OFFLINE = b"online", b"offline"
EXPIRE_S = 30
"""A state that has not been said for so long is unavailable."""

Json = dict[str, Any]
Place = tuple[str, str]
"""Site and gateway."""


@dataclass(slots=True, kw_only=True)
class Gateway:
    """What is known of one."""

    software: str = ""
    online: bool = True
    health_s: float | None = None
    health: GatewayHealth | None = None
    positions_s: float | None = None
    heads: int = 0
    active: dict[str, Anomaly] = field(default_factory=dict)
    said: bytes = b""
    said_s: float = 0.0
    available: bytes = b""
    is_known: bool = False
    """Whether Home Assistant has been told of it, in this software's version."""


def config_topic(place: Place, prefix: str) -> str:
    """Name the topic of a gateway's discovery message.

    >>> config_topic(("roadway", "gw1"), "homeassistant")
    'homeassistant/device/lamproom_roadway_gw1/config'
    """
    return f"{prefix}/device/{_id(place)}/config"


def discovery(place: Place, software: str) -> Json:
    """Give a gateway's discovery message: one device with all its entities."""
    site, gateway = place
    state = topic_of(place, "state")
    here = {"topic": STATUS}, {"topic": topic_of(place, "availability")}
    return {
        "device": {
            "identifiers": [_id(place)],
            "name": f"Lamproom {site} {gateway}",
            "manufacturer": "Lamproom",
            "model": "gateway",
            **({"sw_version": software} if software else {}),
        },
        "origin": {"name": "lamproom", **({"sw_version": software} if software else {})},
        "components": {
            name: {
                **fields,
                "unique_id": f"{_id(place)}_{name}",
                "state_topic": state,
                "expire_after": EXPIRE_S,
                "value_template": f"{{{{ value_json.{name} }}}}",
                "json_attributes_topic": state,
                "json_attributes_template": "{{ value_json.more | tojson }}",
                "availability": list(here),
                "availability_mode": "all",
            }
            for name, fields in _ENTITIES.items()
        }
        | {
            "connected": {
                "platform": "binary_sensor",
                "name": "Connected",
                "device_class": "connectivity",
                "unique_id": f"{_id(place)}_connected",
                "state_topic": topic_of(place, "availability"),
                "payload_on": ONLINE.decode(),
                "payload_off": OFFLINE.decode(),
                "availability": [{"topic": STATUS}],
            }
        },
    }


_ENTITIES: dict[str, Json] = {
    "critical": {"platform": "binary_sensor", "name": "Critical alarm", "device_class": "safety"},
    "alarm": {"platform": "binary_sensor", "name": "Any alarm", "device_class": "problem"},
    "cannot_see": {"platform": "binary_sensor", "name": "Cannot see", "device_class": "problem"},
    "people": {
        "platform": "sensor",
        "name": "People in view",
        "unit_of_measurement": "people",
        "state_class": "measurement",
    },
}


def state_of(gateway: Gateway, now_s: float) -> Json:
    """Tell how a gateway's entities stand."""
    active = gateway.active.values()
    cameras = gateway.health.cameras if gateway.health else ()
    blind = sorted(camera.name for camera in cameras if camera.state not in ("ok", "moved"))
    fresh = gateway.positions_s is not None and now_s - gateway.positions_s < SILENT_AFTER_S
    sees = fresh and len(blind) < len(cameras)
    return {
        "critical": _on(any(one.severity == "critical" for one in active)),
        "alarm": _on(bool(active)),
        "cannot_see": _on(bool(blind) or not sees),
        # `None` makes a sensor `unknown`: who can't see counts nobody, not even 0.
        "people": gateway.heads if sees else None,
        "more": {
            "alarms": [
                {
                    "id": one.id,
                    "kind": one.kind,
                    "name": ALARMS[one.kind].english if one.kind in ALARMS else one.kind,
                    "severity": one.severity,
                    "zone": one.zone,
                    "camera": one.camera,
                }
                for one in sorted(active, key=lambda one: one.raised_at_ns)[-20:]
            ],
            "blind_cameras": blind,
            "at_least": bool(blind),
        },
    }


def is_heard(gateway: Gateway, now_s: float) -> bool:
    """Tell whether its states can be trusted."""
    heard = gateway.health_s is not None and now_s - gateway.health_s < SILENT_AFTER_S
    return heard and gateway.online


def _on(is_on: bool) -> str:
    return "ON" if is_on else "OFF"


def _id(place: Place) -> str:
    """Name a gateway within Home Assistant; `_` in names is doubled, so that no two look the same.

    >>> _id(("a_b", "c")), _id(("a", "b_c"))
    ('lamproom_a__b_c', 'lamproom_a_b__c')
    """
    site, gateway = (name.replace("_", "__") for name in place)
    return f"lamproom_{site}_{gateway}"


def topic_of(place: Place, what: str) -> str:
    """Name the topic of its `availability` or `state`."""
    return f"{BASE}/{place[0]}/{place[1]}/{what}"
