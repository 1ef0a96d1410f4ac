from tests.edge.fake_services import crashes as main

__all__ = ["main"]
