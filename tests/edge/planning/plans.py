"""Small plans for tests."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from edge.plan import add_arguments, run
from edge.planning.file import PlanConfig
from edge.planning.section import Places
from scene.arrays import Floats

FULL_HD = (1280, 720)
"""A detector that works on the whole picture of the cameras below."""


def plan(length_m: float = 14.0, **fields: Any) -> PlanConfig:
    """A straight, level roadway, 4.8 m wide, with one 84 degree lens."""
    floor = {"centre_line_m": [[0, 0, 0], [length_m, 0, 0]], "left_m": 2.4, "right_m": 2.4}
    content = {"version": 1, "floor": floor, "lenses": [{"hfov_deg": 84}], **fields}
    return PlanConfig.model_validate(content)


def silent(stage: str, share: float) -> None:
    """Report nothing."""


def places_at(feet_m: Floats) -> Places:
    """Places wherever one wants, in no order."""
    zeros = np.zeros(len(feet_m), np.int64)
    return Places(
        chainage_m=feet_m[:, 0],
        left_m=feet_m[:, 1],
        feet_m=feet_m,
        metre=zeros,
        step=zeros,
        lane=zeros,
        taken=np.zeros(len(feet_m), bool),
    )


def lamproom_plan(*words: str | Path) -> int:
    """Run the command as the command line does."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(word) for word in words]))
