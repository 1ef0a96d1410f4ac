from tests.edge.fake_services import forks as main

__all__ = ["main"]
