"""Says in a recording what was run. Knows nothing about files of recordings."""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from delivery.recordings.run_record import RunRecord
from edge.description import without_secrets
from edge.model_file import model_file
from edge.options import RunOptions
from scene.clock import Clock


def run_record(
    options: RunOptions, file_number: int, clock: Clock, cameras: Sequence[str]
) -> RunRecord:
    """Write down the run as it is now, without passwords; raises `SiteError`.

    `cameras` are those whose packets are recorded. Without a rig file its text is empty.
    """
    site = options.site()
    try:
        rig_yaml = site.rig.file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        rig_yaml = ""
    model = model_file(site)
    return RunRecord(
        site=site.site,
        gateway=site.gateway,
        software=f"lamproom {version('lamproom')}",
        started_at=datetime.fromtimestamp(clock.now_ns() / 1e9, UTC).isoformat(),
        file_number=str(file_number),
        site_yaml=without_secrets(options.site_yaml(), site),
        rig_yaml=rig_yaml,
        model=model.name,
        model_sha256=model.sha256,
        cameras=" ".join(cameras),
    )
