"""`lamproom doctor`: what is missing on this machine, and what to do about it.

Knows nothing about sites, but for how to listen to one's cameras when it is given.
"""

import argparse
import ctypes.util
import importlib
import importlib.metadata
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.onvif import FoundCamera, discover
from scene.errors import LamproomError
from scene.site import Site, load_site

HELP = """\
Say what is missing on this machine, each with what to do about it: Python and its packages, ONNX
Runtime and which of its providers really work, room in /dev/shm, hardware decoders, a browser.

  lamproom doctor                   this machine
  lamproom doctor mine/site.yaml    its cameras, too: each is listened to, 12 s at most, for how
                                    often it sends a key frame. More than 1 s apart is too seldom:
                                    whoever connects anew sees nothing before the next one
  lamproom doctor --cameras         and ask the networks for ONVIF cameras

A line is `ok`, `FAIL` (running needs it) or `note` (running does without it).
Exit code 0: all that running needs is there; 1: some of it is not; 2: the site file is wrong."""

MODULES = {
    "amqtt": "amqtt",
    "av": "av",
    "cryptography": "cryptography",
    "cv2": "opencv-python",
    "mcap": "mcap",
    "numpy": "numpy",
    "paho.mqtt.client": "paho-mqtt",
    "pydantic": "pydantic",
    "rich": "rich",
    "scipy": "scipy",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "websockets": "websockets",
    "yaml": "PyYAML",
    "zstandard": "zstandard",
}

SLACK_S = 0.1
"""Cameras count pictures, not seconds."""
SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    good: bool
    text: str
    remedy: str = ""
    needed: bool = True
    """A thing that is not needed for running is only mentioned."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom doctor`."""
    parser.add_argument(
        "site", type=Path, nargs="?", help="a site file: its RTSP cameras are listened to as well"
    )
    parser.add_argument("--quiet", action="store_true", help="print only what is wrong")
    parser.add_argument(
        "--cameras", action="store_true", help="also ask the networks for ONVIF cameras"
    )


def run(args: argparse.Namespace) -> int:
    """Print the findings; 0 when everything that running needs is there."""
    looks = (*LOOKS, look_for_cameras) if args.cameras else LOOKS
    site = None if args.site is None else load_site(args.site)
    findings = [finding for look in looks for finding in look()]
    if site is not None:
        findings += look_at_key_frames(site)
    for finding in findings:
        if args.quiet and (finding.good or not finding.needed):
            continue
        mark = "ok  " if finding.good else ("FAIL" if finding.needed else "note")
        print(f"{mark}  {finding.text}" + (f": {finding.remedy}" if finding.remedy else ""))
    return int(any(finding.needed and not finding.good for finding in findings))


def look_at_python() -> list[Finding]:
    """Look at the interpreter's version."""
    text = f"Python {sys.version.split()[0]}"
    good = sys.version_info >= (3, 11)
    return [Finding(good=good, text=text, remedy="" if good else "3.11 or newer is needed")]


def look_at_modules() -> list[Finding]:
    """Import every module that running needs."""
    return [_import(module, package) for module, package in MODULES.items()]


def look_at_opencv() -> list[Finding]:
    """Refuse opencv-python beside its headless twin: they overwrite each other's files."""
    twins = [name for name in ("opencv-python", "opencv-python-headless") if _version(name)]
    if len(twins) == 2:
        remedy = f"uninstall both, then install one; {_version(twins[0])} is the one asked for"
        return [
            Finding(good=False, text=" and ".join(twins) + " are both installed", remedy=remedy)
        ]
    return []


def look_at_onnxruntime() -> list[Finding]:
    """Refuse onnxruntime beside onnxruntime-gpu; name the providers that really work."""
    cpu, gpu = _version("onnxruntime"), _version("onnxruntime-gpu")
    if cpu and gpu:
        return [
            Finding(
                good=False,
                text=f"onnxruntime {cpu} and onnxruntime-gpu {gpu} are both installed",
                remedy="they overwrite each other: uninstall both, then install one of "
                "`lamproom[cpu]`, `lamproom[gpu]`",
            )
        ]
    if not cpu and not gpu:
        return [
            Finding(
                good=False,
                text="ONNX Runtime is not installed",
                remedy="install `lamproom[cpu]`, or `lamproom[gpu]` where there is an NVIDIA GPU",
            )
        ]
    found = _import("onnxruntime", "onnxruntime" if cpu else "onnxruntime-gpu")
    if not found.good:
        return [found]
    from detection.detector import open_detector
    from scene.site import DetectionConfig

    try:
        detector = open_detector(DetectionConfig())
    except LamproomError as error:
        return [found, Finding(good=False, text="the shipped model", remedy=str(error))]
    # Only a session knows: the list of available providers names GPUs that are not there.
    findings = [found, Finding(good=True, text=f"provider really in use: {detector.provider}")]
    if gpu and detector.provider == "CPUExecutionProvider":
        findings.append(
            Finding(
                good=False,
                text="onnxruntime-gpu finds no GPU",
                remedy="check the driver, CUDA and cuDNN; detection runs on the CPU until then",
                needed=False,
            )
        )
    return findings


def look_at_shared_memory() -> list[Finding]:
    """Look at /dev/shm: a few numbers are shared there, or else in the temporary folder.

    Frames are not: they lie in memory without a name (`edge.frame_ring`).
    """
    if not SHARED_MEMORY.is_dir():
        text, free_mb = f"{SHARED_MEMORY} is missing", 0.0
    else:
        free_mb = shutil.disk_usage(SHARED_MEMORY).free / 1e6
        text = f"{SHARED_MEMORY} has {free_mb:.1f} MB free"
    good = free_mb >= 1
    remedy = "" if good else "1 MB is used; the temporary folder is taken instead"
    return [Finding(good=good, text=text, remedy=remedy, needed=False)]


def look_at_browser() -> list[Finding]:
    """See whether there is a browser for the page; any other machine's will do as well."""
    names = ("chromium", "google-chrome", "chrome", "microsoft-edge", "firefox")
    found = next((name for name in names if shutil.which(name)), None)
    return [
        Finding(
            good=found is not None,
            text=f"browser: {found}" if found else "no browser on this machine",
            remedy="" if found else "open the page from another one, or install chromium",
            needed=False,
        )
    ]


def look_at_hardware_decoders() -> list[Finding]:
    """List the hardware decoders that FFmpeg offers for cameras, and whether one can be used."""
    from edge.cameras.decoding import devices, trouble_with

    found = []
    for device in devices():
        trouble = trouble_with(device)
        text = f"hardware decoder {device}"
        if trouble:
            remedy = f"{trouble} Software decodes until then"
            found.append(Finding(good=False, text=text, remedy=remedy, needed=False))
        else:
            found.append(Finding(good=True, text=f"{text}: can be used (cameras: decoder: auto)"))
    if found:
        return found
    remedy = "FFmpeg offers none here; software decodes"
    return [Finding(good=False, text="no hardware decoder", remedy=remedy, needed=False)]


def look_at_key_frames(site: Site) -> list[Finding]:
    """Listen to a site's RTSP cameras: how long whoever connects anew waits for a picture."""
    from edge.cameras.source import is_live
    from edge.key_frames import LONGEST_S, LOOK_S, look_at_all

    found = []
    for camera, interval_s in look_at_all([one for one in site.cameras if is_live(one)]):
        text = f"camera {camera.name}"
        if isinstance(interval_s, ConnectionError):
            remedy = f"{interval_s}; check its address, its password and the network"
            found.append(Finding(good=False, text=f"{text} can't be listened to", remedy=remedy))
            continue
        seldom = f"none within {LOOK_S:.0f} s" if interval_s > LOOK_S else f"{interval_s:.1f} s"
        good = interval_s <= LONGEST_S + SLACK_S
        remedy = (
            f"set its I-frame interval (GOP) to {LONGEST_S:g} s or less, no smart codec: after "
            "every new connection and every lost packet it shows nothing until the next one"
        )
        found.append(
            Finding(
                good=good,
                text=f"{text}: time between key frames: {seldom}",
                remedy="" if good else remedy,
                needed=False,
            )
        )
    return found


def look_for_cameras() -> list[Finding]:
    """Ask for ONVIF cameras, and list those that answer."""
    try:
        found = discover()
    except OSError as error:
        text = f"cameras can't be asked for: {error.strerror or error}"
        return [Finding(good=False, text=text, remedy="check the network", needed=False)]
    if not found:
        remedy = (
            "is ONVIF discovery on in the cameras, are they in this machine's network, and does "
            "its firewall let UDP answers from port 3702 in?"
        )
        return [Finding(good=False, text="no camera answers", remedy=remedy, needed=False)]
    return [Finding(good=True, text=_told(camera)) for camera in found]


def _told(camera: FoundCamera) -> str:
    said = ", ".join(one for one in (camera.name, camera.hardware) if one)
    return f"camera at {camera.address}" + (f": {said}" if said else "")


LOOKS: tuple[Callable[[], list[Finding]], ...] = (
    look_at_python,
    look_at_modules,
    look_at_opencv,
    look_at_onnxruntime,
    look_at_shared_memory,
    look_at_hardware_decoders,
    look_at_browser,
)


def _import(module: str, package: str) -> Finding:
    try:
        importlib.import_module(module)
    except ImportError as error:
        remedy = f"install {package} ({error})"
        if "libGL" in str(error) or (module == "cv2" and not ctypes.util.find_library("GL")):
            remedy = "install Debian's libgl1 and libglib2.0-0"
        return Finding(good=False, text=f"{package} can't be imported", remedy=remedy)
    return Finding(good=True, text=f"{package} {_version(package) or ''}".strip())


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
