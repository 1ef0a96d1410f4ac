from tests.edge.fake_services import ends as main

__all__ = ["main"]
