"""Takes a port at the very start, before anybody hears of us, and holds it.

Knows nothing about what is served there: those modules take long to import, and alarms don't wait.
"""

import socket

from scene.errors import LamproomError


class PortError(LamproomError):
    """A port can't be had; names the field of the site file."""


def take_port(host: str, port: int, *, field: str) -> socket.socket:
    """Listen there, port 0 at any free one; raises `PortError` that names `field`.

    Only who listens has a port for itself; who comes meanwhile waits until somebody serves.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        address = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)[0][4]
        taken = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, OverflowError) as error:
        raise PortError(f"{field}: {host}:{port}: no such address: {error}; mend it") from None
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen()
    except (OSError, OverflowError) as error:
        taken.close()
        raise PortError(
            f"{field}: {host}:{port} can't be served at: {error}; stop what uses the port, or "
            f"give another {field}"
        ) from None
    return taken
