"""Mosquitto's files: its configuration, its access list, and the bridge from gateway to surface."""
