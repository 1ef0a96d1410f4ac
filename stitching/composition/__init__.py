"""Painting every pixel of the panorama, every frame."""
