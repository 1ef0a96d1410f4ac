"""The AsyncAPI 3 document: every MQTT channel, who speaks there and what.

Knows nothing about brokers. It is made from the tables of topics and messages; payloads are the
JSON Schemas that lie beside it in `docs/wire/`. Format:
https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

import inspect
from typing import Any

from scene.topics import LIVE_PREFIX, REPLAY_PREFIX, TOPICS, Topic
from scene.wire import MESSAGES, VERSION

Json = dict[str, Any]

SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
MQTT_BINDING = "0.2.0"
_PARAMETERS: dict[str, Json] = {
    "prefix": {
        "description": f"`{LIVE_PREFIX}`: the live mine; `{REPLAY_PREFIX}`: a recording.",
        "enum": [LIVE_PREFIX, REPLAY_PREFIX],
        "default": LIVE_PREFIX,
    },
    "site": {"description": "Name of the site."},
    "gateway": {"description": "Name of the gateway, unique within its site."},
    "id": {
        "description": "Id of the alarm, unique within its gateway; the same as in the message."
    },
}
_SENDERS = {
    "gateway": "a gateway",
    "control_room": "the control room",
    "mine": "the mine's own systems",
}


def async_api() -> Json:
    """Give the whole document, as plain JSON values."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Lamproom",
            "version": f"{VERSION}.0.0",
            "description": "What gateways, control room and a mine's own systems say over MQTT 5.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "site": {
                "host": "localhost:8883",
                "protocol": "secure-mqtt",
                "protocolVersion": "5.0",
                "description": "The site's broker; `lamproom certs` makes what it asks for.",
            }
        },
        "channels": {name: _channel(name, row) for name, row in TOPICS.items()},
        "operations": {f"say_{name}": _operation(name, row) for name, row in TOPICS.items()},
        "components": {
            "messages": {kind: _message(kind) for kind in MESSAGES},
            "parameters": _PARAMETERS,
        },
    }


def address_of(row: Topic) -> str:
    """Write a topic with its variable parts in braces.

    >>> address_of(TOPICS["alarm"])
    '{prefix}/{site}/gw/{gateway}/alarm/{id}'
    """
    return f"{{prefix}}/{{site}}/{'gw/{gateway}/' if row.of_gateway else ''}{row.path}"


def _channel(name: str, row: Topic) -> Json:
    address = address_of(row)
    return {
        "address": address,
        "description": f"Said by {_SENDERS[row.sender]}, {_how_often(row)}.",
        "messages": {row.message: {"$ref": f"#/components/messages/{row.message}"}},
        "parameters": {
            name: {"$ref": f"#/components/parameters/{name}"}
            for name in _PARAMETERS
            if f"{{{name}}}" in address
        },
    }


def _how_often(row: Topic) -> str:
    often = "when it happens" if row.rate_hz is None else f"{row.rate_hz:g} times a second"
    kept = "; the broker keeps the last one. An empty message says nothing" if row.retain else ""
    return often + kept


def _operation(name: str, row: Topic) -> Json:
    return {
        "action": "receive" if row.sender == "mine" else "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/{row.message}"}],
        "bindings": {
            "mqtt": {"qos": row.qos, "retain": row.retain, "bindingVersion": MQTT_BINDING}
        },
    }


def _message(kind: str) -> Json:
    text = inspect.getdoc(MESSAGES[kind]) or ""
    return {
        "name": f"lamproom/{kind}/{VERSION}",
        "title": kind,
        "summary": text.split("\n\n")[0].replace("\n", " "),
        "contentType": "application/json",
        "payload": {
            "schemaFormat": SCHEMA_FORMAT,
            "schema": {"$ref": f"./{kind}.schema.json"},
        },
    }
