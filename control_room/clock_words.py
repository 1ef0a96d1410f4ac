"""How it is said that clocks don't agree, and what to do.

Knows nothing about when it is said.
"""

from control_room.clock_majority import Majority

_BEAR = "recordings and evidence bear the gateway's times."


def of_ours(host: str, most: Majority, was_set: str) -> str:
    """Say that it is this control room's clock; `was_set` adds that somebody has just set it."""
    whose = (
        "It is that clock which is wrong, or the time server (NTP) that these gateways share."
        if most.is_sure
        else "As many clocks go by it, so nobody can tell which are wrong."
    )
    return (
        f"The clock of the control room on {host} is {_by(-most.off_s)} by those of "
        f"{most.gateways} of {most.heard} gateways. {whose} Compare it with a watch, and set all "
        "clocks by one time server (NTP): times on that page, in its journal and in its reports "
        f"are this clock's.{was_set}"
    )


def of_gateway(off_s: float, most: Majority, was_set: str) -> str:
    """Say that it is a gateway's clock, which is so many seconds behind this control room's."""
    if not most.gateways:
        return (
            f"Its clock is {_by(off_s)} by this control room's, and no other clock tells which of "
            "the two is wrong. Compare both with a watch, and set both by one time server (NTP): "
            f"{_BEAR}{was_set}"
        )
    if most.off_s:
        by = f"{_by(off_s - most.off_s)} by those of {most.gateways} of {most.heard} gateways"
    else:
        by = (
            f"{_by(off_s)} by this control room's, by which {most.gateways} of {most.heard} "
            "gateways go"
        )
    return f"Its clock is {by}. Set it by the same time server (NTP): {_BEAR}"


def our_set(set_s: float, ago_s: float) -> str:
    """Say that somebody has set this control room's clock; after a sentence."""
    way = "forward" if set_s > 0 else "back"
    return f" This control room's clock was set {way} by {abs(set_s):.1f} s, {ago_s:.0f} s before."


def ours_is_right(host: str, most: Majority) -> str:
    """Say that this control room's clock is not told of any more."""
    return (
        f"The clock of the control room on {host} is outvoted no more: {most.ours} of "
        f"{most.heard} gateways go by it."
    )


def gateway_is_right(off_s: float, most: Majority) -> str:
    """Say that a gateway's clock is not told of any more."""
    if most.ours_is_off:
        return "Its clock is no exception: the control room's own clock is told of now."
    return f"Its clock is {abs(off_s - most.off_s):.1f} s off by most others."


def _by(off_s: float) -> str:
    return f"{abs(off_s):.1f} s {'slow' if off_s > 0 else 'fast'}"
