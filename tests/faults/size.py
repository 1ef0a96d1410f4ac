"""How long the fault tests go on: LAMPROOM_FAULTS=short (the default), long or release.

`make faults` is long; a release is tested with `make faults SIZE=release`, some hours.
"""

import os

_SIZES = ("short", "long", "release")
_SIZE = _SIZES.index(os.environ.get("LAMPROOM_FAULTS", "short"))

_ALL_CERTIFICATES = tuple(
    (who, how)
    for who in ("gateway", "control room", "broker")
    for how in ("expired", "not yet", "foreign")
)
KILLS = (10, 100, 3000)[_SIZE]
NODE_KILLS = (1, 10, 100)[_SIZE]
"""Of a broker cluster's three nodes."""
BRIDGE_CUT_S = (8.0, 120.0, 120.0)[_SIZE]
POWER_CUTS = (3, 20, 500)[_SIZE]
RECOVERIES = (1, 5, 30)[_SIZE]
"""So often each part of a gateway on live cameras is killed and stopped."""
CLOCK_STEPS_S = ((3600, -3600), (3600, 0, -3600, 0), (3600, 0, -3600, 0) * 5)[_SIZE]
WRONG_CERTIFICATES = (
    (("gateway", "expired"), ("control room", "foreign"), ("broker", "expired")),
    _ALL_CERTIFICATES,
    _ALL_CERTIFICATES,
)[_SIZE]
"""Whose certificate does not count, and why."""
API_EXAMPLES = (0, 100, 2000)[_SIZE]
"""For each call and role."""
FUZZ_CASES = (
    {"wire": 3000, "site": 300, "rig": 300, "recording": 1000},
    {"wire": 100_000, "site": 20_000, "rig": 20_000, "recording": 50_000},
    dict.fromkeys(("wire", "site", "rig", "recording"), 1_000_000),
)[_SIZE]
