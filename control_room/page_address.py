"""The address where the page is served: taken first, long before anything can be served there.

Knows nothing about web servers, whose modules take long to import: alarms don't wait for them.
"""

import socket

from scene.errors import LamproomError


class ServerError(LamproomError):
    """The web server can't be started; names the address."""


def bind(host: str, port: int) -> socket.socket:
    """Take the address for us alone; raises `ServerError` that names it. Port 0: any free one.

    It listens already: as long as neither does, two sockets may be bound to one port, and two
    control rooms that start at once would both take alarms. Browsers wait until they are served.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ServerError(f"{host}: no such address: {error}; give another --host") from None
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen()
    except (OSError, OverflowError) as error:
        bound.close()
        raise ServerError(
            f"{host}:{port}: the page can't be served there: {error}; give another --port"
        ) from None
    return bound


def url_of(bound: socket.socket, *, tls: bool = False, name: str = "") -> str:
    """Tell the page's address, as a browser on this machine would type it.

    Where it is served to all, a certificate's `name` stands for this machine, if there is one.
    """
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = name or "127.0.0.1"
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"
