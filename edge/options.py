"""What a run was asked to do, as it is handed from process to process.

Knows nothing about how it is done.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from delivery.recordings.keep import Keep
from edge.site_signature import read_site_text
from scene.errors import LamproomError
from scene.site import Site, parse_site

_BROKER_URL = re.compile(r"\bbroker\.url\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The site file, and what the command line changes in it."""

    site_file: Path
    broker_url: str | None = None
    stream_port: int | None = None
    state_folder: Path | None = None
    loop: bool = False
    record: Path | None = None
    record_cameras: bool = False
    """Whether the cameras' own packets are recorded as well."""
    record_keep: Keep | None = None
    """How much of recordings is kept; none goes by the site file."""
    pictures: Path | None = None
    tags: Path | None = None
    """A file of tag fixes to play beside camera files."""
    trusted_key: Path | None = None
    """Whose signature the site file must bear; none takes it as it is."""
    settled: str | None = None
    """The site file's text as it last was right: in force where it has mistakes now. A service that
    is started again while somebody edits the file must not stay down for it."""
    again: bool = False
    """Whether this run has started the service before."""

    def site(self) -> Site:
        """Read the site file and put the command line's wishes over it; raises `SiteError`."""
        return self._site(self.site_yaml())

    def site_as_written(self) -> Site:
        """Read the site file as it is now, whatever was right before; raises `SiteError`."""
        return self._site(read_site_text(self.site_file, self.trusted_key))

    def settled_site(self) -> Site:
        """Give the site as it last was right, without a look at its file; raises `SiteError`."""
        return self.site() if self.settled is None else self._site(self.settled)

    def settle(self) -> "RunOptions":
        """Take the site file as it is for one that is right; nothing changes when it is not."""
        try:
            text = read_site_text(self.site_file, self.trusted_key)
            self._site(text)
        except LamproomError:
            return self
        return replace(self, settled=text)

    def _site(self, text: str) -> Site:
        folder = self.site_file.parent.resolve()
        site = parse_site(text, name=str(self.site_file), folder=folder)
        changes: dict[str, object] = {}
        if self.broker_url is not None:
            changes["broker"] = site.broker.model_copy(update={"url": self.broker_url})
        if self.stream_port is not None:
            changes["panorama"] = site.panorama.model_copy(update={"port": self.stream_port})
        if self.state_folder is not None:
            changes["state_folder"] = self.state_folder
        return site.model_copy(update=changes)

    def broker_words(self) -> Callable[[str], str]:
        """Make what names in a text about the broker where its address comes from.

        `broker.url` is a field of the site file, and nobody can mend there what was never there.
        """
        name = "broker.url"
        if self.broker_url is not None:
            name = "--broker"
        elif "url" not in self.site().broker.model_fields_set:
            name = "broker.url (the site file gives none: this is the usual one)"
        return lambda text: _BROKER_URL.sub(name, text)

    def broker_log(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """Make a log that says in `broker_words` what it is told."""
        words = self.broker_words()
        return lambda text: say(words(text))

    def stream_url(self) -> str:
        """Tell where the panorama is served on this machine."""
        panorama = self.site().panorama
        host = "127.0.0.1" if panorama.host in ("0.0.0.0", "") else panorama.host
        return f"ws://{host}:{panorama.port}/panorama"

    def keep(self, site: Site) -> Keep:
        """Tell how much of recordings is kept."""
        if self.record_keep is not None:
            return self.record_keep
        given = site.recording
        return Keep(
            size_bytes=None if given.keep_gb is None else given.keep_gb * 1e9,
            age_s=None if given.keep_days is None else given.keep_days * 86_400,
        )

    def folders(self, site: Site) -> tuple[Path, ...]:
        """List the folders that this run writes to for good."""
        recordings = () if self.record is None else (self.record.parent,)
        # Each once, or a figure of each would be told twice. A file's name may be all there is.
        return tuple(dict.fromkeys(one.absolute() for one in (site.state_folder, *recordings)))

    def site_yaml(self) -> str:
        """Give the site file's text that is in force, its signature checked if one is wanted.

        Raises `SiteError` for a file with mistakes, unless it was right before.
        """
        if self.settled is None:
            return read_site_text(self.site_file, self.trusted_key)
        return self.settle().settled or ""
