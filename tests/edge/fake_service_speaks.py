from tests.edge.fake_services import speaks as main

__all__ = ["main"]
