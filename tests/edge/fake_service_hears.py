from tests.edge.fake_services import hears as main

__all__ = ["main"]
