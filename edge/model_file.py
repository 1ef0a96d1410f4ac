"""Which model's file a site's pictures are searched with. Knows nothing about what is in it."""

from dataclasses import dataclass

from detection.model import SHIPPED
from edge.file_digest import sha256_of
from scene.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A model's file as it is now."""

    name: str
    sha256: str
    """Hexadecimal; empty where the file can't be read."""


def model_file(site: Site) -> ModelFile:
    """Name the model that a site file asks for, or the shipped one, with its hash."""
    path = site.detection.model or SHIPPED
    return ModelFile(name=path.name, sha256=sha256_of(path))
