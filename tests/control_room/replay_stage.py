"""A replay of a recording with its page, as `lamproom replay` serves it."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from control_room.replay.command import Steered
from control_room.replay.judging import judged
from control_room.replay.known import Known
from control_room.replay.outlets import PageOutlet, page_outlet
from control_room.replay.player import Player
from control_room.replay.recorded_clock import RecordedClock
from control_room.replay.recording import Recording, open_recording
from control_room.server import serving
from delivery.stream import stream_packets
from scene.clock import SystemClock


@dataclass
class ReplayStage:
    """A replay that is playing, or standing still."""

    recording: Recording
    known: Known
    page: PageOutlet
    player: Player
    url: str


def known_of(recording: Recording) -> Known:
    """Judge all of it, here and now."""
    known = Known(recording.from_ns)
    for progress in judged(recording):
        known.add(progress)
    return known


@contextlib.contextmanager
def replaying(
    path: Path, *more: Path, known: Known | None = None, **how: Any
) -> Iterator[ReplayStage]:
    """Serve a replay for as long as the block lasts; `how` is for the player."""
    told: list[str] = []
    recording = open_recording(path, told.append, *more)
    known = known_of(recording) if known is None else known
    recorded = RecordedClock(recording.from_ns)
    with page_outlet(recording, recorded) as page:
        player = Player(recording, known, [page], SystemClock(), recorded, **how)
        errors: list[BaseException] = []

        def play() -> None:
            try:
                player.run()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=play, name="player")
        with serving(page.room, stream_packets, played=Steered(page, player)) as url:
            thread.start()
            try:
                yield ReplayStage(
                    recording=recording, known=known, page=page, player=player, url=url
                )
            finally:
                player.close()
                thread.join()
    if errors:
        raise errors[0]
