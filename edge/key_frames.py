"""How often a live camera sends a key frame: whoever connects anew sees nothing before one.

Knows nothing about what is done about it. Nothing is decoded.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import av

from edge.cameras.rtsp import OPEN_LIMIT_S, OPTIONS, READ_LIMIT_S, told
from edge.cameras.source import video_in
from scene.site import CameraConfig

LOOK_S = 12.0
"""A camera is listened to for so long at most."""
ENOUGH = 4
"""So many key frames tell."""
LONGEST_S = 1.0
"""With one more seldom than this, every new connection, and every lost packet, costs pictures."""


def key_frame_interval(camera: CameraConfig, look_s: float = LOOK_S) -> float:
    """Listen to an RTSP camera; gives the longest time between two key frames, in seconds.

    Infinity when there was at most one within `look_s`. Raises `ConnectionError`, which says why
    but not the address, when the camera can't be listened to.
    """
    times: list[float] = []
    options = OPTIONS | {"rtsp_transport": camera.transport}
    try:
        with av.open(camera.url, options=options, timeout=(OPEN_LIMIT_S, READ_LIMIT_S)) as opened:
            until_s = time.monotonic() + look_s
            for packet in opened.demux(video_in(opened)):
                if packet.is_keyframe and packet.pts is not None:
                    times.append(float(packet.pts * packet.time_base))
                if len(times) >= ENOUGH or time.monotonic() > until_s:
                    break
    except Exception as error:  # whatever it is, its text must not leave here unread
        raise ConnectionError(told(error)) from None
    steps_s = [after - before for before, after in pairwise(times)]
    return max((step_s for step_s in steps_s if step_s > 0), default=float("inf"))


def look_at_all(cameras: list[CameraConfig]) -> list[tuple[CameraConfig, float | ConnectionError]]:
    """Listen to all cameras at once; gives each one's interval, or why it can't be told."""

    def one(camera: CameraConfig) -> float | ConnectionError:
        try:
            return key_frame_interval(camera)
        except ConnectionError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(1, len(cameras))) as pool:
        return list(zip(cameras, pool.map(one, cameras), strict=True))
