from tests.edge.fake_services import mute as main

__all__ = ["main"]
