"""An MQTT client that takes what has come in large pieces.

Knows nothing about what is said. paho asks its socket for the first byte of a message, for each
byte of its length and for the rest, and before that whether there is anything. Each time it gives
the interpreter's lock away, and where another thread computes it waits a switch interval to have it
again: at a thousand messages a second they came seconds late.
"""

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

PIECE_BYTES = 65_536


class ReadAhead(paho.Client):
    """Reads what has come at once, and hands over all whole messages in it; for one connection."""

    _piece, _at = b"", 0

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Handle what can be read, and all else that came with it."""
        result = super().loop_read(max_packets)
        while result == MQTTErrorCode.MQTT_ERR_SUCCESS and self._at < len(self._piece):
            result = super().loop_read(max_packets)
        return result

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._at == len(self._piece):
            self._piece, self._at = super()._sock_recv(PIECE_BYTES), 0
        some = self._piece[self._at : self._at + bufsize]
        self._at += len(some)
        return some
