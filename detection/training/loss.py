"""Ultralytics' detection loss, with kinds that a set does not label left out.

Knows nothing about where samples come from. torch and ultralytics are imported when asked for.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from detection.training.samples import Sample


def batch_of(samples: Sequence[Sample]) -> dict[str, Any]:
    """Stack samples into the words of the Ultralytics loss."""
    import torch

    rows = [np.full(len(sample.classes), number) for number, sample in enumerate(samples)]
    classes = np.concatenate([sample.classes for sample in samples])
    return {
        "img": torch.from_numpy(np.stack([sample.rgb for sample in samples])),
        "cls": torch.from_numpy(classes).float()[:, None],
        "bboxes": torch.from_numpy(np.concatenate([sample.boxes for sample in samples])),
        "batch_idx": torch.from_numpy(np.concatenate(rows)).float(),
        "known": torch.from_numpy(np.stack([sample.known for sample in samples])),
    }


def masked_loss(network: Any) -> Any:
    """Make a loss over the network's output and `batch_of` words: (box, class, edge) parts.

    Where a kind is not labelled in a set, finding it is neither right nor wrong.
    """
    import torch
    from ultralytics.utils.loss import v8DetectionLoss

    loss = v8DetectionLoss(network)
    plain = torch.nn.BCEWithLogitsLoss(reduction="none")
    known: list[Any] = [None]

    def bce(scores: Any, targets: Any) -> Any:
        return plain(scores, targets) * (known[0][:, None, :] | (targets > 0))

    loss.bce = bce

    def parts(out: dict[str, Any], words: dict[str, Any]) -> Any:
        known[0] = words["known"]
        return loss(out, words)[0]

    return parts
