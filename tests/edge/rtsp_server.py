"""An RTSP server for the tests; runs under Debian's own Python, which has GStreamer.

usage: rtsp_server.py PORT [WIDTH HEIGHT FPS [USER PASSWORD]]

/cam0 is H.264, /seldom the same with a third of its key frames, /flip the same with a size that
changes every 2 s, /h265 is H.265 if there is an encoder for it. Prints "up" when it listens.
"""

# mypy: ignore-errors
# (GStreamer's Python has no types, and is not in the project's environment.)

import sys

try:
    import gi
except ImportError:  # this is not Debian's Python: the file is only looked at
    gi = None
else:
    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

X264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 bitrate=800"
PAY = "rtph264pay name=pay0 pt=96 config-interval=1"


def caps(width: int, height: int, fps: int) -> str:
    return f"video/x-raw,format=I420,width={width},height={height},framerate={fps}/1"


def add(server, path: str, pipeline: str, on_configure=None) -> None:
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)
    factory.set_launch(f"( {pipeline} )")
    if on_configure:
        factory.connect("media-configure", on_configure)
    if len(sys.argv) > 6:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory(path, factory)


def protect(server, user: str, password: str) -> None:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
    server.set_auth(auth)


def main() -> None:
    Gst.init(None)
    port = sys.argv[1]
    width, height, fps = (int(word) for word in [*sys.argv[2:5], "320", "240", "10"][:3])
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    if len(sys.argv) > 6:
        protect(server, sys.argv[5], sys.argv[6])
    live = "videotestsrc is-live=true pattern=ball"
    add(server, "/cam0", f"{live} ! {caps(width, height, fps)} ! {X264} ! {PAY}")

    seldom = X264.replace("key-int-max=10", "key-int-max=30")
    add(server, "/seldom", f"{live} ! {caps(width, height, fps)} ! {seldom} ! {PAY}")

    def flip(_factory, media) -> None:
        scaled = media.get_element().get_by_name("scaled")
        state = {"large": False}

        def other_size() -> bool:
            state["large"] = not state["large"]
            size = (2 * width, 2 * height) if state["large"] else (width, height)
            scaled.set_property("caps", Gst.Caps.from_string(caps(*size, fps)))
            return True

        GLib.timeout_add(2000, other_size)

    small = caps(width, height, fps)
    add(
        server,
        "/flip",
        f"{live} ! videoscale ! capsfilter name=scaled caps={small} ! {X264} ! {PAY}",
        flip,
    )
    if Gst.ElementFactory.find("x265enc"):
        add(
            server,
            "/h265",
            f"{live} ! {small} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=10 "
            "! h265parse ! rtph265pay name=pay0 pt=96 config-interval=1",
        )
    server.attach(None)
    print("up", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
