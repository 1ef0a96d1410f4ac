"""Calibrating: pictures and survey in, cameras out."""
