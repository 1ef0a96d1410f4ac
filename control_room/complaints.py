"""Tell the operator about messages that can't be read, each topic once.

Knows nothing about what the messages were to say.
"""

from collections.abc import Callable

from delivery.signing import RefusedError
from scene.errors import WireError

MAX_TOPICS = 100
"""So many topics are complained of; a flood of further ones is not told."""


def printable(text: str) -> str:
    r"""Take out control characters, with which a message could steer a terminal.

    >>> printable("a\x1b[2Jb")
    'a�[2Jb'
    """
    return "".join(letter if letter.isprintable() else "�" for letter in text)


class Complaints:
    """Takes bad messages as `delivery.subscriber.Subscriber` hands them over."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told: set[str] = set()

    def __call__(self, topic: str, error: WireError) -> None:
        """Say what is wrong with a message, if it is the first on its topic."""
        if topic in self._told or len(self._told) >= MAX_TOPICS:
            return
        self._told.add(topic)
        why = "refused" if isinstance(error, RefusedError) else "not understood"
        self._say(printable(f"{topic}: a message was {why}: {error}"[:500]))
