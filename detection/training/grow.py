"""Plant a trained network's weights in a wider and deeper one that does the same at first.

Knows nothing about training. The idea is Net2Net's (T. Chen and others, 2016): the larger network
computes the same function, and has room to learn more. Channels keep their places at the front,
new ones start at random, and what is old does not listen to them yet; further blocks in a row start
as if they were not there.
"""

from typing import Any

from scene.errors import ModelError


def grow(larger: Any, trained: Any) -> None:
    """Write the weights of `trained` into `larger`, in place.

    Both are networks of Conv, C3k2, SPPF, Upsample, Concat and Detect layers in the same order.
    Raises ModelError where `larger` has no room for a layer.
    """
    widths = _widths(larger)
    places: list[Any] = []
    for new, old in zip(larger.model, trained.model, strict=True):
        if type(new) is not type(old):
            raise ModelError(
                f"layer {new.i} is {type(new).__name__}, and {type(old).__name__} in the network "
                "to start from; give layers of the same kinds in the same order"
            )
        try:
            places.append(_plant(new, old, _sources(new, places, widths)))
        except (IndexError, RuntimeError) as error:
            raise ModelError(
                f"layer {new.i} ({type(new).__name__}) is smaller than in the network to start "
                f"from: {str(error)[:120]}"
            ) from None


def _sources(layer: Any, places: list[Any], widths: dict[int, int]) -> list[tuple[Any, int]]:
    """Give for each input of a layer where the old channels lie in it, and how many there are."""
    import torch

    if layer.i == 0:
        return [(torch.arange(3), 3)]
    froms = [layer.f] if isinstance(layer.f, int) else layer.f
    numbers = [one if one >= 0 else layer.i + one for one in froms]
    return [(places[number], widths[number]) for number in numbers]


def _plant(new: Any, old: Any, sources: list[tuple[Any, int]]) -> Any:
    """Write one layer; gives where its old output channels lie among the new ones."""
    import torch

    kind, (columns, _) = type(new).__name__, sources[0]
    if kind == "Conv":
        return _conv(new, old, columns)
    if kind == "C3k2":
        return _c3k2(new, old, columns)
    if kind == "SPPF":
        return _sppf(new, old, columns)
    if kind == "Upsample":
        return columns
    if kind == "Concat":
        starts = [sum(width for _, width in sources[:index]) for index in range(len(sources))]
        return torch.cat([place + start for (place, _), start in zip(sources, starts, strict=True)])
    if kind == "Detect":
        for branch_new, branch_old in ((new.cv2, old.cv2), (new.cv3, old.cv3)):
            for index, (place, _) in enumerate(sources):
                _row_of(branch_new[index], branch_old[index], place)
        return None
    raise ModelError(f"layer {new.i}: a layer of kind {kind} can't be grown")


def _row_of(new: Any, old: Any, columns: Any) -> Any:
    for one, other in zip(new, old, strict=True):
        follow = _row_of if type(one).__name__ == "Sequential" else _conv
        columns = follow(one, other, columns)
    return columns


def _c3k2(new: Any, old: Any, columns: Any) -> Any:
    import torch

    few, many = old.c, new.c
    if len(new.m) < len(old.m):
        raise IndexError(f"{len(new.m)} blocks, not {len(old.m)}")
    rows = torch.cat([torch.arange(few), torch.arange(many, many + few)])
    _write(new.cv1, old.cv1, columns, rows)
    for one, other in zip(new.m, old.m, strict=False):  # further blocks are not heard yet
        _conv(one.cv2, other.cv2, _conv(one.cv1, other.cv1, torch.arange(few)))
    parts = [torch.arange(few) + many * index for index in range(2 + len(old.m))]
    return _conv(new.cv2, old.cv2, torch.cat(parts))


def _sppf(new: Any, old: Any, columns: Any) -> Any:
    import torch

    rows = _conv(new.cv1, old.cv1, columns)
    parts = old.cv2.conv.weight.shape[1] // len(rows)
    wide = new.cv1.conv.weight.shape[0]
    return _conv(new.cv2, old.cv2, torch.cat([rows + wide * index for index in range(parts)]))


def _conv(new: Any, old: Any, columns: Any) -> Any:
    import torch

    weight = (old.conv if hasattr(old, "conv") else old).weight
    return _write(new, old, columns, torch.arange(weight.shape[0]))


def _write(new: Any, old: Any, columns: Any, rows: Any) -> Any:
    """Write one convolution and its normalisation; gives where its old outputs lie."""
    import torch

    into, source = (one.conv if hasattr(one, "conv") else one for one in (new, old))
    if into.groups > 1:  # channel by channel: what goes in comes out at the same place
        rows = columns
    with torch.no_grad():
        if into.groups > 1:
            into.weight[rows] = source.weight
        else:
            planted = torch.zeros_like(into.weight[rows])
            planted[:, columns] = source.weight
            into.weight[rows] = planted
        if into.bias is not None:
            into.bias[rows] = source.bias
        if hasattr(new, "bn"):
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(new.bn, name)[rows] = getattr(old.bn, name)
    return rows


def _widths(network: Any) -> dict[int, int]:
    """Tell how many channels each layer gives."""
    import torch

    found: dict[int, int] = {}

    def note(layer: Any, _given: Any, out: Any) -> None:
        if torch.is_tensor(out):
            found[layer.i] = out.shape[1]

    hooks = [layer.register_forward_hook(note) for layer in network.model]
    training = network.training
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, 3, 64, 64))
    network.train(training)
    for hook in hooks:
        hook.remove()
    return found
