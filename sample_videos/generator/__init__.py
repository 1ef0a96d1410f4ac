"""Renders the sample mine: still views path-traced once, people drawn into them per frame.

Knows nothing about stitching, detection, location or the edge; the product never imports it.
"""

GENERATOR_VERSION = "2"
"""Goes up whenever the same scene file gives different truth."""
