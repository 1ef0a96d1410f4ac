"""What a run was asked to do, as it is handed from process to process.

Knows nothing about how it is done.
"""

from dataclasses import dataclass
from pathlib import Path

from scene.site import Site, load_site


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The site file, and what the command line changes in it."""

    site_file: Path
    broker_url: str | None = None
    stream_port: int | None = None
    state_folder: Path | None = None
    loop: bool = False
    record: Path | None = None
    pictures: Path | None = None
    tags: Path | None = None
    """A file of tag fixes to play beside camera files."""

    def site(self) -> Site:
        """Read the site file and put the command line's wishes over it."""
        site = load_site(self.site_file)
        changes: dict[str, object] = {}
        if self.broker_url is not None:
            changes["broker"] = site.broker.model_copy(update={"url": self.broker_url})
        if self.stream_port is not None:
            changes["panorama"] = site.panorama.model_copy(update={"port": self.stream_port})
        if self.state_folder is not None:
            changes["state_folder"] = self.state_folder
        return site.model_copy(update=changes)

    def stream_url(self) -> str:
        """Tell where the panorama is served on this machine."""
        panorama = self.site().panorama
        host = "127.0.0.1" if panorama.host in ("0.0.0.0", "") else panorama.host
        return f"ws://{host}:{panorama.port}/panorama"

    def site_yaml(self) -> str:
        """Give the site file's text."""
        return self.site_file.read_text(encoding="utf-8")
