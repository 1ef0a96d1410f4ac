from tests.edge.fake_services import counts as main

__all__ = ["main"]
