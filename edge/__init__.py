"""The gateway: cameras in, pipeline, MQTT out, recording, supervision, command line."""
