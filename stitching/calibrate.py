"""Find out how a site's cameras hang together and where: pictures and survey in, rig out.

Knows nothing about files or cameras; the same pictures give the same rig.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from scene.arrays import Bools, Bytes, Floats
from scene.errors import RigError
from scene.geometry import CameraModel, distort, undistort
from scene.messages import YuvImage
from scene.rig import Rig
from scene.site import PanoramaConfig, RigConfig
from stitching import features
from stitching.anchor import (
    anchor_by_mount,
    anchor_by_survey,
    check_survey,
    placed,
    rotation_of_camera,
)
from stitching.bundle import (
    Problem,
    State,
    Survey,
    cameras_of,
    lens_prior,
    pose_covariances,
    refine,
    start_state,
    survey_error,
    transfer_error,
)
from stitching.features import Matches
from stitching.layout import choose_surface
from stitching.rotation import (
    FISHEYE_GUESSES_DEG,
    HFOV_GUESSES_DEG,
    Turn,
    chain,
    guess_lens,
    ideal_camera,
    turn_of_pair,
)

Progress = Callable[[str, float], None]

MAX_SURVEY_MISS = 0.015
"""Of the picture's width: a surveyed point further off than this is a mistake."""
MIN_POINTS_OF_CAMERA = 3
"""So many surveyed points register a camera that shares nothing with its neighbours."""


def calibrate(
    images: dict[str, list[YuvImage]],
    config: RigConfig,
    panorama: PanoramaConfig,
    progress: Progress | None = None,
) -> Rig:
    """Calibrate a rotation rig from a few pictures per camera.

    Lens, rotations and, from `survey_points`, the place are refined together by robust least
    squares; with a `mount` the rig hangs where that says, as surely as that says. Raises
    `RigError` that names the camera or the point and the remedy.
    """
    report = progress or _silent
    lumas = _lumas(images)
    names = list(lumas)
    sizes = [(luma.shape[1], luma.shape[0]) for luma in lumas.values()]
    survey = _survey(config, names)
    pairs = _pairs(lumas, report)
    report("guessing the lens", 0.55)
    cameras, linked = _first_guess(
        names=names, sizes=sizes, pairs=pairs, survey=survey, config=config
    )
    pairs = [pair for pair in pairs if pair.first in linked and pair.second in linked]
    prior, sigma = lens_prior(cameras, config.lens.hfov_deg is not None)
    problem = Problem(
        names=tuple(names),
        sizes_px=tuple(sizes),
        lens=config.lens.model,
        pairs=tuple(_true_pairs(cameras, pairs)),
        survey=None,
        prior=prior,
        prior_sigma=sigma,
    )
    state = start_state(problem, cameras)
    kept: list[Bools] = []
    if problem.pairs:
        state, kept = refine(problem, state, lambda share: report("refining", 0.6 + 0.3 * share))
    report("anchoring", 0.9)
    if survey is not None:
        problem, state, kept = _anchored(problem, state, survey, linked)
        moved = cameras_of(problem, state)
        covariances = pose_covariances(problem, state, kept)
        moved = [
            replace(camera, pose_covariance=covariance)
            for camera, covariance in zip(moved, covariances, strict=True)
        ]
        _check_fit(moved, survey)
    else:
        assert config.mount is not None
        moved = anchor_by_mount(cameras_of(problem, state), config.mount)
    moved = [replace(camera, max_angle_rad=usable_angle(camera)) for camera in moved]
    rig = Rig(
        cameras=tuple(moved),
        surface=choose_surface(moved, panorama),
        anchor="survey" if survey is not None else "mount",
        quality=_quality(moved, list(problem.pairs), kept, survey),
    )
    report("done", 1.0)
    return rig


def usable_angle(camera: CameraModel) -> float:
    """Give the widest angle off the axis up to which the lens model can be trusted, rad.

    The picture's corners, or where the polynomial folds back, if that comes first.
    """
    width, height = camera.size_px
    u, v = np.meshgrid(np.linspace(0, width - 1, 33), np.linspace(0, height - 1, 33))
    pixels = np.column_stack([u.ravel(), v.ravel()])
    ahead = undistort(camera, pixels)
    angle = np.arctan2(np.hypot(ahead[:, 0], ahead[:, 1]), ahead[:, 2])
    true = np.linalg.norm(distort(camera, ahead) - pixels, axis=1) < 0.5
    widest = float(angle[true].max()) * 1.002 if true.any() else 0.1
    return min(widest, _fold(camera))


def _fold(camera: CameraModel) -> float:
    """Give the angle at which a ray further out lands no further out, rad."""
    limit = 3.1 if camera.lens == "fisheye" else 1.5
    angles = np.linspace(1e-3, limit, 2000)
    rays = np.column_stack([np.sin(angles), np.zeros_like(angles), np.cos(angles)])
    plain = replace(
        camera,
        distortion=camera.distortion * np.array([1, 1, 0, 0, 1])
        if camera.lens == "brown"
        else camera.distortion,
    )
    out = distort(plain, rays)[:, 0]
    folds = np.flatnonzero(np.diff(out) <= 0)
    return float(angles[folds[0]] * 0.995) if len(folds) else limit


def _silent(stage: str, share: float) -> None:
    pass


def _lumas(images: dict[str, list[YuvImage]]) -> dict[str, Bytes]:
    if not images:
        raise RigError("there are no cameras to calibrate; give pictures of at least one")
    lumas = {}
    for name, pictures in images.items():
        if not pictures:
            raise RigError(f"camera {name}: there is no picture of it; check its url")
        sizes = sorted({picture.size_px for picture in pictures})
        if len(sizes) > 1:
            raise RigError(
                f"camera {name}: its pictures differ in size ({_size(sizes[0])} and "
                f"{_size(sizes[1])}); set the camera to one resolution and calibrate again"
            )
        lumas[name] = features.still_luma(pictures)
    return lumas


def _size(size_px: tuple[int, int]) -> str:
    return f"{size_px[0]} x {size_px[1]}"


def _survey(config: RigConfig, names: list[str]) -> Survey | None:
    points = config.survey_points
    if len(points) < 4:
        if config.mount is None:
            raise RigError(
                f"rig.survey_points: {len(points)} given, at least 4 are needed to anchor the "
                "rig; survey more points, or give rig.mount"
            )
        return None
    unknown = sorted({point.camera for point in points} - set(names))
    if unknown:
        raise RigError(
            f"rig.survey_points: there are no pictures of camera {unknown[0]}; "
            f"known: {', '.join(names)}"
        )
    return Survey(
        camera=np.array([names.index(point.camera) for point in points]),
        pixels=np.array([point.pixel for point in points], float),
        points_m=np.array([point.mine_m for point in points], float),
        sigma_m=config.survey_sigma_m,
    )


def _pairs(lumas: dict[str, Bytes], report: Progress) -> list[Matches]:
    found = []
    for index, (name, luma) in enumerate(lumas.items()):
        report(f"finding points of {name}", 0.3 * index / len(lumas))
        found.append(features.find(luma))
    all_pairs = list(itertools.combinations(range(len(found)), 2))
    pairs = []
    for number, (i, j) in enumerate(all_pairs):
        report("matching", 0.3 + 0.25 * number / len(all_pairs))
        first_px, second_px = features.match(found[i], found[j])
        pairs.append(Matches(first=i, second=j, first_px=first_px, second_px=second_px))
    return pairs


def _first_guess(
    *,
    names: list[str],
    sizes: list[tuple[int, int]],
    pairs: list[Matches],
    survey: Survey | None,
    config: RigConfig,
) -> tuple[list[CameraModel], list[int]]:
    """Guess lens and rotations; gives the cameras and those that are linked to each other."""
    kind, hfov = config.lens.model, config.lens.hfov_deg
    if len(names) == 1:
        if hfov is None:
            if survey is None:
                raise RigError(
                    f"camera {names[0]}: one camera alone does not tell its lens; give "
                    "rig.lens.hfov_deg, or at least 4 rig.survey_points"
                )
            hfov = _hfov_by_survey(names[0], sizes[0], survey, kind)
        return [ideal_camera(names[0], sizes[0], kind, hfov, 0.0)], [0]
    usable = [pair for pair in pairs if len(pair.first_px) >= features_needed()]
    cameras = guess_lens(names, sizes, usable, kind, hfov)
    if not cameras:
        cameras = [
            ideal_camera(name, size, kind, hfov or 70.0, 0.0)
            for name, size in zip(names, sizes, strict=True)
        ]
    turns = [turn_of_pair(cameras, pair) for pair in usable]
    cameras, linked = chain(cameras, turns)
    for index, name in enumerate(names):
        seen = 0 if survey is None else int((survey.camera == index).sum())
        if index not in linked and seen < MIN_POINTS_OF_CAMERA:
            raise _unlinked(name, index, names, turns, pairs)
    return cameras, linked


def features_needed() -> int:
    """Tell how many matches a pair must have to be looked at at all."""
    return 10


def _unlinked(
    name: str, index: int, names: list[str], turns: list[Turn], pairs: list[Matches]
) -> RigError:
    agree = {
        turn.matches.first + turn.matches.second - index: int(turn.agreeing.sum())
        for turn in turns
        if index in (turn.matches.first, turn.matches.second)
    }
    best = max(agree, key=lambda other: agree[other], default=None)
    if best is None:
        seen = "has no points in common with any other camera"
    else:
        seen = f"has only {agree[best]} points in common with {names[best]}, its best neighbour"
    return RigError(
        f"camera {name}: can't be registered: it {seen}. Turn it so that it overlaps a "
        "neighbour by at least 15 %, give it more light or texture, check that it hangs within "
        f"0.2 m of the others, or survey {MIN_POINTS_OF_CAMERA} points in its picture"
    )


def _true_pairs(cameras: list[CameraModel], pairs: list[Matches]) -> list[Matches]:
    """Keep the pairs that really overlap under the guessed rig."""
    result = []
    for pair in pairs:
        if len(pair.first_px) < features_needed():
            continue
        width = cameras[pair.second].size_px[0]
        near = np.linalg.norm(transfer_error(cameras, pair), axis=1) < 0.04 * width
        if near.sum() >= 12 and near.mean() > 0.15:
            result.append(pair)
    return result


def _hfov_by_survey(name: str, size: tuple[int, int], survey: Survey, kind: str) -> float:
    guesses = FISHEYE_GUESSES_DEG if kind == "fisheye" else HFOV_GUESSES_DEG
    misses = []
    for hfov in guesses:
        camera = ideal_camera(name, size, "fisheye" if kind == "fisheye" else "brown", hfov, 0.0)
        misses.append(anchor_by_survey([camera], survey, [0])[2] / hfov)
    return guesses[int(np.argmin(misses))]


def _anchored(
    problem: Problem, state: State, survey: Survey, linked: list[int]
) -> tuple[Problem, State, list[Bools]]:
    """Hang the rig by its surveyed points, then refine everything together once more."""
    cameras = cameras_of(problem, state)
    check_survey(survey, cameras)
    if np.isin(survey.camera, linked).sum() < 4:
        raise RigError(
            "rig.survey_points: fewer than 4 lie in cameras that overlap each other "
            f"({', '.join(problem.names[i] for i in linked)}); survey more points there"
        )
    rig_from_mine, centre, _ = anchor_by_survey(cameras, survey, linked)
    moved = placed(cameras, rig_from_mine, centre)
    rotations = np.stack([camera.camera_from_mine[:3, :3] for camera in moved])
    for index, camera in enumerate(moved):
        if index not in linked:
            seen = survey.camera == index
            rotations[index] = rotation_of_camera(
                camera, survey.pixels[seen], survey.points_m[seen], centre
            )
    problem = replace(problem, survey=survey)
    state = State(rotations=rotations, lens=state.lens, centre_m=centre)
    _check_fit(cameras_of(problem, state), survey, slack=4.0)
    state, kept = refine(problem, state)
    return problem, state, kept


def _check_fit(cameras: list[CameraModel], survey: Survey, slack: float = 1.0) -> None:
    """Refuse surveyed points that contradict the pictures or each other."""
    miss = np.linalg.norm(survey_error(cameras, survey), axis=1)
    width = np.array([cameras[i].size_px[0] for i in survey.camera], float)
    behind = ~_in_front(cameras, survey)
    share = np.where(behind, 1.0, miss / width)
    if np.median(share) > MAX_SURVEY_MISS * slack:
        raise RigError(
            f"rig.survey_points: they don't fit the pictures (half of them miss by more than "
            f"{np.median(share * width):.0f} px); check the order x, y, z, the signs (y is left, "
            "z is up: mirrored axes never fit), the unit (metres), and which pixel belongs to "
            "which point"
        )
    worst = int(np.argmax(share))
    if share[worst] > MAX_SURVEY_MISS * slack:
        raise RigError(
            f"rig.survey_points.{worst} (camera {cameras[survey.camera[worst]].name}): misses "
            f"its pixel by {share[worst] * width[worst]:.0f} px; correct it or leave it out"
        )


def _in_front(cameras: list[CameraModel], survey: Survey) -> Bools:
    pose = np.stack([cameras[i].camera_from_mine for i in survey.camera])
    depth = np.einsum("kj,kj->k", pose[:, 2, :3], survey.points_m) + pose[:, 2, 3]
    if cameras[0].lens == "fisheye":
        return np.ones(len(depth), bool)
    return np.asarray(depth > 0)


def _quality(
    cameras: list[CameraModel], pairs: list[Matches], kept: list[Bools], survey: Survey | None
) -> dict[str, float]:
    """Say how good the rig is; px at each camera's own resolution."""
    quality = {"cameras": float(len(cameras))}
    misses: list[Floats] = [np.linalg.norm(transfer_error(cameras, pair), axis=1) for pair in pairs]
    if misses:
        every = np.concatenate(misses)
        agreeing = np.concatenate([m[k] for m, k in zip(misses, kept, strict=True)])
        quality["matched_points"] = float(len(every))
        quality["matched_point_median_px"] = round(float(np.median(every)), 4)
        if len(agreeing):
            quality["agreeing_points"] = float(len(agreeing))
            quality["agreeing_point_median_px"] = round(float(np.median(agreeing)), 4)
            quality["agreeing_point_p95_px"] = round(float(np.percentile(agreeing, 95)), 4)
    if survey is not None:
        square = (survey_error(cameras, survey) ** 2).sum(axis=1)
        quality["survey_points"] = float(len(square))
        quality["survey_rms_px"] = round(float(np.sqrt(square.mean())), 4)
        quality["survey_worst_px"] = round(float(np.sqrt(square.max())), 4)
        shift = [np.sqrt(np.trace(c.pose_covariance[3:, 3:])) for c in cameras]
        quality["place_sigma_m"] = round(float(max(shift)), 5)
    return quality
