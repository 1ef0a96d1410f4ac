from tests.edge.fake_services import freezes as main

__all__ = ["main"]
