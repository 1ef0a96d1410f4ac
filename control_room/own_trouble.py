"""What keeps the control room itself from its work, each one alarm of its own.

Knows nothing about MQTT or journals: it is told what is wrong with them.
"""

import re
from collections.abc import Iterator
from socket import gethostname

from control_room.complaints import printable
from control_room.own_alarms import OURSELVES, TROUBLE
from control_room.own_word import OwnWord
from scene.clock import Clock
from scene.messages import Anomaly
from scene.topics import SILENT_AFTER_S

MOST_EVIDENCE = 700
Place = tuple[str, str]
"""Site and gateway."""
TWO_LOOKS_S = 12.0
"""A journal that could not be written once may only have been locked; it is tried every 5 s."""


class OwnTrouble:
    """Raises `delivery_trouble` about the control room; to be used by one thread at a time."""

    def __init__(self, clock: Clock, host: str | None = None) -> None:
        """Start; `host` is what this machine is called, should several have a control room."""
        self._host = printable(host or gethostname())[:60]
        self._broker = OwnWord(clock, TROUBLE, self._host, hold_s=SILENT_AFTER_S)
        self._journal = OwnWord(clock, TROUBLE, f"{self._host}-journal", hold_s=TWO_LOOKS_S)

    def carry_on(self, site: str, gateway: str, alarm: Anomaly) -> Anomaly:
        """Go on with an alarm that an earlier run raised; one of anybody else is left to them."""
        if (site, gateway) == OURSELVES:
            for word in (self._broker, self._journal):
                if word.is_ours(alarm):
                    return word.carry_on(alarm)
        return alarm

    def raised(self) -> Iterator[tuple[Place, OwnWord]]:
        """Give what has an alarm that is raised."""
        for word in (self._broker, self._journal):
            if word.raised is not None:
                yield OURSELVES, word

    def check(
        self, *, connected: bool, broker: str, journal: str
    ) -> Iterator[tuple[str, str, Anomaly]]:
        """Take whether the broker is there, and what is wrong with it and with the journal.

        Gives (site, gateway, alarm) where that is news.
        """
        name = f"The control room on {self._host}"
        if connected:
            said = f"{name} and its MQTT broker: {broker}." if broker else ""
        else:
            said = (
                f"{name} has lost the MQTT broker: {broker or 'no answer'}. Until that is mended "
                "it hears no position and no alarm; gateways keep their alarms."
            )
        yield from self._say(self._broker, said)
        said = journal and (
            f"{name} can't write its journal: {journal}. Alarms are shown and not stored; gateways "
            "keep theirs until it can."
        )
        yield from self._say(self._journal, said)

    def _say(self, word: OwnWord, said: str) -> Iterator[tuple[str, str, Anomaly]]:
        text = said or f"No trouble of the control room on {self._host} any more."
        changed = word.say(_without_figures(said), printable(text[:MOST_EVIDENCE]))
        if changed is not None:
            yield (*OURSELVES, changed)


def _without_figures(said: str) -> str:
    """Leave out seconds, days and ports: they make no other reason."""
    return re.sub(r"\S*\d\S*", "", said)
