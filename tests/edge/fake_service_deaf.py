from tests.edge.fake_services import deaf as main

__all__ = ["main"]
