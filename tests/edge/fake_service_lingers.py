from tests.edge.fake_services import lingers as main

__all__ = ["main"]
