"""Names and addresses of computers, as callers write them.

Knows nothing about who may call.
"""

from urllib.parse import SplitResult, urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names by which a computer calls itself."""
_NOTHING = urlsplit("")


def split(url: str) -> SplitResult:
    """Take a URL apart; one that is none has no scheme and no host.

    >>> split("http://localhost:8080").hostname, split("http://[").hostname
    ('localhost', None)
    """
    try:
        return urlsplit(url)
    except ValueError:
        return _NOTHING


def host_of(header: str) -> str | None:
    """Give the name that a `Host` header calls us by, without its port; none where it is none.

    >>> host_of("[::1]:8080"), host_of("[::1")
    ('::1', None)
    """
    return split(f"//{header}").hostname
