from tests.edge.fake_services import loops as main

__all__ = ["main"]
