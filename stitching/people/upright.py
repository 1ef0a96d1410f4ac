"""Cut people out of the cameras' pictures, to be drawn upright: what each inset shows, and where.

Knows nothing about pictures. A nearer person hides a farther one, as in any picture, but what is
merely near a person hides nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from scene.arrays import Bools
from scene.geometry import CameraModel
from scene.messages import Inset, Position
from scene.ribbon import Ribbon
from stitching.maps import OUTSIDE, Maps
from stitching.people.billboard import GRID_PX, Billboard, billboard
from stitching.people.bodies import Bodies
from stitching.people.companies import Company
from stitching.people.figures import FINE
from stitching.people.silhouettes import Divided, silhouettes
from stitching.people.solids import core_m

HALF = 0.5
GIVE_WAY = 6.0
"""A picture is clear where another one's body is likelier than its own by more than 1 of that."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cutout:
    """An inset to be, on its billboard's grid."""

    people: Sequence[Position]
    camera: CameraModel
    board: Billboard
    pixels: Maps
    """(rows, columns, 2)."""
    opacity: Maps
    """(rows, columns) 0..1."""
    chance: Maps
    """(rows, columns) 0..1 how likely the body is there."""

    def inset(self) -> Inset | None:
        """Spread it to every pixel; none where nothing is to be seen of it."""
        opacity, luma = self.board.spread(self.opacity), self.board.spread(self.pixels)
        u, v = np.ascontiguousarray(luma[..., 0]), np.ascontiguousarray(luma[..., 1])
        width, height = self.camera.size_px
        beyond = (u < 0) | (u > width - 1) | (v < 0) | (v > height - 1)
        for table, nothing in ((opacity, 0.0), (u, OUTSIDE), (v, OUTSIDE)):
            table[beyond] = nothing
        if opacity.max(initial=0) < HALF:
            return None
        feet_m = np.array([person.xyz_m for person in self.people])
        tops_m = np.outer([person.height_m for person in self.people], [0.0, 0.0, 1.0])
        feet_px, heads_px = (
            self.board.drawn(self.camera.centre_m, points_m)
            for points_m in (feet_m, feet_m + tops_m)
        )
        return Inset(
            tracks=tuple(person.track for person in self.people),
            feet_px=feet_px,
            heads_px=heads_px,
            camera=self.camera.name,
            corner_px=self.board.box[:2],
            opacity=opacity,
            luma_x=u,
            luma_y=v,
        )


def insets(
    bodies: Bodies,
    surface: Ribbon,
    shown_by: Sequence[int],
    differs: Mapping[int, Bools],
    companies: Sequence[Company],
) -> tuple[Inset, ...]:
    """Give the insets of all people whom a camera shows, the farthest first.

    `shown_by` has the camera of each person, or -1; `differs` where those cameras' coarse pictures
    are not as without people.
    """
    groups = _groups(companies, shown_by)
    divided = {index: Divided(bodies, index) for index, _ in groups}
    made: list[_Cutout] = []
    for index, bits in groups:
        camera = bodies.cameras[index]
        for board, some in _boards(camera, surface, bodies, bits):
            if not board.is_empty:
                drawn = silhouettes(bodies, divided[index], some, differs[index])
                people = [bodies.people[bit] for bit in some]
                made.append(_cutout(people, camera, board, *drawn))
    made.sort(key=lambda cutout: float(cutout.board.foot_px[1]))
    for number, nearer in enumerate(made):
        for farther in made[:number]:
            _give_way(nearer, farther)
    found = (cutout.inset() for cutout in made)
    return tuple(inset for inset in found if inset is not None)


def _boards(
    camera: CameraModel, surface: Ribbon, bodies: Bodies, bits: Company
) -> list[tuple[Billboard, Company]]:
    """Stand up one billboard for a company, or one for each if somebody would be beside its ends.

    Perspective moves people of a company aside: at the panorama's end, beyond it.
    """
    people = [bodies.people[bit] for bit in bits]
    board = _board(camera, surface, people)
    if len(bits) == 1 or _holds(board, camera, people):
        return [(board, bits)]
    return [one for bit in bits for one in _boards(camera, surface, bodies, (bit,))]


def _board(camera: CameraModel, surface: Ribbon, people: Sequence[Position]) -> Billboard:
    """Stand a billboard up at the nearest of them, so that on average nobody is moved aside."""
    feet_m = np.array([person.xyz_m for person in people])
    nearest_m = feet_m[np.linalg.norm(feet_m - camera.centre_m, axis=1).argmin()]
    body_m, own_px = core_m(people).reshape(-1, 3), surface.upright(feet_m)
    board = billboard(camera, surface, nearest_m, body_m, own_px[0])
    if len(people) == 1 or board.is_empty:
        return board
    aside_px = np.nanmean(own_px - board.drawn(camera.centre_m, feet_m), axis=0)
    return billboard(camera, surface, nearest_m, body_m, board.foot_px + aside_px)


def _holds(board: Billboard, camera: CameraModel, people: Sequence[Position]) -> bool:
    """Tell whether all bodies of a company lie between the billboard's ends."""
    x = board.drawn(camera.centre_m, core_m(people).reshape(-1, 3))[:, 0]
    return bool(np.all((x >= board.box[0]) & (x <= board.box[2])))


def _groups(
    companies: Sequence[Company], shown_by: Sequence[int]
) -> list[tuple[int, tuple[int, ...]]]:
    """Give the camera, and whom it shows in one picture."""
    groups = []
    for company in companies:
        for index in sorted({shown_by[bit] for bit in company} - {-1}):
            groups.append((index, tuple(bit for bit in company if shown_by[bit] == index)))
    return groups


def _give_way(nearer: _Cutout, farther: _Cutout) -> None:
    """Make the nearer one clear, in place, where the farther one more surely shows somebody."""
    # Both grids have their corners on multiples of `GRID_PX`.
    (x, y), (height, width) = _corner(nearer), nearer.chance.shape
    (a, b), (rows, columns) = _corner(farther), farther.chance.shape
    x0, y0, x1, y1 = max(x, a), max(y, b), min(x + width, a + columns), min(y + height, b + rows)
    if x0 >= x1 or y0 >= y1:
        return
    here = slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)
    there = slice(y0 - b, y1 - b), slice(x0 - a, x1 - a)
    near, far = nearer.chance[here], farther.chance[there]
    nearer.opacity[here] *= 1 - np.clip(GIVE_WAY * ((1 - near) * far - near), 0, 1)


def _corner(cutout: _Cutout) -> tuple[int, int]:
    return cutout.board.box[0] // GRID_PX, cutout.board.box[1] // GRID_PX


def _cutout(
    people: Sequence[Position],
    camera: CameraModel,
    board: Billboard,
    corner: tuple[int, int],
    drawn: Maps,
) -> _Cutout:
    """Carry a body's silhouettes `drawn` (rows, columns, 3) to a billboard, with soft edges.

    `corner` is the row and column of their first place.
    """
    pixels, seen = board.grid(camera)
    spots = (pixels - (FINE - 1) / 2) / FINE - np.array(corner[::-1], np.float32)
    levels = cv2.remap(drawn, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR) * seen[..., None]
    return _Cutout(
        people=people,
        camera=camera,
        board=board,
        pixels=pixels,
        opacity=np.ascontiguousarray(levels[..., 0]),
        chance=np.ascontiguousarray(levels[..., 1]),
    )
