"""`lamproom demo`: the main job on the sample mine, with a broker and a page, in one command.

Knows nothing that an installation would need; it starts the same commands that a mine runs.
"""

import argparse
import contextlib
import multiprocessing
import os
import shutil
import socket
import sys
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from pathlib import Path

from delivery.broker import EmbeddedBroker
from edge.main import main
from edge.options import RunOptions
from edge.run import check_ready
from edge.services import Supervisor, die_with_parent
from scene.errors import LamproomError

HELP = """\
Run the sample mine: four cameras in a roadway, one panorama, every miner located, and named by a
simulated tag system. Someone enters a restricted zone and someone falls: the alarms arrive over
MQTT and are printed here. No camera, GPU or server is needed."""

SAMPLE = Path(__file__).parents[1] / "sample_videos" / "roadway" / "site.yaml"
PAGE_LIMIT_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom demo`."""
    parser.add_argument("--site", type=Path, default=SAMPLE, help="another site file")
    parser.add_argument("--port", type=int, default=8080, help="of the page (default 8080)")
    parser.add_argument("--no-browser", action="store_true", help="don't open a browser")
    parser.add_argument("--seconds", type=float, help="stop after so long (default: Ctrl-C)")
    parser.add_argument(
        "--folder", type=Path, default=Path("build/demo"), help="for recording, alarms, journal"
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo until Ctrl-C or `--seconds`."""
    if not args.site.exists():
        raise LamproomError(
            f"{args.site}: there is no such site file; the sample site comes with a checkout"
        )
    args.folder.mkdir(parents=True, exist_ok=True)
    _begin_afresh(args.folder)
    _calibrate_once(args.site)
    page_port = _free_port(args.port)
    if page_port != args.port:
        _say(f"port {args.port} is in use; the page goes to {page_port}")
    tags = args.site.parent / "tags.jsonl"
    recording = args.folder / time.strftime("demo-%Y%m%d-%H%M%S.mcap")
    with EmbeddedBroker(port=_free_port(1883)) as broker:
        options = RunOptions(
            site_file=args.site,
            broker_url=broker.url,
            stream_port=_free_port(8765),
            state_folder=args.folder / "state",
            loop=True,
            record=recording,
            tags=tags if tags.exists() else None,
        )
        check_ready(options.site())
        page = f"http://127.0.0.1:{page_port}/"
        journal = args.folder / "journal.sqlite"
        with (
            _command(
                "control-room",
                "--broker",
                broker.url,
                "--port",
                str(page_port),
                "--journal",
                str(journal),
            ),
            _command("alarms", "--broker", broker.url),
        ):
            _wait_for(page)
            print(f"\nLamproom is at {page}   (Ctrl-C stops it)", flush=True)
            print(f"MQTT broker: {broker.url}\n", flush=True)
            if not args.no_browser and (os.environ.get("DISPLAY") or sys.platform != "linux"):
                webbrowser.open(page)
            stop_at_s = time.monotonic() + args.seconds if args.seconds else None
            code = Supervisor(options, _say).run(
                until=lambda: stop_at_s is not None and time.monotonic() >= stop_at_s
            )
    print(_farewell(recording, journal))
    return code


def _farewell(recording: Path, journal: Path) -> str:
    """Say what is left, and how to look at it.

    >>> _farewell(Path("a.mcap"), Path("j.sqlite")).splitlines()[-1]
    'What happened: lamproom journal export --journal j.sqlite'
    """
    return (
        f"\nRecorded: {recording}\nLook again: lamproom replay {recording}\n"
        f"What happened: lamproom journal export --journal {journal}"
    )


def _begin_afresh(folder: Path) -> None:
    """Forget the alarms of a demo before: their people are gone, and nobody would clear them."""
    shutil.rmtree(folder / "state", ignore_errors=True)
    for old in folder.glob("journal.sqlite*"):
        old.unlink(missing_ok=True)


def _calibrate_once(site_file: Path) -> None:
    from scene.site import load_site

    if load_site(site_file).rig.file.exists():
        return
    print("Calibrating the cameras (once) ...", flush=True)
    code = main(["calibrate", str(site_file)])
    if code:
        raise LamproomError(f"{site_file}: its cameras could not be calibrated; see above")


@contextlib.contextmanager
def _command(*words: str) -> Iterator[None]:
    """Run one of our own commands beside us while the block runs."""
    process = multiprocessing.get_context("spawn").Process(
        target=_run_command, args=(list(words),), daemon=True
    )
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(timeout=5.0)
        if process.is_alive():
            process.kill()


def _run_command(words: list[str]) -> None:
    die_with_parent()
    sys.exit(main(words))


def _wait_for(page: str) -> None:
    deadline_s = time.monotonic() + PAGE_LIMIT_S
    while time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(page, timeout=2.0):
                return
        except OSError:
            time.sleep(0.2)
    raise LamproomError(f"the control room's page {page} does not come up; see what it said above")


def _free_port(wanted: int) -> int:
    """Give `wanted`, or any free port when it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LamproomError("there is no free port on 127.0.0.1")


def _say(text: str) -> None:
    print(f"lamproom demo: {text}", file=sys.stderr, flush=True)
