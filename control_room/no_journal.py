"""What the web server answers while the journal can't be used.

Knows nothing about what was asked. Where a database is, under which name it is reached and what it
said is for the log, not for whoever looks at the page.
"""

import sys
import threading

from starlette.responses import Response

from control_room.journal.database import JournalError
from control_room.sorry import sorry
from scene.errors import LamproomError

NO_JOURNAL = 503
_SORRY = "the journal can't be used now; why is in the control room's log"


class _Log:
    """Says each reason once, until there is another one: a page asks again and again."""

    said = ""
    lock = threading.Lock()


def no_journal(error: LamproomError) -> Response:
    """Answer 503; of the journal's own troubles say why on stderr, others are for who asked."""
    if not isinstance(error, JournalError):
        return sorry(error, NO_JOURNAL)
    with _Log.lock:
        if str(error) != _Log.said:
            _Log.said = str(error)
            print(f"lamproom control-room: {error}", file=sys.stderr, flush=True)
    return sorry(_SORRY, NO_JOURNAL)
