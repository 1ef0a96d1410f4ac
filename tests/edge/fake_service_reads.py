from tests.edge.fake_services import reads as main

__all__ = ["main"]
