from tests.edge.fake_services import shuts as main

__all__ = ["main"]
