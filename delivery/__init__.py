"""Between gateway and control room: MQTT, outbox, panorama stream, recordings."""
