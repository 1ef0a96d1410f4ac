"""Find printed markers (ArUco, AprilTag) in a picture, their corners to a fraction of a pixel.

Knows nothing about where markers are in the mine.
"""

import cv2
import numpy as np

from scene.arrays import Bytes, Floats
from scene.site import MarkerFamily

DICTIONARIES: dict[MarkerFamily, int] = {
    "apriltag_16h5": cv2.aruco.DICT_APRILTAG_16H5,
    "apriltag_25h9": cv2.aruco.DICT_APRILTAG_25H9,
    "apriltag_36h10": cv2.aruco.DICT_APRILTAG_36H10,
    "apriltag_36h11": cv2.aruco.DICT_APRILTAG_36H11,
    "aruco_4x4_50": cv2.aruco.DICT_4X4_50,
    "aruco_5x5_50": cv2.aruco.DICT_5X5_50,
    "aruco_6x6_50": cv2.aruco.DICT_6X6_50,
    "aruco_original": cv2.aruco.DICT_ARUCO_ORIGINAL,
}


def find_markers(luma: Bytes, family: MarkerFamily) -> dict[int, Floats]:
    """Find markers in (H, W) luma: by number, (4, 2) pixels of its corners.

    In the order top left, top right, bottom right, bottom left of the upright marker. A number
    that is found twice is left out: nobody can tell which one was surveyed.
    """
    settings = cv2.aruco.DetectorParameters()
    settings.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARIES[family])
    detector = cv2.aruco.ArucoDetector(dictionary, settings)
    # Local contrast first: markers hang in the dark, and lamps blind.
    even = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(np.ascontiguousarray(luma))
    corners, numbers, _ = detector.detectMarkers(even)
    if numbers is None:
        return {}
    found = [int(number) for number in numbers.ravel()]
    return {
        number: np.asarray(pixels.reshape(4, 2), float)
        for number, pixels in zip(found, corners, strict=True)
        if found.count(number) == 1
    }
