"""The network that is trained: built anew, or from a checkpoint or an ONNX file of the same layers.

Knows nothing about pictures on disk or the loss. torch and ultralytics are imported when asked for.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from detection.labelled import TRAINED_KINDS
from scene.errors import ModelError

LAYERS = Path(__file__).parents[1] / "models" / "lamproom-m.yaml"
"""Those of the shipped model."""


def new_network(layers: Path = LAYERS) -> Any:
    """Build the network with random weights, with the loss weights that Ultralytics uses."""
    if not layers.is_file():
        raise ModelError(f"{layers}: there is no such file of layers")
    try:
        import ultralytics
        from ultralytics.utils import DEFAULT_CFG_DICT, IterableSimpleNamespace
    except ImportError as error:
        raise ModelError(
            f"training needs the extra `train`: pip install 'lamproom[train]' ({error})"
        ) from None
    try:
        network = ultralytics.YOLO(str(layers), task="detect").model
    except Exception as error:  # whatever the file made it do
        raise ModelError(f"{layers}: no network can be built of it: {str(error)[:200]}") from None
    if network.yaml["nc"] != len(TRAINED_KINDS):
        raise ModelError(f"{layers}: nc is {network.yaml['nc']}, not {len(TRAINED_KINDS)}")
    network.args = IterableSimpleNamespace(**DEFAULT_CFG_DICT)
    network.names = dict(enumerate(TRAINED_KINDS))
    return network


def layers_of(network: Any) -> str:
    """Name the file that a network was built from."""
    return Path(network.yaml["yaml_file"]).name


def from_onnx(path: Path, network: Any, pictures: Iterable[Any]) -> None:
    """Take over the weights of an export with the same layers, in place.

    An export has its normalisations folded into the convolutions; `pictures`, batches of
    (B, 3, H, W) floats, tell what each one sees, so that they can be unfolded again: the function
    stays the same, and can be trained on.
    """
    import onnx
    import torch
    from onnx import numpy_helper

    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # protobuf's errors have no common class
        raise ModelError(f"{path}: can't be read as ONNX: {str(error)[:200]}") from None
    tables = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    norms = {}
    for name, module in network.named_modules():
        if not isinstance(module, torch.nn.Conv2d) or name.endswith(".dfl.conv"):
            continue
        weight, bias = tables.get(f"{name}.weight"), tables.get(f"{name}.bias")
        if weight is None or bias is None or weight.shape != tuple(module.weight.shape):
            raise ModelError(
                f"{path}: its layers are not those of {layers_of(network)} (no fitting {name}); "
                "give a checkpoint or an export of `lamproom train`"
            )
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(np.array(weight, np.float32)))
            shift = torch.from_numpy(np.array(bias, np.float32))
            if module.bias is not None:
                module.bias.copy_(shift)
                continue
            norm = network.get_submodule(f"{name.rpartition('.')[0]}.bn")
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
            norm.weight.fill_(1.0)
            norm.bias.copy_(shift)
            norms[name] = norm
    _unfold(network, norms, pictures)


def _unfold(network: Any, norms: dict[str, Any], pictures: Iterable[Any]) -> None:
    """Give the normalisations the mean and spread of what they see, the function unchanged."""
    import torch

    sums = {
        name: torch.zeros(3, norm.num_features, dtype=torch.float64) for name, norm in norms.items()
    }

    def looking(one: Any) -> Any:
        def look(_module: Any, given: tuple[Any, ...]) -> None:
            values = given[0].double()
            one[0] += values.numel() / values.shape[1]
            one[1] += values.sum(dim=(0, 2, 3))
            one[2] += values.square().sum(dim=(0, 2, 3))

        return look

    hooks = [norm.register_forward_pre_hook(looking(sums[name])) for name, norm in norms.items()]
    network.eval()
    with torch.no_grad():
        for batch in pictures:
            network(batch)
        for name, norm in norms.items():
            count, total, squares = sums[name]
            mean = total / count
            spread = (squares / count - mean.square()).clamp_min(1e-6)
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(spread)
            norm.weight.copy_((spread + norm.eps).sqrt())
            norm.bias.add_(mean)
    for hook in hooks:
        hook.remove()


def from_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `lamproom train` wrote: its weights, and how long it has been trained."""
    import torch

    try:
        words: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if not {"network", "average", "pictures", "seconds"} <= set(words):
            raise ValueError("it holds something else")
    except Exception as error:  # torch's errors have no common class
        raise ModelError(
            f"{path}: not a checkpoint of `lamproom train`: {str(error)[:200]}"
        ) from None
    return words


def load_weights(network: Any, weights: dict[str, Any], path: Path) -> None:
    """Put a checkpoint's weights into a network with the same layers."""
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(
            f"{path}: its layers are not those of {layers_of(network)}: {str(error)[:200]}"
        ) from None
