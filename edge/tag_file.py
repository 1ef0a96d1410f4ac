"""A tag system that is a file: plays recorded fixes beside camera files, for demos and trials.

Knows nothing about people. It says them over MQTT, as a tag system does, so that everybody hears
them. One JSON object a line: `{"t_s": 0.045, "tag": "tag-5", "xy_m": [18.6, 0.2], "sigma_m": 0.3}`,
and `worker` where it is known; `t_s` counts from the cameras' first frame.
"""

import json
from dataclasses import replace
from pathlib import Path

import av
from pydantic import TypeAdapter

from delivery.link import Link
from scene.errors import LamproomError, why_unreadable
from scene.messages import TagFix, Tags
from scene.topics import TOPICS, topic_name
from scene.wire import encode

EVERY_S = 0.5
"""Fixes are handed over together, so often at most."""
SENDER = "tag-file"
_FIX: TypeAdapter[TagFix] = TypeAdapter(TagFix)


class TagFile:
    """Hands over fixes when their time has come, again and again if the cameras' files loop."""

    def __init__(self, path: Path, start_at_ns: int, loop_s: float | None = None) -> None:
        """Read it all; raises LamproomError that names file and line."""
        self._fixes = sorted(read_fixes(path), key=lambda fix: fix.at_ns)
        self._start_at_ns = start_at_ns
        self._loop_ns = None if loop_s is None else round(loop_s * 1e9)
        self._next = 0
        self._said_ns = start_at_ns

    def take(self, now_ns: int) -> tuple[Tags, ...]:
        """Give what was heard up to now and not given yet."""
        if now_ns - self._said_ns < EVERY_S * 1e9 or not self._fixes:
            return ()
        due: list[TagFix] = []
        while (fix := self._fix(self._next)) is not None and fix.at_ns <= now_ns:
            due.append(fix)
            self._next += 1
        self._said_ns = now_ns
        return (Tags(captured_at_ns=now_ns, fixes=tuple(due)),) if due else ()

    def _fix(self, number: int) -> TagFix | None:
        rounds, index = divmod(number, len(self._fixes))
        if rounds and self._loop_ns is None:
            return None
        shift_ns = self._start_at_ns + rounds * (self._loop_ns or 0)
        fix = self._fixes[index]
        return replace(fix, at_ns=fix.at_ns + shift_ns)


class TagPlayer:
    """Publishes a tag file's fixes for a whole site when their time has come."""

    def __init__(self, file: TagFile, link: Link, site: str) -> None:
        self._file, self._link, self._seq = file, link, 0
        self._topic = topic_name("tags", site=site, gateway="")

    def play(self, now_ns: int) -> None:
        """Say what is due; what nobody can hear now is lost, as it would be live."""
        for tags in self._file.take(now_ns):
            self._seq += 1
            payload = encode(tags, gateway=SENDER, seq=self._seq, sent_at_ns=now_ns)
            self._link.publish(self._topic, payload, qos=TOPICS["tags"].qos, retain=False)


def read_fixes(path: Path) -> list[TagFix]:
    """Read a tag file; `at_ns` counts from 0. Raises LamproomError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LamproomError(f"{path}: can't be read: {why_unreadable(error)}") from None
    fixes = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            at_ns = round(float(row.pop("t_s")) * 1e9)
            fixes.append(_FIX.validate_python(row | {"at_ns": at_ns}))
        except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
            why = "; ".join(part.strip() for part in str(error).splitlines()[:3])
            raise LamproomError(
                f"{path}:{number}: is no fix ({why}); give t_s, tag, xy_m and sigma_m"
            ) from None
    return fixes


def length_s(video: Path) -> float | None:
    """Tell how long a video plays before it begins again; none when the file does not say."""
    try:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            if stream.frames and stream.average_rate:
                return float(stream.frames / stream.average_rate)
    except (av.FFmpegError, IndexError):
        return None
    return None
