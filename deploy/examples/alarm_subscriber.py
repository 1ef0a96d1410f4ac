"""Hear every alarm of a mine: python alarm_subscriber.py [HOST [PORT]]; needs paho-mqtt 2."""

import argparse
import contextlib
import json
import sys

import paho.mqtt.client as mqtt

told: dict[str, str] = {}  # by topic: an alarm is sent again until it is receipted


def broker(text):
    """Tell how it stands with the broker, once: it is tried for ever."""
    if told.get("") != text:
        told[""] = text
        print("broker:", text, flush=True)


def connected(client, _data, _flags, reason, _properties):
    """Subscribe, after every connection anew."""
    broker(f"refuses us: {reason}; trying again" if reason.is_failure else "connected")
    client.subscribe([("mine/+/gw/+/alarm/+", 1), ("mine/+/gw/+/state", 1)])


def heard(_client, _data, message):
    """Tell what is new."""
    if not message.payload:  # the broker forgets an alarm that is over
        return
    body = json.loads(message.payload)["body"]
    if message.topic.endswith("/state"):
        if not body["online"]:  # nothing is known of its cameras now: never "nobody is there"
            print(f"GATEWAY OFFLINE {message.topic}", flush=True)
    elif told.get(message.topic) not in (body["state"], "cleared"):
        told[message.topic] = body["state"]
        where = body["xyz_m"] or body["camera"] or body["zone"]
        print(body["state"].upper(), body["severity"], body["kind"], where, flush=True)


options = argparse.ArgumentParser(description=__doc__)
options.add_argument("host", nargs="?", default="localhost")
options.add_argument("port", nargs="?", type=int, help="1883, or 8883 with --ca-file")
for name in ("--ca-file", "--cert-file", "--key-file"):
    options.add_argument(name, help="for TLS: ca.pem, client.pem, client.key of `lamproom certs`")
given = options.parse_args()
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)  # MQTT 3.1.1, which every broker speaks
client.on_connect, client.on_message = connected, heard
client.on_connect_fail = lambda *_: broker(f"not reached: {sys.exc_info()[1]}; trying again")
client.on_disconnect = lambda *said: broker(f"connection lost ({said[3]}): NO ALARMS; trying again")
if given.ca_file:
    try:
        client.tls_set(given.ca_file, given.cert_file, given.key_file)
    except (OSError, ValueError) as error:
        options.error(f"--ca-file, --cert-file, --key-file: {error}")
client.reconnect_delay_set(max_delay=5)
client.connect_async(given.host, given.port or (8883 if given.ca_file else 1883))
with contextlib.suppress(KeyboardInterrupt):
    client.loop_forever(retry_first_connection=True)
