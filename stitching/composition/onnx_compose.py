"""Paint the panorama with ONNX Runtime: on a CUDA GPU, or on the CPU where that is asked for.

Knows nothing about where maps, seams and gains come from. All but the pictures stays in the
device's memory, and is sent there again only when seams or gains have changed.
"""

from typing import Any

import numpy as np

from scene.messages import YuvImage
from stitching.composition import onnx_graph
from stitching.composition.areas import Area, Box, halved, touches
from stitching.composition.backend import GREY, UNSEEN_LUMA
from stitching.composition.layer import PlaneMap, plane_maps, quarter, quarters_again
from stitching.composition.onnx_graph import CHROMA, LUMA
from stitching.composition.onnx_session import PROVIDERS, Device, open_session
from stitching.exposure import UNIT, GainMaps
from stitching.maps import OUTSIDE, CameraMap, Maps


class OnnxBackend:
    """Paints by one graph for the whole rig."""

    def __init__(
        self,
        maps: list[CameraMap],
        gains: list[GainMaps],
        sizes_px: list[tuple[int, int]],
        size_px: tuple[int, int],
        device: Device,
    ) -> None:
        """Take the cameras' tables, which stay as they are, and gains, which change in place.

        `sizes_px` are the cameras' widths and heights, `size_px` the panorama's. Raises
        `BackendError` if the device can't be had or would not run every node.
        """
        luma, chroma = plane_maps(maps, gains, sizes_px)
        self.planes = {LUMA: luma, CHROMA: chroma}
        self.sizes_px = {LUMA: size_px, CHROMA: (size_px[0] // 2, size_px[1] // 2)}
        graph = onnx_graph.build(self.planes, self.sizes_px)
        self.session = open_session(graph.model(), device)
        self.grids = {
            onnx_graph.grid(kind, index): self.session.upload(_grid(one))
            for kind, all_maps in self.planes.items()
            for index, one in enumerate(all_maps)
        }
        self.pictures = {
            given.name: self.session.upload(np.zeros(given.shape, np.uint8))
            for given in graph.inputs
            if given.dtype == "uint8"
        }
        self.generations = [0] * len(maps)
        """How often each camera's gains have changed."""
        version = self.session.runtime.__version__
        self.runs_on = f"ONNX Runtime {version} on {PROVIDERS[device]}"
        self.degraded = ""

    def gains_changed(self, camera: int) -> None:
        """Hear that a camera's gain maps were written anew."""
        self.generations[camera] += 1

    def recipe(self, weights: list[Maps]) -> "OnnxRecipe":
        """Send these weights to the device."""
        quarters = [quarter(weight) for weight in weights]
        luma = _Shares(self, LUMA, weights, UNSEEN_LUMA, {})
        return OnnxRecipe(self, luma, _Shares(self, CHROMA, quarters, GREY, {}), quarters)


class OnnxRecipe:
    """How the panorama is painted with one lay-out of seams."""

    def __init__(
        self, backend: OnnxBackend, luma: "_Shares", chroma: "_Shares", quarters: list[Maps]
    ) -> None:
        self._backend, self._luma, self._chroma = backend, luma, chroma
        self._quarters = quarters

    def paint(self, images: dict[int, YuvImage]) -> YuvImage:
        """Paint the panorama of pictures by camera index."""
        pictures = self._backend.pictures
        for index, image in images.items():
            luma = np.ascontiguousarray(image.y)[None, None]
            pictures[onnx_graph.plane(LUMA, index)].update_inplace(luma)
            both = np.stack([image.u, image.v])[None]
            pictures[onnx_graph.plane(CHROMA, index)].update_inplace(both)
        inputs = pictures | self._backend.grids | self._luma.inputs() | self._chroma.inputs()
        width, height = self._backend.sizes_px[LUMA]
        y = np.empty((1, 1, height, width), np.uint8)
        both = np.empty((1, 2, height // 2, width // 2), np.uint8)
        self._backend.session.run(inputs, {LUMA: y, CHROMA: both})
        return YuvImage(y=y[0, 0], u=both[0, 0], v=both[0, 1])

    def moved(self, weights: list[Maps], boxes: list[Box]) -> "OnnxRecipe":
        """Send anew only the weights of cameras that see into the boxes."""
        small = [halved(box) for box in boxes]
        covered = [one.box for one in self._backend.planes[CHROMA]]
        quarters = quarters_again(self._quarters, weights, covered, small)
        return OnnxRecipe(
            self._backend,
            self._luma.moved(weights, boxes),
            self._chroma.moved(quarters, small),
            quarters,
        )


class _Shares:
    """What cameras give to one kind of plane: weights times gains, on the device."""

    def __init__(
        self,
        backend: OnnxBackend,
        kind: str,
        weights: list[Maps],
        grey: int,
        kept: dict[int, Maps],
    ) -> None:
        """Take weights over cameras' boxes, and those of earlier ones, made whole, that hold."""
        self._backend, self._kind, self._grey = backend, kind, grey
        self._maps: list[PlaneMap] = backend.planes[kind]
        width, height = backend.sizes_px[kind]
        total = np.zeros((height, width), np.float32)
        for one, weight in zip(self._maps, weights, strict=True):
            total[_area(one.box)] += weight
        total[total <= 0] = 1
        self._whole = [
            kept[index] if index in kept else _seen(one, weight / total[_area(one.box)])
            for index, (one, weight) in enumerate(zip(self._maps, weights, strict=True))
        ]
        self._sent: dict[int, tuple[int, Any]] = {}
        self._rest: Any = None

    def inputs(self) -> dict[str, Any]:
        """Give the graph's inputs; what gains have changed since is sent first."""
        for index, generation in enumerate(self._backend.generations):
            if index not in self._sent or self._sent[index][0] != generation:
                self._sent[index] = generation, self._send(self._share(index))
                self._rest = None
        if self._rest is None:
            self._rest = self._send(self._left_over())
        named = {onnx_graph.share(self._kind, i): t for i, (_, t) in self._sent.items()}
        return named | {onnx_graph.rest(self._kind): self._rest}

    def moved(self, weights: list[Maps], boxes: list[Box]) -> "_Shares":
        """Keep what was sent of cameras that see into none of the boxes."""
        same = [
            index
            for index, one in enumerate(self._maps)
            if not any(touches(_area(one.box), box) for box in boxes)
        ]
        whole = {index: self._whole[index] for index in same}
        new = _Shares(self._backend, self._kind, weights, self._grey, whole)
        new._sent = {index: self._sent[index] for index in same if index in self._sent}
        return new

    def _share(self, index: int) -> Maps:
        gain = self._maps[index].gain.astype(np.float32) / np.float32(UNIT)
        return self._whole[index] * gain

    def _left_over(self) -> Maps:
        """Give the grey where nobody looks, and for chroma what gains take away of it."""
        width, height = self._backend.sizes_px[self._kind]
        rest = np.ones((height, width), np.float32)
        for index, one in enumerate(self._maps):
            given = self._share(index) if self._kind == CHROMA else self._whole[index]
            rest[_area(one.box)] -= given
        # Rounding leaves traces of grey where weights add up to one: they are far below a level.
        return rest * np.float32(self._grey)

    def _send(self, table: Maps) -> Any:
        return self._backend.session.upload(table[None, None])


def _area(box: Box) -> Area:
    x0, y0, x1, y1 = box
    return slice(y0, y1), slice(x0, x1)


def _seen(maps: PlaneMap, weight: Maps) -> Maps:
    """Give no weight to what a camera does not see: there it shows the grey of its border."""
    return np.where(maps.x == OUTSIDE, 0, weight).astype(np.float32)


def _grid(maps: PlaneMap) -> Maps:
    """Give positions as GridSample wants them: -1 and 1 are the outer samples' centres."""
    width, height = maps.size_px
    x = maps.x / np.float32((width - 1) / 2) - 1
    y = maps.y / np.float32((height - 1) / 2) - 1
    return np.stack([x, y], axis=-1)[None].astype(np.float32)
