"""The training loop: a time budget, written down every two minutes, taken up again after a cut.

Knows nothing about how samples are made. torch is imported when training.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from detection.training.grow import grow
from detection.training.loss import batch_of, masked_loss
from detection.training.network import LAYERS, from_checkpoint, from_onnx, load_weights, new_network
from detection.training.optimizer import Muon
from detection.training.samples import Samples
from scene.errors import ModelError

WRITE_EVERY_S = 120.0
WARM_STEPS = 150
"""The learning rate rises over so many steps."""
LOOKS = 12
"""Batches from which an ONNX file's normalisations are unfolded."""
KEEP = 0.999
"""Share of the averaged weights that stays at each step, after the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to train."""

    minutes: float
    """In all, before and after cuts."""
    rate: float = 1.5e-3
    threads: int = 1
    seed: int = 0
    layers: Path = LAYERS
    """What the network is made of, in the notation of Ultralytics."""
    start: Path | None = None
    """A checkpoint or an ONNX file to start from; none for random weights."""
    start_layers: Path | None = None
    """What that one is made of, where it is smaller; none says that it has the same layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far it is."""

    seconds: float
    pictures: int
    parts: tuple[float, float, float]
    """Loss of boxes, classes and edges, averaged over the last steps."""


def train(
    samples: Samples,
    checkpoint: Path,
    plan: Plan,
    step: Callable[[State], None] = lambda state: None,
) -> State:
    """Train and write `checkpoint`; an existing one is taken up where it was cut.

    The learning rate falls to a hundredth over the time. Raises ModelError.
    """
    import torch

    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    before = from_checkpoint(checkpoint) if checkpoint.exists() else None
    network = _started(samples, plan, before, checkpoint)
    average = torch.optim.swa_utils.AveragedModel(network, use_buffers=True)
    optimizer = Muon(network.parameters(), plan.rate)
    seconds, seen = 0.0, 0
    if before is not None:
        load_weights(average.module, before["average"], checkpoint)
        _go_on(optimizer, before["optimizer"], checkpoint)
        seconds, seen = before["seconds"], before["pictures"]
    # bfloat16 is twice as quick, where the processor has it.
    brief = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    loss_of = masked_loss(network)
    network.train()
    state = State(seconds=seconds, pictures=seen, parts=(0.0, 0.0, 0.0))
    if seconds >= 60 * plan.minutes:
        return state
    began, written = time.monotonic() - seconds, time.monotonic()
    mean = torch.zeros(3)
    for number, words in enumerate(_batches(samples, seen)):
        progress = min(1.0, (time.monotonic() - began) / (60 * plan.minutes))
        warm = min(1.0, (seen / samples.batch + 1) / WARM_STEPS)
        cool = 0.5 * (1 + math.cos(math.pi * progress))
        optimizer.set_rate(plan.rate * max(cool, 0.01) * warm)
        pictures = words["img"].to(memory_format=torch.channels_last).float() / 255
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=brief):
            out = network(pictures)
        out = {key: value if key == "feats" else value.float() for key, value in out.items()}
        parts = loss_of(out, words)
        optimizer.zero_grad()
        parts.sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        steps = seen / samples.batch
        _follow(average.module, network, min(KEEP, (steps + 1) / (steps + 20)))
        seen += len(pictures)
        mean += (parts.detach() / len(pictures) - mean) * max(0.01, 1 / (number + 1))
        seconds = time.monotonic() - began
        box, kind, edge = mean.tolist()
        state = State(seconds=seconds, pictures=seen, parts=(box, kind, edge))
        step(state)
        done = seconds >= 60 * plan.minutes
        if done or time.monotonic() - written > WRITE_EVERY_S:
            written = time.monotonic()
            _save(checkpoint, network, average.module, optimizer, state)
        if done:
            break
    return state


def _started(samples: Samples, plan: Plan, before: dict[str, Any] | None, checkpoint: Path) -> Any:
    """Give the network with the weights to go on from."""
    import torch

    network = new_network(plan.layers)
    if before is not None:
        load_weights(network, before["network"], checkpoint)
    elif plan.start is not None and plan.start_layers is not None:
        smaller = new_network(plan.start_layers)
        _load(smaller, plan.start, samples)
        grow(network, smaller)
    elif plan.start is not None:
        _load(network, plan.start, samples)
    return network.to(memory_format=torch.channels_last)


def _load(network: Any, start: Path, samples: Samples) -> None:
    if start.suffix == ".onnx":
        looked = (words["img"].float() / 255 for words in islice(_batches(samples, 0), LOOKS))
        from_onnx(start, network, looked)
    else:
        load_weights(network, from_checkpoint(start)["average"], start)


def _go_on(optimizer: Muon, state: dict[str, Any], checkpoint: Path) -> None:
    try:
        optimizer.load_state_dict(state)
    except (KeyError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{checkpoint}: was trained in another way and can't be gone on with "
            f"({str(error)[:80]}); start from it with --from and another --out"
        ) from None


def _batches(samples: Samples, seen: int) -> Iterator[dict[str, Any]]:
    """Give batches, none of them twice, whatever was seen before."""
    import torch

    first = seen // samples.batch * samples.batch
    return iter(
        torch.utils.data.DataLoader(
            samples,
            batch_size=samples.batch,
            sampler=range(first, len(samples)),
            num_workers=1,
            collate_fn=batch_of,
            prefetch_factor=4,
        )
    )


def _follow(average: Any, network: Any, keep: float) -> None:
    """Move the averaged weights towards the network's; `keep` is the part that stays."""
    import torch

    with torch.no_grad():
        pairs = zip(average.state_dict().values(), network.state_dict().values(), strict=True)
        for slow, quick in pairs:
            if slow.dtype.is_floating_point:
                slow.lerp_(quick, 1 - keep)


def _save(checkpoint: Path, network: Any, average: Any, optimizer: Any, state: State) -> None:
    """Write a checkpoint; a cut while writing leaves the one before."""
    import torch

    part = checkpoint.with_suffix(".part")
    words = {
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "pictures": state.pictures,
        "seconds": state.seconds,
    }
    torch.save(words, part)
    part.replace(checkpoint)
