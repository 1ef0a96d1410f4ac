"""A state that needs some time of bad looks to begin, and of good ones to end."""

from edge.view.held import GAP_S, Held


def looks(held: Held, bad: str, start_s: float = 0.0) -> str:
    """Look once a second: `x` is bad, `o` is good, `-` neither; tells when it was on, as `#`."""
    shown = ""
    for second, look in enumerate(bad):
        held.look(bad=look == "x", good=look == "o", after_s=2.0, now_s=start_s + second)
        shown += "#" if held.on else "."
    return shown


def test_it_begins_after_bad_looks_on_end_and_ends_after_good_ones_on_end() -> None:
    assert looks(Held(3.0), "oxxoxxxxooxooooo") == "......########.."


def test_looks_between_good_and_bad_end_both_runs() -> None:
    assert looks(Held(3.0), "xx-xx-xx-") == "........."
    assert looks(Held(3.0), "xxxoo-oo-oo") == "..#########"


def test_a_time_without_looks_counts_for_nothing() -> None:
    held = Held(3.0)
    assert looks(held, "xx") == ".."
    assert looks(held, "x", start_s=2 + GAP_S) == "."
    assert held.suspect
