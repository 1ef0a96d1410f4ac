from tests.edge.fake_services import catches as main

__all__ = ["main"]
