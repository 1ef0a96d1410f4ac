"""The plan file of `lamproom plan`: roadway section, lenses, where one may mount, what is wished.

Knows nothing about where cameras end up. Mistakes are reported like those of a site file: all at
once, each with its place.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from scene.errors import SiteError, why_unreadable
from scene.floor import Floor
from scene.section import Section, parse_as
from scene.site import WIDEST_BROWN_DEG, FloorConfig, SitePath
from scene.zones import Metres, Name

PERSON_PX = 40.0
"""How high a standing person must be in the picture that the detector works on. Small objects, in
COCO's sense, are below 32 px; detectors find them much less often."""
LYING_PX = 32.0
"""The same for the longer side of somebody who lies along the line of sight, the worst case. With
the first shipped model, which shrank 1280 px to 512, people crouching, as compact as that, were
found in 95 % of the sample longwall's pictures from 32 to 48 px up, in 49 % at 24 to 32."""
SAME_CHAINAGE_M = 0.01
ROOF_GAP_M = 0.15
"""How far below the roof a camera's middle hangs at least."""
PER_GATEWAY = 8

Label = Annotated[str, Field(min_length=1, max_length=64)]
Side = Literal["left", "right", "roof"]
RigKind = Literal["strip", "rotation"]


def _rising(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] >= pair[1]:
        raise ValueError("give the lower value first, then the higher one")
    return pair


Stretch = Annotated[tuple[Metres, Metres], AfterValidator(_rising)]


class LensChoice(Section):
    """A lens and sensor that may be bought."""

    name: Name = "camera"
    hfov_deg: float = Field(gt=10, lt=200)
    """Horizontal field of view, over the picture's whole width."""
    size_px: tuple[
        Annotated[int, Field(ge=160, le=16_384)], Annotated[int, Field(ge=120, le=16_384)]
    ] = (1280, 720)
    model: Literal["auto", "brown", "fisheye"] = "auto"
    """Auto: `fisheye` from 110 degrees on."""
    distortion: tuple[float, ...] = ()
    """Brown's k1 k2 p1 p2 k3 or the fisheye's k1 to k4 where the maker gives them; else none."""

    @model_validator(mode="after")
    def _fits(self) -> "LensChoice":
        if self.kind == "brown" and self.hfov_deg >= 170:
            raise ValueError("a brown lens can't be that wide; give model: fisheye")
        wanted = 5 if self.kind == "brown" else 4
        if self.distortion and len(self.distortion) != wanted:
            raise ValueError(f"a {self.kind} lens has {wanted} distortion coefficients")
        return self

    @property
    def kind(self) -> Literal["brown", "fisheye"]:
        """The lens model, auto resolved."""
        if self.model == "auto":
            return "fisheye" if self.hfov_deg > WIDEST_BROWN_DEG else "brown"
        return self.model


class MountWishes(Section):
    """Where cameras may hang, and how well that is surveyed."""

    sides: tuple[Side, ...] = Field(default=("left", "right"), min_length=1)
    height_m: float = Field(default=2.5, gt=0.3)
    """Above the floor, at a rib; at the roof it is just below the roof."""
    from_rib_m: float = Field(default=0.3, ge=0)
    sigma_m: float = Field(default=0.02, gt=0)
    sigma_deg: float = Field(default=0.1, gt=0)
    """How well place and direction will be known after calibration."""


class NoMount(Section):
    """A stretch where nothing can be mounted."""

    along_m: Stretch
    sides: tuple[Side, ...] = ("left", "right", "roof")


class Obstacle(Section):
    """Something that stands or hangs in the way: a box, upright on the floor."""

    name: Label
    along_m: Stretch
    """Chainage from, to."""
    across_m: Stretch
    """Metres left of the centre line, from right to left; right of it is negative."""
    height_m: float = Field(gt=0)
    """Its top above the floor."""
    bottom_m: float = Field(default=0.0, ge=0)
    """Its underside above the floor, where it hangs."""

    @model_validator(mode="after")
    def _upright(self) -> "Obstacle":
        if self.bottom_m >= self.height_m:
            raise ValueError("bottom_m must be below height_m, the top")
        return self


class HungCamera(Section):
    """A camera that already hangs, or that somebody wants judged as drawn."""

    name: Name
    chainage_m: Metres
    left_m: Metres
    """Metres left of the centre line; right is negative."""
    height_m: float = Field(gt=0)
    """Above the floor."""
    yaw_deg: float = Field(ge=-360, le=360)
    """Direction, left from the mine's x axis."""
    pitch_deg: float = Field(ge=-90, le=90)
    """Up; a camera that looks down has a negative one."""
    lens: Name | None = None
    """None takes the first of `lenses`."""


class Wishes(Section):
    """What the layout must reach."""

    person_px: float = Field(default=PERSON_PX, gt=4)
    lying_px: float = Field(default=LYING_PX, gt=4)
    detector_width_px: int | None = Field(default=None, ge=64)
    """Width of the picture that the detector works on; none asks the model."""
    share: float = Field(default=0.9, gt=0, le=1)
    """A metre counts as covered when this share of its floor is seen."""
    overlap_m: float = Field(default=1.0, ge=0, le=20)
    """A walker is in two neighbouring cameras for so long before leaving the first."""
    overlap_share: float = Field(default=0.2, ge=0.15, le=0.6)
    """Of a rotation rig's neighbours, of the picture's width; calibration needs 0.15."""
    twice_m: tuple[Stretch, ...] = ()
    """Stretches that at least two cameras must see."""


class PlanConfig(Section):
    """What is known before anything hangs."""

    version: Literal[1]
    name: Label = "plan"
    floor: FloorConfig
    height_m: float = Field(default=2.8, gt=1.0, le=20)
    """The roof above the floor."""
    stretch_m: Stretch | None = None
    """From where to where people must be seen; none takes the whole centre line."""
    lenses: tuple[LensChoice, ...] = Field(min_length=1)
    rig: RigKind = "strip"
    """`strip`: strung along the roadway; `rotation`: fanned out from one place per gateway."""
    cameras: int | None = Field(default=None, ge=1, le=64)
    """No more than these; none takes as many as are needed."""
    mounts: MountWishes = MountWishes()
    no_mounts: tuple[NoMount, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    hung: tuple[HungCamera, ...] = ()
    """Where given, this layout is judged and none is sought."""
    wishes: Wishes = Wishes()
    model: SitePath | None = None
    """The detection model, asked for the size of its input; none takes the shipped one."""

    @model_validator(mode="after")
    def _fits(self) -> "PlanConfig":
        top = self.height_m - ROOF_GAP_M
        if self.mounts.height_m > top:
            raise ValueError(
                f"mounts.height_m ({self.mounts.height_m:g}) must be at most {top:g}, "
                f"{ROOF_GAP_M:g} m below the roof (height_m)"
            )
        if self.mounts.from_rib_m >= min(self.floor.left_m, self.floor.right_m):
            raise ValueError(
                f"mounts.from_rib_m ({self.mounts.from_rib_m:g}) reaches over the centre line; "
                "give less, or a wider roadway"
            )
        known = [lens.name for lens in self.lenses]
        for what, names in (("lenses", known), ("hung", [one.name for one in self.hung])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what}: the name {twice[0]!r} is given twice; names are unique")
        for camera in self.hung:
            if camera.lens is not None and camera.lens not in known:
                raise ValueError(f"hung: lens {camera.lens!r} is not one of {', '.join(known)}")
        start, end = Floor(self.floor).chainages_m
        if start > end:
            raise ValueError("floor.centre_line_m runs towards falling x; turn its order round")
        first, last = self.line_m
        low, high = self.stretch_m or (first, last)
        if low < first - 1e-6 or high > last + 1e-6:
            raise ValueError(f"stretch_m leaves the centre line, {first:g} to {last:g} m")
        if high - low < 1:
            raise ValueError("the roadway is shorter than 1 m; give a longer floor.centre_line_m")
        if high - low > MAX_LENGTH_M:
            raise ValueError(f"longer than {MAX_LENGTH_M:g} m; plan it piece by piece: stretch_m")
        return self

    @property
    def line_m(self) -> tuple[float, float]:
        """Lowest and highest chainage of the centre line."""
        low, high = sorted(Floor(self.floor).chainages_m)
        return low, high


MAX_LENGTH_M = 300.0


def rising(floor: FloorConfig) -> FloorConfig:
    """Turn a floor's line round where it runs towards falling x; left and right change places."""
    start, end = Floor(floor).chainages_m
    if start <= end:
        return floor
    turned = FloorConfig(
        centre_line_m=floor.centre_line_m[::-1],
        left_m=floor.right_m,
        right_m=floor.left_m,
        cross_fall=-floor.cross_fall,
    )
    if abs(Floor(turned).chainages_m[0] - end) > SAME_CHAINAGE_M:
        raise SiteError(
            "floor.centre_line_m: it bends and runs towards falling x, so its metres would count "
            "otherwise in a plan; turn it round in the site file (and swap left_m and right_m)"
        )
    return turned


def load_plan(path: Path) -> PlanConfig:
    """Read a plan file; raises `SiteError` with one line per mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SiteError(f"{path}: there is no such plan file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SiteError(f"{path}: can't be read: {why_unreadable(error)}") from None
    return parse_plan(text, name=str(path), folder=path.parent.resolve())


def parse_plan(text: str, *, name: str, folder: Path) -> PlanConfig:
    """Read a plan file's text; `name` is used in errors, relative files lie in `folder`."""
    return parse_as(PlanConfig, text, name=name, context={"folder": folder})
