"""While a process imports nothing looks for garbage; afterwards something does again."""

import gc

import pytest

from edge.quick_start import importing


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_looked_for_as_before_once_all_is_imported(enabled: bool) -> None:
    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(ImportError), importing(for_good=False):
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()


def test_what_was_imported_for_good_is_not_looked_through() -> None:
    before = gc.get_freeze_count()
    try:
        with importing(for_good=False):
            pass
        assert gc.get_freeze_count() == before
        with importing():
            pass
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
