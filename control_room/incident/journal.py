"""What people did with alarms, from the control room's journal, which may be in use.

Knows nothing about recordings.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

from control_room.incident.lives import ActsOf
from control_room.journal.database import Place
from control_room.journal.entries import Entries
from control_room.journal.query import can_be_stored
from control_room.journal.reading import open_to_read
from control_room.journal.schema import check
from control_room.lifecycle import Act, Key


@contextlib.contextmanager
def acts_in(place: Place) -> Iterator[Callable[[str, str], ActsOf]]:
    """Open a journal to read; gives what tells all acts on a gateway's alarms.

    Raises `JournalError`.
    """
    with contextlib.closing(open_to_read(place, check)) as database:
        entries = Entries(database)

        def of_gateway(site: str, gateway: str) -> ActsOf:
            def acts(alarm: str) -> Sequence[Act]:
                names = (site, gateway, alarm)
                return (
                    entries.acts(Key(site=site, gateway=gateway, alarm=alarm))
                    if all(map(can_be_stored, names))
                    else ()
                )

            return acts

        yield of_gateway
