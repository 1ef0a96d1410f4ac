"""The graph that paints a panorama: uint8 planes in, uint8 planes out.

Knows nothing about seams, gains or ONNX Runtime. Everything that a rig's calibration, its seams or
the light decide is an input, so that one graph serves a rig for good and nothing is folded away.

For luma, and likewise for the two chroma planes together:

    panorama = round(clip(rest + sum over cameras of share * look-up of its plane))
"""

import numpy as np

from stitching.composition.areas import Box
from stitching.composition.layer import PlaneMap
from stitching.composition.onnx_model import Graph

LUMA, CHROMA = "luma", "chroma"
CHANNELS = {LUMA: 1, CHROMA: 2}
"""U and V are looked up at the same places: two channels of one picture."""


def plane(kind: str, camera: int) -> str:
    """Name the input (1, C, h, w) uint8: a camera's planes."""
    return f"{kind}_plane_{camera}"


def grid(kind: str, camera: int) -> str:
    """Name the input (1, H, W, 2) float32: where it is looked up, -1..1 from centre to centre."""
    return f"{kind}_grid_{camera}"


def share(kind: str, camera: int) -> str:
    """Name the input (1, 1, H, W) float32: weight times gain, over the camera's box."""
    return f"{kind}_share_{camera}"


def rest(kind: str) -> str:
    """Name the input (1, 1, H, W) float32: what does not depend on any picture."""
    return f"{kind}_rest"


def build(planes: dict[str, list[PlaneMap]], sizes_px: dict[str, tuple[int, int]]) -> Graph:
    """Build the graph for cameras' tables and the panorama's size, by kind of plane."""
    graph = Graph()
    low = graph.constant("low", np.array(0, np.float32))
    high = graph.constant("high", np.array(255, np.float32))
    for kind, maps in planes.items():
        width, height = sizes_px[kind]
        parts = [_part(graph, kind, index, one, (width, height)) for index, one in enumerate(maps)]
        parts.append(graph.input(rest(kind), "float32", (1, 1, height, width)))
        total = graph.node("Sum", parts, f"{kind}_sum")
        clipped = graph.node("Clip", [total, low, high], f"{kind}_clipped")
        rounded = graph.node("Round", [clipped], f"{kind}_rounded")
        graph.node("Cast", [rounded], kind, to=2)
        graph.output(kind, "uint8", (1, CHANNELS[kind], height, width))
    return graph


def _part(graph: Graph, kind: str, camera: int, maps: PlaneMap, size_px: tuple[int, int]) -> str:
    """Add what one camera gives, over the whole panorama."""
    (width, height), (rows, columns) = maps.size_px, maps.x.shape
    given = graph.input(plane(kind, camera), "uint8", (1, CHANNELS[kind], height, width))
    where = graph.input(grid(kind, camera), "float32", (1, rows, columns, 2))
    much = graph.input(share(kind, camera), "float32", (1, 1, rows, columns))
    name = f"{kind}_{camera}"
    real = graph.node("Cast", [given], f"{name}_real", to=1)
    found = graph.node(
        "GridSample",
        [real, where],
        f"{name}_found",
        mode="bilinear",
        padding_mode="border",
        align_corners=1,
    )
    lit = graph.node("Mul", [found, much], f"{name}_lit")
    edges = graph.constant(f"{name}_edges", _edges(maps.box, size_px))
    return graph.node("Pad", [lit, edges], f"{name}_wide")


def _edges(box: Box, size_px: tuple[int, int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Give what lies outside a camera's box: before and after, for each of four dimensions."""
    x0, y0, x1, y1 = box
    return np.array([0, 0, y0, x0, 0, 0, size_px[1] - y1, size_px[0] - x1], np.int64)
