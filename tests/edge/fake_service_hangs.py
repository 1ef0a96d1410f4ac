from tests.edge.fake_services import hangs as main

__all__ = ["main"]
