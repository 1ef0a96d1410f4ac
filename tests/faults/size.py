"""How long the fault tests go on: LAMPROOM_FAULTS=short (the default), long or release.

`make faults` is long; a release is tested with `make faults SIZE=release`, some hours.
"""

import os

_SIZES = ("short", "long", "release")
_SIZE = _SIZES.index(os.environ.get("LAMPROOM_FAULTS", "short"))

KILLS = (10, 100, 3000)[_SIZE]
POWER_CUTS = (3, 20, 500)[_SIZE]
CLOCK_STEPS_S = ((3600, -3600), (3600, 0, -3600, 0), (3600, 0, -3600, 0) * 5)[_SIZE]
FUZZ_CASES = (
    {"wire": 3000, "site": 300, "rig": 300},
    {"wire": 100_000, "site": 20_000, "rig": 20_000},
    dict.fromkeys(("wire", "site", "rig"), 1_000_000),
)[_SIZE]
