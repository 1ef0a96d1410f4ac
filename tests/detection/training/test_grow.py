"""A larger network begins where a smaller one ended, and the optimizer goes on after a cut.

Needs torch and ultralytics, which the extra `train` brings; else skipped.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ultralytics")

from detection.training.grow import grow  # noqa: E402
from detection.training.network import LAYERS, new_network  # noqa: E402
from detection.training.optimizer import Muon, _orthogonal  # noqa: E402
from scene.errors import ModelError  # noqa: E402

torch.set_num_threads(1)


def wider(folder: Path, width: str = "0.5", depth: str = "1.0") -> Path:
    text = LAYERS.read_text(encoding="utf-8").replace("n: [0.50, 0.25, 1024]", "n: [D, W, 1024]")
    path = folder / "wider.yaml"
    path.write_text(text.replace("D,", f"{depth},").replace("W,", f"{width},"))
    return path


def settled(network: Any) -> Any:
    """Give the normalisations something of their own, as training would."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    return network.eval()


def test_a_grown_network_does_the_same_as_the_smaller_one(tmp_path: Path) -> None:
    torch.manual_seed(1)
    small, large = settled(new_network()), settled(new_network(wider(tmp_path)))
    grow(large, small)
    picture = torch.rand(2, 3, 96, 128)
    with torch.no_grad():
        one, other = small(picture)[0], large(picture)[0]
    assert sum(p.numel() for p in large.parameters()) > 3 * sum(
        p.numel() for p in small.parameters()
    )
    assert float((one - other).abs().max()) < 1e-3
    # What is new can learn: the old parts' new inputs get gradients.
    large.train()
    out = large(picture)
    sum(value.float().square().mean() for key, value in out.items() if key != "feats").backward()
    fresh = large.model[1].conv.weight.grad[:32, 16:]
    assert float(fresh.abs().max()) > 0


def test_a_smaller_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="smaller"):
        grow(new_network(wider(tmp_path, "0.125", "0.5")), new_network())


def test_steps_are_orthogonal_whatever_the_gradient() -> None:
    torch.manual_seed(2)
    skewed = torch.randn(24, 60) * torch.logspace(0, -2, 24)[:, None]
    values = np.linalg.svd(_orthogonal(skewed).numpy(), compute_uv=False)
    assert values.min() > 0.5
    assert values.max() < 1.4


def test_the_optimizer_goes_on_where_it_was() -> None:
    def steps(layer: Any, optimizer: Muon, count: int) -> None:
        for index in range(count):
            torch.manual_seed(index)
            optimizer.zero_grad()
            layer(torch.rand(2, 3, 8, 8)).square().mean().backward()
            optimizer.step()

    def start() -> tuple[Any, Muon]:
        torch.manual_seed(3)
        layer = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
        return layer, Muon(layer.parameters(), 0.01)

    whole, optimizer = start()
    steps(whole, optimizer, 4)
    steps(whole, optimizer, 3)
    cut, first = start()
    steps(cut, first, 4)
    again, second = start()
    again.load_state_dict(cut.state_dict())
    second.load_state_dict(first.state_dict())
    steps(again, second, 3)
    for name, value in whole.state_dict().items():
        assert torch.allclose(value, again.state_dict()[name], atol=1e-6), name
    with pytest.raises(KeyError):
        second.load_state_dict({"state": {}, "param_groups": []})
