"""Hear every alarm of a mine: python alarm_subscriber.py [HOST [PORT]]; needs paho-mqtt 2."""

import json
import sys

import paho.mqtt.client as mqtt

told: dict[str, str] = {}  # by topic: an alarm is sent again until it is receipted


def connected(client, _data, _flags, reason, _properties):
    """Subscribe, after every connection anew."""
    print(f"broker: {reason}", flush=True)
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


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
client.on_connect, client.on_message = connected, heard
host, port = (sys.argv[1:] + ["localhost", "1883"][len(sys.argv) - 1 :])[:2]
client.connect(host, int(port))
client.loop_forever()
