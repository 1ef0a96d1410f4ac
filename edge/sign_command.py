"""`lamproom sign`: sign a site file, so that a gateway takes no other.

Knows nothing about what is in it beyond whether it is right.
"""

import argparse
from pathlib import Path

from edge.site_signature import sign_site
from scene.site import load_site

HELP = """\
Sign a site file: cameras, zones, gates and limits as they are now, and nothing else, count on a
gateway that is run with the public key.

  lamproom certs signer                                      once: the key, on a machine apart
  lamproom sign site.yaml --key certs/site_signer/site_signer.key
  lamproom run site.yaml --trusted-key /etc/lamproom/site_signer.pub

It writes site.yaml.sig, which goes beside the site file. While the gateway runs, copy site.yaml
first and site.yaml.sig after it: until both fit, the former limits and zones stay in force, and the
gateway says so."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom sign`."""
    parser.add_argument("site", type=Path, help="the site file, e.g. mine/site.yaml")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="site_signer.key")
    parser.add_argument(
        "--unchecked",
        action="store_true",
        help="sign a file whose cameras' files or folders are only on the gateway",
    )


def run(args: argparse.Namespace) -> int:
    """Sign it; raises `SiteError` for a file with mistakes, `SigningError` for the key."""
    if not args.unchecked:
        load_site(args.site)
    print(f"wrote {sign_site(args.site, args.key)}")
    return 0
