from tests.edge.fake_services import listens as main

__all__ = ["main"]
