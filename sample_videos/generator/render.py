"""Renders a scene file: one process per camera, then the truth; picks up where it stopped.

Knows nothing about training pictures.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from sample_videos.generator.clip import Progress, render_clip
from sample_videos.generator.scene_file import SceneError, SceneSpec


def render(scene: SceneSpec, out: Path, work: Path, jobs: int, report: Progress) -> None:
    """Render every camera of the scene into `out`, then write its truth.

    Plates (in `work/plates`, shared by scenes of one mine) and finished cameras are kept: run it
    again to pick up where it stopped. Raises `SceneError` when a camera's process fails.
    """
    from sample_videos.generator.truth_files import write_truth

    out.mkdir(parents=True, exist_ok=True)
    (work / "plates").mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    messages: Queue[Any] = context.Queue()
    waiting = list(range(len(scene.cameras)))
    running: dict[str, SpawnProcess] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                index = waiting.pop(0)
                process = context.Process(target=_worker, args=(scene, index, work, out, messages))
                process.start()
                running[scene.cameras[index].id] = process
            _take_message(messages, running, report)
    finally:
        for process in running.values():
            process.terminate()
            process.join()
    write_truth(scene, out, work)


def _take_message(messages: Queue[Any], running: dict[str, SpawnProcess], report: Progress) -> None:
    """Wait for one camera's word: how far it is, that it is done, or what went wrong."""
    try:
        name, done, total = messages.get(timeout=5)
    except queue.Empty:
        for name, process in running.items():
            if process.exitcode not in (None, 0):
                raise SceneError(
                    f"{name}: its process ended with code {process.exitcode} (out of memory?); "
                    "run it again, with --jobs 1 if need be"
                ) from None
        return
    if done is None:
        running.pop(name).join()
    elif isinstance(done, str):
        raise SceneError(f"{name}: {done}: {total}")
    else:
        report(name, done, total)


def _worker(scene: SceneSpec, index: int, work: Path, out: Path, messages: Queue[Any]) -> None:
    """Run one camera in a process of its own, kind to its neighbours."""
    os.nice(5)
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    spec = scene.cameras[index]
    try:
        render_clip(scene, spec, work, out, lambda *args: messages.put(args))
        messages.put((spec.id, None, None))
    except Exception as error:  # the parent shows it and stops
        messages.put((spec.id, error.__class__.__name__, str(error)))
        raise
