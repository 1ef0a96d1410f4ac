"""Find the recording that has an alarm of a gateway, in the folder where recordings lie.

Knows nothing about exports. Recordings begin anew every hour or so, and with every start.
"""

from pathlib import Path

from control_room.incident.error import IncidentError
from control_room.journal.export import moment
from control_room.journal.query import QuestionError, time_ns
from delivery.recordings.outline import place_of, span_of
from delivery.recordings.run_record import read_run
from scene.errors import RecordingError

MOST = 2000
"""The newest so many are looked at."""
BETWEEN_NS = 10_000_000_000
"""What was taken so shortly after the end of a file may be received, and so lie, in the next."""


def recording_of(folder: Path, site: str, gateway: str, at_ns: int) -> Path:
    """Give the recording of a gateway that has an instant, the one begun last if several have.

    Raises `IncidentError` where there is none.
    """
    try:
        files = [one for one in (*folder.glob("*.mcap"), *folder.glob("*/*.mcap")) if one.is_file()]
        files.sort(key=lambda one: one.stat().st_mtime_ns, reverse=True)
    except OSError as error:
        raise IncidentError(f"{folder}: can't be read: {error.strerror}") from None
    looked, left = files[:MOST], len(files) - MOST
    begun = [(_begun_ns(file, site, gateway), file) for file in looked]
    ours = [(begun_ns, file) for begun_ns, file in begun if begun_ns is not None]
    for begun_ns, file in sorted(ours, reverse=True):
        if begun_ns <= at_ns and _has(file, site, gateway, at_ns):
            return file
    more = more_zh = ""
    if left > 0:
        more = f" Only the newest {MOST} files were looked at; {left} more lie there."
        more_zh = f"只查看了最新的 {MOST} 个文件，另有 {left} 个。"
    raise IncidentError(
        f"no recording of {site} / {gateway} has {moment(at_ns)}; is it recorded "
        f"(`lamproom run --record`), and into the folder that --recordings names?{more}",
        f"没有 {site} / {gateway} 在 {moment(at_ns)} 的录像；是否已录制"
        f"（`lamproom run --record`），并存入 --recordings 所指的文件夹？{more_zh}",
    )


def _begun_ns(file: Path, site: str, gateway: str) -> int | None:
    """Tell when a recording was begun, 0 where it doesn't say; none for another gateway's."""
    try:
        run = read_run(file)
        if run is None:
            return 0
        return time_ns(run.started_at) if (run.site, run.gateway) == (site, gateway) else None
    except QuestionError:
        return 0
    except RecordingError:
        return None


def _has(file: Path, site: str, gateway: str, at_ns: int) -> bool:
    try:
        bounds = span_of(file)
        if bounds is None or not bounds[0] <= at_ns <= bounds[1] + BETWEEN_NS:
            return False
        return place_of(file) == (site, gateway)
    except RecordingError:
        return False
