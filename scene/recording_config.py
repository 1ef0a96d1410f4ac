"""How long recordings are kept, as the site file says it. Knows nothing about files."""

from pydantic import Field

from scene.section import Section


class RecordingConfig(Section):
    """Of a gateway that records (`lamproom run --record`); without limits nothing is deleted."""

    keep_gb: float | None = Field(default=None, gt=0)
    """All files of this recording together take no more (10^9 bytes): the oldest goes first."""
    keep_days: float | None = Field(default=None, gt=0)
    """No file is older. One beside which there is a file of its name and `.keep` stays."""
