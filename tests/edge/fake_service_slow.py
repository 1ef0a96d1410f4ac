from tests.edge.fake_services import slow as main

__all__ = ["main"]
