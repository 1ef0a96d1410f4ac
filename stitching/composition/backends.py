"""Open the backend that a site asks for, or say why it is another one.

Knows nothing about how any of them paints. `onnxruntime` is imported only when it is asked for.
"""

from scene.site import PanoramaConfig
from stitching.composition.backend import Backend, BackendError
from stitching.composition.compose import OpenCvBackend
from stitching.exposure import GainMaps
from stitching.maps import CameraMap


def open_backend(
    config: PanoramaConfig,
    maps: list[CameraMap],
    gains: list[GainMaps],
    sizes_px: list[tuple[int, int]],
    size_px: tuple[int, int],
) -> Backend:
    """Open `config.backend` for cameras' tables and gains, their sizes, and the panorama's.

    A gateway goes on without its GPU: then OpenCV paints, and `degraded` says why.
    """
    if config.backend == "opencv":
        return OpenCvBackend(maps, gains, sizes_px, size_px)
    from stitching.composition.onnx_compose import OnnxBackend

    try:
        return OnnxBackend(
            maps, gains, sizes_px, size_px, "cpu" if config.backend == "onnx-cpu" else "cuda"
        )
    except BackendError as error:
        instead = OpenCvBackend(maps, gains, sizes_px, size_px)
        instead.degraded = f"{error}; OpenCV paints the panorama instead"
        return instead
