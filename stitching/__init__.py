"""Frames in, panorama out: calibration, warp maps, exposure, blending."""
