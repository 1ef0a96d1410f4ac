from tests.edge.fake_services import tells as main

__all__ = ["main"]
