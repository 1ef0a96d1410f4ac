from tests.edge.fake_services import knows as main

__all__ = ["main"]
