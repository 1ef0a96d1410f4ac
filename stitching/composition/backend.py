"""What a backend of composition is: tables in, then pictures in and panoramas out.

Knows nothing about how a backend does it, nor where maps, seams and gains come from.
"""

from typing import Protocol

from scene.errors import LamproomError
from scene.messages import YuvImage
from stitching.composition.areas import Box
from stitching.maps import Maps

__all__ = ["GREY", "UNSEEN_LUMA", "Backend", "BackendError", "Box", "Recipe"]

UNSEEN_LUMA = 48
"""Mid-dark grey where nobody looks: neither black, as a dark heading is, nor bright."""
GREY = 128
"""Chroma without colour."""


class BackendError(LamproomError):
    """A backend can't be used on this machine; says why and what to do."""


class Recipe(Protocol):
    """How the panorama is painted with one lay-out of seams. It never changes."""

    def paint(self, images: dict[int, YuvImage]) -> YuvImage:
        """Paint the pictures, by camera index, of all cameras that have any weight.

        The planes are new ones: whoever gets them may keep them.
        """
        ...

    def moved(self, weights: list[Maps], boxes: list[Box]) -> "Recipe":
        """Give the recipe for weights that differ from this one's inside `boxes` only."""
        ...


class Backend(Protocol):
    """Makes recipes for one rig."""

    runs_on: str
    """In words, for the log and the health page: what does the work, and how."""
    degraded: str
    """Why this is not the backend that was asked for; empty when it is."""

    def recipe(self, weights: list[Maps]) -> Recipe:
        """Take (H, W) weights over each camera's box; they add up to 1 where anybody looks."""
        ...

    def gains_changed(self, camera: int) -> None:
        """Hear that a camera's gain maps were written anew, in place."""
        ...
