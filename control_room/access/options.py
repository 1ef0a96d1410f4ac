"""The options that say who may reach the page, and how.

Knows nothing about what is served. What would let strangers act, or send passwords in the clear,
is refused before anything is served.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from control_room.access.addresses import LOOPBACK
from control_room.access.roles import AccessError
from scene.clock import Clock

if TYPE_CHECKING:  # imported only where it is used: alarms wait for all that is imported here
    from control_room.access.certificate import Certificate
    from control_room.access.doorkeeper import Doorkeeper
    from control_room.access.oidc_settings import OidcSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How the page is reached; as it stands: from this machine only, by anybody."""

    host: str = "127.0.0.1"
    doorkeeper: "Doorkeeper | None" = None
    certificate: "Certificate | None" = None
    proxy: str | None = None
    """Address of the proxy before which TLS ends."""

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS."""
        return self.certificate is not None or self.proxy is not None

    @property
    def only_loopback_names(self) -> bool:
        """Whether nobody can have a reason to call us by another name than localhost."""
        return self.host in LOOPBACK and not self.secure

    def close(self) -> None:
        """Write down what is to be kept."""
        if self.doorkeeper is not None:
            self.doorkeeper.close()


def add_access_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; see docs/access.md."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="where the page is served (default 127.0.0.1)"
    )
    parser.add_argument(
        "--users",
        type=Path,
        metavar="FILE",
        help="who may log in, written by `lamproom users` (default: users.yaml beside the journal)",
    )
    parser.add_argument(
        "--oidc", type=Path, metavar="FILE", help="log in at an OpenID provider (docs/access.md)"
    )
    parser.add_argument(
        "--tls-certificate",
        type=Path,
        metavar="FILE",
        help="serve over https with this certificate (PEM, with those that vouch for it)",
    )
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its key (PEM, no password)")
    parser.add_argument(
        "--behind-proxy",
        nargs="?",
        const="127.0.0.1",
        metavar="ADDRESS",
        help="TLS ends at a proxy at this address (default 127.0.0.1); its X-Forwarded-For and "
        "X-Forwarded-Proto are believed",
    )


def _check_access(args: argparse.Namespace, folder: Path) -> None:
    """Raise `AccessError` where it would not be safe to serve the page.

    `folder` is where users and sessions are kept if nothing else is said.
    """
    users_file = args.users or folder / "users.yaml"
    if args.users is not None and not _is_there(users_file):
        raise AccessError(f"--users {args.users}: is not there; {_first(users_file)}")
    if (args.tls_certificate is None) != (args.tls_key is None):
        raise AccessError("--tls-certificate and --tls-key: give both")
    if args.tls_certificate is not None and args.behind_proxy is not None:
        raise AccessError("--behind-proxy: TLS ends at the proxy; leave out --tls-certificate")
    _need_login(args, bool(args.oidc) or _has_users(users_file), users_file)


def door_of(
    args: argparse.Namespace, clock: Clock, say: Callable[[str], None], folder: Path
) -> Door:
    """Read what the options name; raises `AccessError`, also where serving would not be safe."""
    _check_access(args, folder)
    users_file = args.users or folder / "users.yaml"
    oidc = _oidc(args.oidc) if args.oidc else None
    asks = oidc is not None or _has_users(users_file)
    certificate = _certificate(args, say) if args.tls_certificate else None
    doorkeeper = _doorkeeper(users_file, clock, say, oidc) if asks else None
    return Door(
        host=args.host, doorkeeper=doorkeeper, certificate=certificate, proxy=args.behind_proxy
    )


def _has_users(users_file: Path) -> bool:
    if not _is_there(users_file):
        return False
    from control_room.access.users_file import read_users

    return bool(read_users(users_file).users)


def _is_there(users_file: Path) -> bool:
    """Tell whether there is such a file; raises `AccessError` where nobody can tell.

    Who is taken for absent then would let anybody act. A link to nothing is no absent file either:
    what it points to may not be mounted yet.
    """
    try:
        os.stat(users_file)
    except FileNotFoundError:
        if not users_file.is_symlink():
            return False
        raise AccessError(f"{users_file}: the users can't be read: it points to no file") from None
    except OSError as error:
        raise AccessError(f"{users_file}: the users can't be read: {error}") from None
    return True


def _oidc(file: Path) -> "OidcSettings":
    from control_room.access.oidc_settings import read_oidc

    return read_oidc(file)


def _certificate(args: argparse.Namespace, say: Callable[[str], None]) -> "Certificate":
    from control_room.access.certificate import Certificate

    return Certificate(args.tls_certificate, args.tls_key, say)


def _doorkeeper(
    users_file: Path, clock: Clock, say: Callable[[str], None], oidc: "OidcSettings | None"
) -> "Doorkeeper":
    from control_room.access.doorkeeper import Doorkeeper

    sessions = users_file.with_name("sessions.sqlite")
    return Doorkeeper(users_file, sessions, clock, say, oidc=oidc)


def _need_login(args: argparse.Namespace, asks: bool, users_file: Path) -> None:
    local = args.host in LOOPBACK
    if not asks and not (local and args.behind_proxy is None):
        where = f"--host {args.host}" if not local else "--behind-proxy"
        raise AccessError(
            f"{where}: whoever reaches the page could act, for nobody has a login yet; "
            f"{_first(users_file)}"
        )
    if not local and args.tls_certificate is None and args.behind_proxy is None:
        raise AccessError(
            f"--host {args.host}: passwords would cross the network in the clear; give "
            "--tls-certificate and --tls-key, or --behind-proxy where TLS ends before us"
        )


def _first(users_file: Path) -> str:
    return f"make the first user: `lamproom users add NAME --role admin --users {users_file}`"
