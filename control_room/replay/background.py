"""Judge a recording in a process of its own, while it is looked at already.

Knows nothing about pages. A recording of an hour takes a minute or two; playing must not wait, nor
share its processor time with that.
"""

import contextlib
import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from control_room.replay.as_recorded import AsRecorded, as_recorded, unlike
from control_room.replay.joined import Tell
from control_room.replay.judging import Progress, judged
from control_room.replay.known import Known
from control_room.replay.recording import Recording, open_recording
from scene.errors import LamproomError
from scene.messages import Anomaly

ENDED = "judging the recording ended unexpectedly: alarms after this are not known"
UNLIKE = "{} changes of alarms are raised otherwise than live raised them; --check lists them"
Said = Progress | AsRecorded | int | str
"""What the other process tells; a number: how many changes are otherwise than recorded."""


@contextlib.contextmanager
def judging(recording: Recording, known: Known, tell: Tell) -> Iterator[None]:
    """Judge into `known` for as long as the block lasts, or until it is done.

    `tell` is told what is damaged, why it ended early, and at the end how many words were signed.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(
        target=_judge, args=(recording.paths, theirs), name="judge-recording", daemon=True
    )
    process.start()
    theirs.close()
    thread = threading.Thread(
        target=_take_all, args=(ours, known, tell), name="judged", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()
        thread.join()
        ours.close()


def _judge(paths: Sequence[Path], out: "Connection[Said, object]") -> None:
    sending = threading.Lock()  # files are opened by a thread of their own, which may tell, too

    def send(what: Said) -> None:
        with sending:
            out.send(what)

    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            recording = open_recording(paths[0], send, *paths[1:])
            recorded, raised, first_ns = list[Anomaly](), list[Anomaly](), 0
            for told in as_recorded(recording):
                recorded += (one.anomaly for one in told.marks)
                send(told)
            for progress in judged(recording):
                raised += (one.anomaly for one in progress.marks if one.judged)
                first_ns = progress.first_ns
                send(progress)
            send(len(unlike(recording, recorded, raised, first_ns)))
        except LamproomError as error:
            send(str(error))
            return
        send("")


def _take_all(inbox: "Connection[object, Said]", known: Known, tell: Tell) -> None:
    ended = False
    with contextlib.suppress(EOFError, OSError):
        while True:
            said = inbox.recv()
            if isinstance(said, Progress | AsRecorded):
                known.add(said)
                for text in said.told if isinstance(said, Progress) else ():
                    tell(text)
            elif isinstance(said, int):
                known.unlike = said
                if said:
                    tell(UNLIKE.format(said))
            elif said:
                tell(said)
            else:
                ended = True
    if not ended:
        known.trouble = ENDED
