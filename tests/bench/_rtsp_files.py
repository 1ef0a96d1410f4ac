"""Serve video files as RTSP cameras; runs under Debian's own Python, which has GStreamer.

usage: _rtsp_files.py PORT FILE...

The files are /cam0, /cam1, ... as they are coded, from their beginning for whoever comes first.
"""

# mypy: ignore-errors

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main() -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    for number, file in enumerate(sys.argv[2:]):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_shared(True)
        factory.set_launch(
            f"( filesrc location={file} ! qtdemux ! h264parse config-interval=1 "
            "! rtph264pay name=pay0 pt=96 )"
        )
        server.get_mount_points().add_factory(f"/cam{number}", factory)
    server.attach(None)
    print("up", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
