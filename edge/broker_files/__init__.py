"""Brokers' files: Mosquitto's configuration, access list and bridge; those of NATS's nodes."""
