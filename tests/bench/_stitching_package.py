"""Composes with the PyPI package `stitching`, in an environment of its own; knows nothing of ours.

Started with a `.npz` of pictures (BGR) and known cameras. Says in one JSON line what it registered,
then answers each line on its input with the thread's seconds that one composition took. Cameras,
seams, masks and gains are kept: what is left is what the package must do for every frame.
"""

import json
import sys
import time

import cv2
import numpy as np

from stitching import Stitcher
from stitching.images import Images


def main() -> None:
    """Prepare, then compose when told."""
    cv2.setNumThreads(1)
    given = np.load(sys.argv[1])
    pictures = list(given["pictures"])
    whole = Stitcher(crop=False, confidence_threshold=0.5)
    cameras, registered = _registered(whole, pictures)
    if len(cameras) < len(pictures):
        cameras = _known(given["focal_px"], given["rotations"], pictures[0].shape)
        whole.images = Images.of(pictures, -1, whole.low_megapix, whole.final_megapix)
        whole.images.resize(Images.Resolution.MEDIUM)
    compose = _prepared(whole, pictures, cameras)
    height, width = compose().shape[:2]
    print(json.dumps({"registered": registered, "size_px": [width, height]}), flush=True)
    for _ in sys.stdin:
        started = time.thread_time()
        compose()
        print(time.thread_time() - started, flush=True)


def _registered(whole, pictures):
    """Give the cameras that the package finds by itself, and how many pictures it keeps."""
    cv2.setRNGSeed(1)
    try:
        whole.images = Images.of(
            pictures, whole.medium_megapix, whole.low_megapix, whole.final_megapix
        )
        small = whole.resize_medium_resolution()
        features = whole.find_features(small)
        matches = whole.match_features(features)
        small, features, matches = whole.subset(small, features, matches)
        cameras = whole.estimate_camera_parameters(features, matches)
        cameras = whole.refine_camera_parameters(features, matches, cameras)
        return whole.perform_wave_correction(cameras), len(small)
    except Exception as error:  # whatever it is, it does not register these pictures
        print(f"registration failed: {error}", file=sys.stderr)
        return [], 0


def _known(focal_px, rotations, shape):
    """Make the package's cameras from a known rig, so that it has as much to compose as others."""
    cameras = []
    for focal, rotation in zip(focal_px, rotations, strict=True):
        camera = cv2.detail.CameraParams()
        camera.focal, camera.aspect = float(focal), 1.0
        camera.ppx, camera.ppy = shape[1] / 2, shape[0] / 2
        camera.R = rotation.astype(np.float32)
        cameras.append(camera)
    return cameras


def _prepared(whole, pictures, cameras):
    """Do once what can be kept: seams, masks, gains."""
    whole.estimate_scale(cameras)
    low = whole.resize_low_resolution()
    low, masks, corners, sizes = whole.warp_low_resolution(low, cameras)
    whole.prepare_cropper(low, masks, corners, sizes)
    whole.estimate_exposure_errors(corners, low, masks)
    seams = whole.find_seam_masks(low, corners, masks)
    final = list(whole.resize_final_resolution())
    _, masks, corners, sizes = whole.warp_final_resolution(final, cameras)
    masks = list(masks)
    seams = [type(whole.seam_finder).resize(a, b) for a, b in zip(seams, masks, strict=True)]
    aspect = whole.images.get_ratio(Images.Resolution.MEDIUM, Images.Resolution.FINAL)

    def compose():
        warped = whole.warper.warp_images(pictures, cameras, aspect)
        whole.initialize_composition(corners, sizes)
        lit = (
            whole.compensator.apply(index, corner, picture, mask)
            for index, (corner, picture, mask) in enumerate(
                zip(corners, warped, masks, strict=True)
            )
        )
        whole.blend_images(lit, seams, corners)
        return whole.create_final_panorama()

    return compose


if __name__ == "__main__":
    main()
