"""The site file `site.yaml`: cameras, rig, floor, zones, limits, broker, acceptance.

Knows nothing about what is done with them. All mistakes are reported at once, each with its
place: `site.yaml:7:5: cameras.1.urll: not a field; did you mean url?`.
"""

import os
from itertools import pairwise
from math import hypot
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from scene.acceptance_config import AcceptanceConfig
from scene.errors import SiteError, why_unreadable
from scene.floor_config import FloorConfig as FloorConfig  # noqa: PLC0414 (others take it from here)
from scene.landmarks_config import Marks, SupportsConfig
from scene.limits import LimitsConfig
from scene.recording_config import RecordingConfig
from scene.section import Section, fits, parse_as, readable, together
from scene.zones import (
    SAME_POINT_M,
    GateConfig,
    Metres,
    Name,
    PointXY,
    PointXYZ,
    ZoneConfig,
)

if TYPE_CHECKING:  # arrays are only for who reads a whole site file, not for one of its parts
    from scene.geometry import Lens

ENOUGH_POINTS = 4
"""So many survey points anchor a rotation rig, or a camera of a strip."""
WIDEST_BROWN_DEG = 110.0
"""Wider lenses are fisheyes unless the site says otherwise."""


def _in_site_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path())
    return path if path.is_absolute() else Path(folder) / path


def _source(url: str, info: ValidationInfo) -> str:
    if "://" in url:
        return url
    path = _in_site_folder(Path(url), info)
    if not os.path.exists(path) and (info.context or {}).get("check_files", True):
        raise ValueError(f"there is no file {path}; give a video file, a folder or an rtsp:// URL")
    return str(path)


SitePath = Annotated[Path, AfterValidator(_in_site_folder)]


class CameraConfig(Section):
    """One camera."""

    name: Name
    url: Annotated[str, AfterValidator(_source)]
    """`rtsp://…`, a video file, or a folder of pictures; files relative to the site file."""
    transport: Literal["tcp", "udp"] = "tcp"
    decoder: Annotated[str, fits("[a-z0-9_]{1,20}", "off, auto or a kind of device")] = "off"
    """Of an RTSP camera: `off` decodes in software, `auto` in hardware where there is some, a name
    (`cuda`) on that kind of device; software takes over wherever it does not work."""
    fps: float | None = Field(default=None, gt=0, le=120)
    """For a folder of pictures: how fast it is played."""


class LensConfig(Section):
    """What is known of the lenses before calibration."""

    model: Literal["auto", "brown", "fisheye"] = "auto"
    """`brown` for ordinary lenses, `fisheye` (Kannala-Brandt) for very wide ones; auto takes
    fisheye where `hfov_deg` is above 110."""
    hfov_deg: float | None = Field(default=None, gt=10, lt=200)
    """Horizontal field of view, a start for calibration; none lets it guess."""

    @property
    def kind(self) -> "Lens":
        """Which lens model it is."""
        if self.model == "auto":
            wide = self.hfov_deg is not None and self.hfov_deg > WIDEST_BROWN_DEG
            return "fisheye" if wide else "brown"
        return self.model

    @model_validator(mode="after")
    def _model_fits(self) -> "LensConfig":
        if self.model == "brown" and self.hfov_deg is not None and self.hfov_deg > 140:
            raise ValueError(
                f"model: brown can't describe a lens of {self.hfov_deg:g} degrees; give fisheye"
            )
        return self


class MountConfig(Section):
    """Where the rig hangs, when nobody has surveyed points: a coarse anchor, said to be coarse."""

    xyz_m: PointXYZ
    yaw_deg: float = Field(default=0.0, ge=-360, le=360)
    """Direction of the first camera, left from the mine's x axis."""
    pitch_deg: float = Field(default=0.0, ge=-90, le=90)
    """Of the first camera, up."""
    roll_deg: float = Field(default=0.0, ge=-180, le=180)
    sigma_m: float = Field(default=0.1, gt=0)
    sigma_deg: float = Field(default=1.0, gt=0)


class SurveyPoint(Section):
    """A point whose mine coordinates are known, and where a camera sees it."""

    camera: Name
    pixel: PointXY
    mine_m: PointXYZ


MarkerFamily = Literal[
    "apriltag_16h5",
    "apriltag_25h9",
    "apriltag_36h10",
    "apriltag_36h11",
    "aruco_4x4_50",
    "aruco_5x5_50",
    "aruco_6x6_50",
    "aruco_original",
]


class MarkerConfig(Section):
    """A printed marker whose corners were surveyed."""

    id: int = Field(ge=0)
    corners_m: tuple[PointXYZ, PointXYZ, PointXYZ, PointXYZ]
    """Mine metres, as one looks at it: top left, top right, bottom right, bottom left."""


class MarkersConfig(Section):
    """Printed markers that calibration finds by itself."""

    dictionary: MarkerFamily = "apriltag_36h11"
    tags: tuple[MarkerConfig, ...] = Field(min_length=1)
    sigma_m: float = Field(default=0.01, gt=0)
    """How well the corners are known."""

    def by_id(self) -> dict[int, MarkerConfig]:
        """Give the markers by the number that is printed on them."""
        return {tag.id: tag for tag in self.tags}

    @field_validator("tags")
    @classmethod
    def _once_each(cls, tags: tuple[MarkerConfig, ...]) -> tuple[MarkerConfig, ...]:
        numbers = [tag.id for tag in tags]
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            raise ValueError(f"marker {twice[0]} is given twice; give each number once")
        return tags


class PoseConfig(MountConfig):
    """Where one camera of a strip rig hangs, as surveyed or as drawn; refined by calibration."""

    camera: Name


class RigConfig(Section):
    """How the cameras hang together."""

    kind: Literal["rotation", "strip"] = "rotation"
    """`rotation`: fanned out from one place; `strip`: strung along the roadway or face."""
    file: SitePath = Field(default=Path("rig.yaml"), validate_default=True)
    lens: LensConfig = LensConfig()
    mount: MountConfig | None = None
    survey_points: tuple[SurveyPoint, ...] = ()
    survey_sigma_m: float = Field(default=0.01, gt=0)
    """How well the survey points are known."""
    auto_apply: bool = False
    """Whether a gateway hangs a camera that was knocked anew by itself, once it has stayed as it is
    for half a minute; else somebody says `lamproom rig apply`."""
    markers: MarkersConfig | None = None
    poses: tuple[PoseConfig, ...] = ()
    """Of a strip rig: where cameras hang. Without one, a camera needs 4 points of its own."""

    @model_validator(mode="after")
    def _anchored(self) -> "RigConfig":
        if self.kind == "strip":
            if self.mount is not None:
                raise ValueError("mount: a strip rig hangs in several places; give poses instead")
            if not (self.poses or self.survey_points or self.markers):
                raise ValueError("the rig is not anchored: give survey_points, markers or poses")
            return self
        if self.poses:
            raise ValueError("poses: a rotation rig hangs in one place; give a mount instead")
        found = len(self.survey_points)
        if self.mount is None and self.markers is None and found < ENOUGH_POINTS:
            raise ValueError(
                f"the rig is not anchored: it has {found} survey_points and needs at least "
                f"{ENOUGH_POINTS}; give more, or markers, or a mount"
            )
        return self


class TilesConfig(Section):
    """Pictures cut into overlapping parts, so that small and distant people keep their pixels."""

    size_px: int = Field(default=704, ge=96, le=4096)
    """A tile's longer side in camera pixels; a tenth more where that saves a row of tiles."""
    overlap: float = Field(default=0.2, ge=0, lt=0.5)
    """Which part of a side neighbours share at least."""
    cameras: tuple[Name, ...] = ()
    """Which cameras; none given means all."""

    def wanted_for(self, camera: str) -> bool:
        """Tell whether a camera's pictures are cut."""
        return not self.cameras or camera in self.cameras


class DetectionConfig(Section):
    """The model and how it runs."""

    model: SitePath | None = None
    """An Ultralytics detect export (ONNX); none takes the model that Lamproom ships."""
    manifest: SitePath | None = None
    """The model's signed digests; none takes `<model>.manifest.json` beside it, where there is
    one."""
    manifest_key: SitePath | None = None
    """The key file to check the manifest with; with it, the model must be signed."""
    tiles: TilesConfig | None = None
    """Whether and how pictures are cut; none runs each camera's picture in one piece."""
    providers: tuple[str, ...] = ()
    """ONNX Runtime providers in order of choice; empty takes the best that is installed."""
    score_threshold: float = Field(default=0.25, gt=0, lt=1)
    iou_threshold: float = Field(default=0.6, gt=0, le=1)
    class_names: tuple[str, ...] | None = None
    """For a model without metadata: its classes in order."""
    kinds: dict[str, Literal["person", "helmet", "head", "fallen", "ignore"]] = Field(default={})
    """Which of the model's classes is what; unnamed ones are told by their name."""
    local_contrast: bool = False
    """Whether pictures are searched with more local contrast: the shipped model gains behind a
    dusted lens, and loses where the view is clear."""
    threads: int = Field(default=1, ge=1, le=64)
    max_fps: float = Field(default=10.0, gt=0)
    """Detection never runs more often than this, and less often where the machine is slow."""


class SurfaceConfig(Section):
    """What the panorama is painted on."""

    kind: Literal["auto", "cylinder", "ribbon"] = "auto"
    """`cylinder` round a rotation rig, `ribbon` along a roadway; auto goes by `rig.kind`."""
    wall: Literal["auto", "left", "right", "both"] = "auto"
    """Which walls a ribbon shows beside the floor; auto takes the one that the cameras look at."""
    wall_height_m: float = Field(default=2.5, gt=0, le=20)
    wall_left_m: float | None = Field(default=None, gt=0)
    """How far left of the centre line the left wall stands; none takes `floor.left_m`."""
    wall_right_m: float | None = Field(default=None, gt=0)
    section_m: tuple[PointXY, ...] | None = Field(default=None, min_length=2)
    """The whole cross-section instead, from the panorama's top to its bottom: metres left of the
    centre line, metres above the floor."""
    chainage_m: tuple[Metres, Metres] | None = None
    """From where to where a ribbon reaches; none takes all that the cameras see."""

    @model_validator(mode="after")
    def _has_extent(self) -> "SurfaceConfig":
        if self.chainage_m is not None and self.chainage_m[0] >= self.chainage_m[1]:
            raise ValueError("chainage_m: give the lower chainage first, then the higher one")
        if self.section_m is not None:
            for index, (a, b) in enumerate(pairwise(self.section_m)):
                if hypot(a[0] - b[0], a[1] - b[1]) <= SAME_POINT_M:
                    raise ValueError(f"section_m: corners {index} and {index + 1} are the same")
        return self


class PanoramaConfig(Section):
    """How the panorama is made and encoded."""

    surface: SurfaceConfig = SurfaceConfig()
    px_per_degree: float | None = Field(default=None, gt=0.5, le=60)
    """None takes the cameras' own resolution, halved until the width is at most `max_width_px`."""
    px_per_m: float | None = Field(default=None, gt=1, le=1000)
    """The same for a ribbon."""
    max_width_px: int = Field(default=2560, ge=320, le=8192)
    blend_px: int = Field(default=32, ge=0, le=512)
    local_contrast: bool = False
    """Whether the panorama is shown with more local contrast, for dark and dusty places."""
    missing: Literal["hole", "last"] = "hole"
    """What is shown where only a camera looks that gives no picture: nothing, or its last picture,
    greyed and stamped with its age."""
    backend: Literal["opencv", "onnx", "onnx-cpu"] = "opencv"
    """What paints: OpenCV on the CPU, or ONNX Runtime on a CUDA GPU. `onnx-cpu` runs the GPU's
    graph on the CPU, for trials: many times slower than OpenCV."""
    bitrate_kbit_s: int = Field(default=4000, ge=100, le=100_000)
    host: str = "127.0.0.1"
    port: int = Field(default=8765, ge=0, le=65535)
    """Where the gateway serves the panorama to the control room; 0 takes any free port."""


BROKER_FORMS = (
    "mqtt://host:port or mqtts://host:port, or several of one cluster: mqtts://a:8883,b:8883"
)


class BrokerConfig(Section):
    """Where the MQTT broker is."""

    url: Annotated[str, fits(r"mqtts?://[^/\s]+", BROKER_FORMS)] = "mqtt://127.0.0.1:1883"
    """Of a cluster all nodes, in the order in which they are tried."""
    username: str | None = None
    password_file: SitePath | None = None
    """A file that holds nothing but the password; it is never logged."""
    ca_file: SitePath | None = None
    """With mqtts://: the authority that the broker's certificate must come from (PEM); none trusts
    those that this machine trusts."""
    certificate_file: SitePath | None = None
    """With mqtts://: our own certificate (PEM), for a broker that asks for one."""
    key_file: SitePath | None = None
    """The key of `certificate_file`."""

    @model_validator(mode="after")
    def _goes_together(self) -> "BrokerConfig":
        files = ("ca_file", "certificate_file", "key_file")
        given = [name for name in files if getattr(self, name) is not None]
        if given and not self.url.startswith("mqtts://"):
            raise ValueError(f"url: {given[0]} is for mqtts://; {self.url} is not encrypted")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file go together; give both or neither")
        return self


def _one_or_more(given: object) -> object:
    return (given,) if isinstance(given, str | Path) else given


class SigningConfig(Section):
    """Signatures on messages (Ed25519); docs/security.md says what they are good for."""

    key_file: SitePath | None = None
    """The gateway's private key; none leaves its messages unsigned."""
    trusted: Annotated[tuple[SitePath, ...], BeforeValidator(_one_or_more)] = ()
    """Folders of public keys, or single files: whose messages are checked."""
    required: bool = False
    """Whether orders and receipts without a signature are refused even where no key is known."""

    @model_validator(mode="after")
    def _has_keys(self) -> "SigningConfig":
        if self.required and not self.trusted:
            raise ValueError("required: without `trusted` keys every order would be refused")
        return self


Argv = Annotated[tuple[str, ...], Field(min_length=1)]


class LocalAlarmConfig(Section):
    """What the gateway itself does, a siren for instance, when nobody can be told."""

    command: Argv
    """The program and its arguments; no shell. LAMPROOM_EVENT and others are in its environment."""
    end_command: Argv | None = None
    """Run once all is well again."""
    repeat_s: float | None = Field(default=60.0, ge=1)
    """How often `command` is run again while it lasts; none runs it once."""
    limit_s: float = Field(default=10.0, gt=0, le=600)
    """A command that takes longer is killed."""
    unreceipted_after_s: float = Field(default=10.0, gt=0)
    """A critical alarm that the control room has not receipted for so long is told here."""
    expected: bool = False
    """Whether there must be a control room; else only once one has been heard."""


class MetricsConfig(Section):
    """Where the gateway's figures are served for Prometheus (`http://host:port/metrics`)."""

    host: str = "127.0.0.1"
    """Whom it lets in: this machine only, unless told otherwise. Nothing secret is told there."""
    port: int | None = Field(default=None, ge=0, le=65535)
    """None serves nothing; 0 takes any free port."""


class Site(Section):
    """Everything about one gateway's site."""

    version: Literal[1]
    site: Name
    gateway: Name
    cameras: tuple[CameraConfig, ...] = Field(min_length=1, max_length=8)
    rig: RigConfig
    floor: FloorConfig
    zones: tuple[ZoneConfig, ...] = ()
    gates: tuple[GateConfig, ...] = ()
    supports: SupportsConfig | None = None
    """The numbered supports of a longwall face, by which places are told."""
    marks: Marks = ()
    """Boards and the like by which places are told."""
    limits: LimitsConfig = LimitsConfig()
    detection: DetectionConfig = DetectionConfig()
    panorama: PanoramaConfig = PanoramaConfig()
    broker: BrokerConfig = BrokerConfig()
    metrics: MetricsConfig = MetricsConfig()
    signing: SigningConfig | None = None
    local_alarm: LocalAlarmConfig | None = None
    acceptance: AcceptanceConfig = AcceptanceConfig()
    recording: RecordingConfig = RecordingConfig()
    state_folder: SitePath = Field(default=Path("state"), validate_default=True)
    """Where the gateway keeps alarms that nobody has receipted yet."""

    @model_validator(mode="wrap")
    @classmethod
    def _fits_together(
        cls, given: Any, read: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """See that parts fit together, also where some of them have mistakes of their own."""
        from scene.site_parts import mistakes_between

        # What was recorded is judged by what was in force, whatever is asked of site files today.
        today = (info.context or {}).get("check_files", True)
        found = mistakes_between(given, on_the_floor=today) if isinstance(given, dict) else []
        between = [
            InitErrorDetails(type=PydanticCustomError("site", "{text}", {"text": text}), input="")
            for text in found
        ]
        try:
            site = read(given)
        except ValidationError as error:
            raise together(cls, error, between) from None
        if between:
            raise together(cls, None, between)
        return site


def load_site(path: Path) -> Site:
    """Read a site file; raises `SiteError` with one line per mistake."""
    return parse_site(_text_of(path), name=str(path), folder=path.parent.resolve())


def readable_parts(path: Path) -> SimpleNamespace:
    """Read those sections of a site file that have no mistakes, by the names that `Site` has.

    So it can be seen what they name, though there are mistakes elsewhere. Raises `SiteError` where
    nothing can be read.
    """
    context: dict[str, object] = {"folder": path.parent.resolve(), "check_files": True}
    return readable(Site, _text_of(path), name=str(path), context=context)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SiteError(f"{path}: there is no such site file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SiteError(f"{path}: can't be read: {why_unreadable(error)}") from None


def parse_site(text: str, *, name: str, folder: Path, check_files: bool = True) -> Site:
    """Read a site file's text; `name` is used in errors, relative files lie in `folder`.

    Without `check_files` the cameras' files may be missing: a recording is judged anywhere.
    """
    context = {"folder": folder, "check_files": check_files}
    return parse_as(Site, text, name=name, context=context)
