"""Train the shipped detector from random weights, on labelled folders, and export it as ONNX.

Knows nothing about cameras or the run-time detector. Needs the extra `train` (torch, ultralytics);
both are imported only here, and only when training.
"""

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection.training_set import TRAINED_KINDS, Folder, Sample, TrainingSet, parse_folder
from scene.errors import LamproomError, ModelError

NETWORK = Path(__file__).with_name("models") / "lamproom-s1.yaml"


def batch_of(samples: Sequence[Sample]) -> dict[str, Any]:
    """Stack samples into the words of the Ultralytics loss."""
    import torch

    return {
        "img": torch.from_numpy(np.stack([s.rgb for s in samples])),
        "cls": torch.from_numpy(np.concatenate([s.classes for s in samples])).float()[:, None],
        "bboxes": torch.from_numpy(np.concatenate([s.boxes for s in samples])),
        "batch_idx": torch.from_numpy(
            np.concatenate([np.full(len(s.classes), i) for i, s in enumerate(samples)])
        ).float(),
        "known": torch.from_numpy(np.stack([s.known for s in samples])),
    }


def new_network() -> Any:
    """Build the network with random weights, with the loss weights that Ultralytics uses."""
    try:
        import ultralytics
        from ultralytics.utils import DEFAULT_CFG_DICT, IterableSimpleNamespace
    except ImportError as error:
        raise ModelError(
            f"training needs the extra `train`: pip install -e .[train] ({error})"
        ) from None
    network = ultralytics.YOLO(str(NETWORK), task="detect").model
    network.args = IterableSimpleNamespace(**DEFAULT_CFG_DICT)
    network.names = dict(enumerate(TRAINED_KINDS))
    return network


def masked_loss(network: Any) -> tuple[Any, dict[str, Any]]:
    """Make the loss; `state["known"]` (B, kinds) says whose absence from the labels counts.

    Where a kind is not labelled in a set, finding it is neither right nor wrong.
    """
    import torch
    from ultralytics.utils.loss import v8DetectionLoss

    loss = v8DetectionLoss(network)
    state: dict[str, Any] = {}
    plain = torch.nn.BCEWithLogitsLoss(reduction="none")

    def bce(scores: Any, targets: Any) -> Any:
        counts = state["known"][:, None, :] | (targets > 0)
        return plain(scores, targets) * counts

    loss.bce = bce
    return loss, state


def train(
    folders: Sequence[Folder],
    checkpoint: Path,
    *,
    minutes: float,
    size_px: tuple[int, int],
    start: Path | None = None,
    batch: int = 16,
    rate: float = 1.5e-3,
    cool: bool = True,
    threads: int = 2,
    seed: int = 0,
    without: Sequence[str] = (),
) -> None:
    """Train for a time and write `checkpoint` every two minutes and at the end.

    `start` is a checkpoint to go on from. `cool` lowers the learning rate to nothing by the end.
    """
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    network = new_network().to(memory_format=torch.channels_last)
    seen, spent = 0, 0.0
    if start is not None:
        before = torch.load(start, map_location="cpu", weights_only=True)
        network.load_state_dict(before["network"])
        seen, spent = before["pictures"], before["seconds"]
    average = torch.optim.swa_utils.AveragedModel(network, use_buffers=True)
    if start is not None:
        average.module.load_state_dict(before["average"])
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1 and p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in decayed if p.requires_grad], "weight_decay": 0.02},
            {"params": free, "weight_decay": 0.0},
        ],
        lr=rate,
        betas=(0.9, 0.999),
    )
    samples = TrainingSet(folders, size_px, seed=seed + seen, without=without)
    print(
        f"{sum(len(p) for p in samples.pictures)} pictures, drawn "
        + ", ".join(f"{f.path.name} {c:.0%}" for f, c in zip(folders, samples.chance, strict=True)),
        flush=True,
    )
    loader = torch.utils.data.DataLoader(
        samples, batch_size=batch, num_workers=1, collate_fn=batch_of, prefetch_factor=4
    )
    brief = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # bfloat16: twice as fast where had
    loss_of, state = masked_loss(network)
    network.train()
    began = written = time.monotonic()
    mean = np.zeros(3)
    for step, words in enumerate(loader):
        elapsed = time.monotonic() - began
        progress = min(1.0, elapsed / (60 * minutes))
        heat = 0.5 * (1 + math.cos(math.pi * progress)) if cool else 1.0
        for group in optimizer.param_groups:
            group["lr"] = rate * max(heat, 0.01) * min(1.0, (step + 1) / 150)
        pictures = words["img"].to(memory_format=torch.channels_last).float() / 255
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=brief):
            out = network(pictures)
        out = {k: v if k == "feats" else v.float() for k, v in out.items()}
        state["known"] = words["known"]
        parts, _ = loss_of(out, words)
        optimizer.zero_grad()
        parts.sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        follow(average.module, network, min(0.999, (seen / batch + 1) / (seen / batch + 20)))
        seen += len(pictures)
        mean += (parts.detach().numpy() / len(pictures) - mean) * max(0.01, 1 / (step + 1))
        done = progress >= 1
        if step % 50 == 0:
            print(
                f"{elapsed:6.0f} s  {seen:7d} pictures  box {mean[0]:.3f}  class {mean[1]:.3f}  "
                f"edge {mean[2]:.3f}  rate {optimizer.param_groups[0]['lr']:.1e}",
                flush=True,
            )
        if done or time.monotonic() - written > 120:
            written = time.monotonic()
            save(checkpoint, network, average.module, seen, spent + written - began)
        if done:
            break


def follow(average: Any, network: Any, keep: float) -> None:
    """Move the averaged weights towards the network's; `keep` is the part that stays."""
    import torch

    with torch.no_grad():
        pairs = zip(average.state_dict().values(), network.state_dict().values(), strict=True)
        for slow, quick in pairs:
            if slow.dtype.is_floating_point:
                slow.lerp_(quick, 1 - keep)


def save(checkpoint: Path, network: Any, average: Any, pictures: int, seconds: float) -> None:
    """Write a checkpoint; a cut while writing leaves the one before."""
    import torch

    part = checkpoint.with_suffix(".part")
    words = {"network": network.state_dict(), "average": average.state_dict()}
    torch.save({**words, "pictures": pictures, "seconds": seconds}, part)
    part.replace(checkpoint)


def export(checkpoint: Path, model: Path, size_px: tuple[int, int]) -> None:
    """Write the averaged weights of a checkpoint as ONNX: any batch, one input size."""
    import onnx
    import torch
    import ultralytics

    network = new_network()
    network.load_state_dict(
        torch.load(checkpoint, map_location="cpu", weights_only=True)["average"]
    )
    yolo = ultralytics.YOLO(str(NETWORK), task="detect")
    network.args = vars(network.args)
    yolo.model = network
    network.yaml_file = model.stem
    width, height = size_px
    folder = Path.cwd()
    written = Path(yolo.export(format="onnx", imgsz=[height, width], dynamic=True, simplify=True))
    graph = onnx.load(folder / written)
    dims = graph.graph.input[0].type.tensor_type.shape.dim
    for dim, size in zip(list(dims)[2:], (height, width), strict=True):
        dim.Clear()
        dim.dim_value = size
    onnx.checker.check_model(graph)
    model.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(graph, model)
    (folder / written).unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m detection.train",
        description="Train a person/helmet/head detector from random weights and export it.",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH[:KINDS[:WEIGHT]]",
        help="folder with images/ and labels/; KINDS are those labelled in it (person+helmet+head)",
    )
    parser.add_argument("--without", action="append", default=[], help="subfolder to leave out")
    parser.add_argument("--checkpoint", type=Path, required=True, help="written while training")
    parser.add_argument("--from", dest="start", type=Path, help="checkpoint to go on from")
    parser.add_argument("--minutes", type=float, default=60, help="0 only exports the checkpoint")
    parser.add_argument("--size", default="448x256", help="input, width x height, multiples of 32")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--keep-rate", action="store_true", help="more training will follow")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--export", type=Path, help="ONNX file to write at the end")
    given = parser.parse_args(arguments)
    try:
        width, height = (int(n) for n in given.size.split("x"))
        if given.minutes > 0:
            train(
                [parse_folder(text) for text in given.set],
                given.checkpoint,
                minutes=given.minutes,
                size_px=(width, height),
                start=given.start,
                batch=given.batch,
                rate=given.rate,
                cool=not given.keep_rate,
                threads=given.threads,
                seed=given.seed,
                without=given.without,
            )
        if given.export:
            export(given.checkpoint, given.export, (width, height))
    except LamproomError as error:
        print(f"lamproom: {error}")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
