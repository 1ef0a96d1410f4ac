"""An MQTT broker of our own for demos, trials and tests: amqtt in a process of its own.

Knows nothing about our messages. It keeps nothing on disk and lets everybody in, so it listens on
this machine only unless told otherwise; a mine runs Mosquitto.
"""

import argparse
import asyncio
import contextlib
import errno
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from types import TracebackType

from delivery.address import address_of
from scene.errors import BrokerError

START_LIMIT_S = 60.0
"""A hang, not a slow machine."""


class EmbeddedBroker:
    """A broker for as long as a `with` block lasts; it also ends when this process is killed."""

    def __init__(self, port: int = 0, bind: str = "127.0.0.1") -> None:
        """Prepare a broker on `bind`:`port`; port 0 takes any free one."""
        self._wanted_port = port
        self._bind = bind
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def at(cls, url: str) -> "EmbeddedBroker":
        """Prepare a broker where `url` says; raises `BrokerError` where it would have to encrypt.

        An address of another machine is told when it is started.
        """
        address = address_of(url)
        if address.tls:
            raise BrokerError(
                f"broker.url: {url}: our own MQTT broker does not encrypt; give mqtt://host:port, "
                "or run a broker that does (docs/security.md) and leave out --embedded-broker"
            )
        # One of the two that this name has: nobody waits at the other one.
        return cls(address.port, "127.0.0.1" if address.host == "localhost" else address.host)

    @property
    def url(self) -> str:
        """The address to connect to."""
        host = "127.0.0.1" if self._bind in ("0.0.0.0", "") else self._bind
        host = f"[{host}]" if ":" in host else host
        return f"mqtt://{host}:{self.port}"

    @property
    def is_open(self) -> bool:
        """Whether it listens to more than this machine: it asks nobody who they are."""
        return not (self._bind.startswith("127.") or self._bind == "::1")

    @property
    def pid(self) -> int:
        """The broker's process, for tests that kill it."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> "EmbeddedBroker":
        """Start it; raises `BrokerError` that names the address when it does not come up."""
        self.port = _usable_port(self._bind, self._wanted_port)
        # The pipe's end is our life: when it closes, however we end, the broker ends.
        command = [sys.executable, "-m", "delivery.broker"]
        command += ["--bind", self._bind, "--port", str(self.port)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        deadline_s = time.monotonic() + START_LIMIT_S
        try:
            self._wait_until_it_says_ready(deadline_s)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._stop()

    def _wait_until_it_says_ready(self, deadline_s: float) -> None:
        assert self._process is not None and self._process.stdout is not None
        while True:
            left_s = max(0.0, deadline_s - time.monotonic())
            readable, _, _ = select.select([self._process.stdout], [], [], left_s)
            line = self._process.stdout.readline() if readable else b""
            if line == b"ready\n":
                return
            if not line:
                why = "it says nothing" if self._process.poll() is None else "it ended"
                raise BrokerError(f"{self.url}: our own MQTT broker does not start: {why}")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _usable_port(bind: str, port: int) -> int:
    """Find that the port is free, or any free one for 0; raises `BrokerError`."""
    try:
        family = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((bind, port))
            return int(probe.getsockname()[1])
    except (OSError, OverflowError, UnicodeError) as error:
        raise BrokerError(
            f"mqtt://{bind}:{port}: our own MQTT broker can't listen there: {_why_not(error)}"
        ) from None


def _why_not(error: OSError | OverflowError | UnicodeError) -> str:
    """Say why nobody can listen at an address, and what to do."""
    code = error.errno if isinstance(error, OSError) else None
    if isinstance(error, socket.gaierror | UnicodeError) or code == errno.EADDRNOTAVAIL:
        return (
            "that is no address of this machine; give one that is (mqtt://127.0.0.1:1883) as "
            "broker.url, or leave out --embedded-broker to use the broker over there"
        )
    why = "the port is in use" if code == errno.EADDRINUSE else str(error)
    return f"{why}; stop what uses it (another broker?), or give another port in broker.url"


async def _serve(bind: str, port: int) -> None:
    from amqtt.broker import Broker

    config = {  # an IPv6 address without brackets: the port is what follows the last colon
        "listeners": {"default": {"type": "tcp", "bind": f"{bind}:{port}"}},
        "plugins": {
            "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
        },
    }
    broker = Broker(config)
    await broker.start()
    print("ready", flush=True)
    await asyncio.Event().wait()


def _end_with_parent() -> None:
    """End this process when nobody holds the other end of stdin any more."""
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    os._exit(0)


def main() -> None:
    """Be the broker's process."""
    parser = argparse.ArgumentParser(prog="python -m delivery.broker")
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        asyncio.run(_serve(args.bind, args.port))
    except KeyboardInterrupt:
        sys.exit(0)
    except Exception as error:
        print(f"lamproom broker: {error}", file=sys.stderr, flush=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
