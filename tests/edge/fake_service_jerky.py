from tests.edge.fake_services import jerky as main

__all__ = ["main"]
