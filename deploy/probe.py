#!/usr/bin/env python3
"""Ask a probe of Lamproom, for a container's health check: exit code 0 when all is well.

    python3 -IS probe.py https://127.0.0.1:8443/healthz

Needs nothing but Python. It asks its own container, so it looks at no certificate. What is wrong
is printed; whoever does not answer within 4 s hangs, or is not there.
"""

import http.client
import ssl
import sys
from urllib.parse import urlsplit

LIMIT_S = 4.0


def main(url: str) -> int:
    """Ask once."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        asking: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=LIMIT_S, context=context
        )
    else:
        asking = http.client.HTTPConnection(host, port, timeout=LIMIT_S)
    try:
        asking.request("GET", parts.path)
        answer = asking.getresponse()
        said = answer.read(1000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        print(f"{url}: no answer: {error or type(error).__name__}")
        return 1
    print(said)
    return 0 if answer.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
