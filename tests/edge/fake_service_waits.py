from tests.edge.fake_services import waits as main

__all__ = ["main"]
