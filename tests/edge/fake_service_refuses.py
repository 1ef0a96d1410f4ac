from tests.edge.fake_services import refuses as main

__all__ = ["main"]
