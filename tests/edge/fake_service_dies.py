from tests.edge.fake_services import dies as main

__all__ = ["main"]
