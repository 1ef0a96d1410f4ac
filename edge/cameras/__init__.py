"""Cameras: RTSP or files, each in a process of its own, decoded, watched, aligned in time."""
