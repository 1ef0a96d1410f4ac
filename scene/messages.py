"""The words that stages and processes speak: frozen data, units in the names.

Knows nothing about how they are computed, sent or drawn. Arrays stay inside a gateway
(`Frame`, `Panorama`, `Detections`); what travels on MQTT is made of plain numbers, strings and
tuples, so that it compares, hashes and turns into JSON as it is.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import ConfigDict

if TYPE_CHECKING:  # who only carries messages, and starts again in a hurry, needs no arrays
    import numpy as np
    from numpy.typing import NDArray

    from scene.arrays import Bools, Bytes, Floats, Ints

XY = tuple[float, float]
XYZ = tuple[float, float, float]
Covariance = tuple[XY, XY]

KINDS = ("person", "helmet", "head", "fallen")
"""What a detector can find; `Detections.kinds` holds indices into this."""

CameraState = Literal["ok", "lost", "stalled", "obscured", "dark", "moved", "frozen"]
AlarmState = Literal["active", "cleared"]
Certainty = Literal["certainly", "possibly"]
Severity = Literal["critical", "warning", "notice"]
Posture = Literal["upright", "crouching", "lying"]

WIRE = ConfigDict(extra="ignore", allow_inf_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class YuvImage:
    """An I420 picture as decoded: three planes, no colour conversion yet."""

    y: "Bytes"
    """(H, W) luma, full or limited range as the camera sent it; H and W even."""
    u: "Bytes"
    """(H/2, W/2) blue difference."""
    v: "Bytes"
    """(H/2, W/2) red difference."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.y.shape[1], self.y.shape[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One camera's picture of one instant."""

    camera: str
    captured_at_ns: int
    image: YuvImage


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inset:
    """People on a ribbon who stand together, drawn upright over it, as one camera sees them."""

    tracks: tuple[int, ...]
    """Whom it shows."""
    feet_px: "Floats"
    """(tracks, 2) panorama pixels; of several, some stand up to 1.5 m beside their place."""
    heads_px: "Floats"
    """(tracks, 2)."""
    camera: str
    corner_px: tuple[int, int]
    """Column and row of its upper left pixel in the panorama; both even."""
    opacity: "NDArray[np.float32]"
    """(H, W) 0..1; H and W even. From 1/2 it counts as what the panorama shows there."""
    luma_x: "NDArray[np.float32]"
    """(H, W) column in the camera's luma."""
    luma_y: "NDArray[np.float32]"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panorama:
    """All cameras' pictures of one instant on one surface."""

    captured_at_ns: int
    image: YuvImage
    painter: "Bytes"
    """(H, W) index into the rig's cameras of the one that painted each pixel; 255 is nobody."""
    unseen: "Bools"
    """(H, W) where no healthy camera looks, or somebody stands in the way of all that do: never the
    same as "nobody there"."""
    geometry: str
    """Id of the rig that the picture was made with."""
    insets: tuple[Inset, ...] = ()
    """People drawn upright over a ribbon; later ones lie over earlier ones."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections:
    """What the detector found in one camera's frame."""

    camera: str
    captured_at_ns: int
    boxes_px: "Floats"
    """(N, 4) `x1 y1 x2 y2` in that camera's own pixels, integer values at pixel centres."""
    scores: "Floats"
    """(N,) 0..1."""
    kinds: "Ints"
    """(N,) indices into `KINDS`."""

    def __post_init__(self) -> None:
        """Refuse arrays whose shapes disagree."""
        n = len(self.boxes_px)
        if self.boxes_px.shape != (n, 4) or self.scores.shape != (n,) or self.kinds.shape != (n,):
            raise ValueError(
                f"detections of {self.camera}: boxes {self.boxes_px.shape}, scores "
                f"{self.scores.shape}, kinds {self.kinds.shape} do not belong together"
            )

    def of_kind(self, kind: str) -> "Detections":
        """Keep only the finds of one of `KINDS`."""
        keep: NDArray[np.bool_] = self.kinds == KINDS.index(kind)
        return Detections(
            camera=self.camera,
            captured_at_ns=self.captured_at_ns,
            boxes_px=self.boxes_px[keep],
            scores=self.scores[keep],
            kinds=self.kinds[keep],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where one person is, and how sure we are."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    track: int
    """Id of the person within this gateway; never used again for another one."""
    xyz_m: XYZ
    """The feet, in mine metres."""
    covariance_m2: Covariance
    """Of `xyz_m[:2]`, square metres."""
    velocity_m_s: XY
    height_m: float
    """Top of the body above the floor: about 1.8 standing, under 0.9 lying."""
    posture: Posture
    certainty: Certainty
    seen_at_ns: int
    """When a camera last saw the person; the position is a prediction from there on."""
    cameras: tuple[str, ...]
    """The cameras that saw the person at `seen_at_ns`."""
    worker: str | None = None
    """Name or tag from the mine's tag system; none until it is known."""
    worker_probability: float | None = None
    """How sure that name is; none without one."""
    helmet: float | None = None
    """How likely the person wears a helmet, 0..1; none where no look has shown the head."""
    panorama_xy: XY | None = None
    """The feet in panorama pixels, below the picture where it ends above them; none where the
    panorama shows no part of the person."""
    panorama_head_xy: XY | None = None
    """The top of the body in panorama pixels, given together with `panorama_xy`."""
    seen_xy_m: XY | None = None
    """Where the person was at `seen_at_ns`, not predicted; none means `xyz_m[:2]`."""
    seen_covariance_m2: Covariance | None = None
    """Of `seen_xy_m`; none means `covariance_m2`."""
    height_at_ns: int | None = None
    """When a look last showed how high the body reaches, 0 if none ever did; none means at
    `seen_at_ns`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Everybody whom one gateway knows of, at one instant."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    captured_at_ns: int
    people: tuple[Position, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """An alarm: what is wrong, where, since when, and how sure we are."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    id: str
    """The same in every message about this alarm; unique within the gateway."""
    kind: str
    """A row of `scene.alarms.ALARMS`."""
    severity: Severity
    state: AlarmState
    captured_at_ns: int
    """Capture instant of the pictures that led to this message."""
    raised_at_ns: int
    """Capture instant at which the alarm was first raised."""
    probability: float
    certainty: Certainty
    track: int | None = None
    zone: str | None = None
    camera: str | None = None
    xyz_m: XYZ | None = None
    evidence: str = ""
    """One English sentence with the figures that decided."""
    worker: str | None = None
    """Who it is about, as far as that was known when it was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraHealth:
    """Whether one camera can be trusted now."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    name: str
    state: CameraState
    fps: float
    last_frame_at_ns: int | None
    detail: str = ""
    unplaced: int | None = None
    """People found in its picture while nobody can say how it hangs, so that it places nobody; none
    when it places people, or when that number is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHealth:
    """How one process of the gateway is doing."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    name: str
    """A service of the gateway, or `camera NAME` for a camera's own process."""
    up: bool
    """Whether it has given a sign of life lately."""
    cpu_cores: float
    """Processor time it takes, in cores: 1.0 is one core all the time."""
    memory_mb: float
    """Megabytes (10^6) of memory that are its own; what it shares counts in parts."""
    restarts: int
    """How often it was started again since the gateway started."""
    up_s: float
    """Seconds since its last start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayHealth:
    """The heartbeat, once a second: silence is itself an alarm."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    captured_at_ns: int
    cameras: tuple[CameraHealth, ...]
    panorama_fps: float
    detection_fps: float
    detection_age_s: float | None
    """Age of the newest detections; none before the first."""
    detection_provider: str
    degraded: str = ""
    """Why inference is not what the site file asks for; empty when it is."""
    coverage_from_x_m: float = 0.0
    """Chainage at which the first metre of `coverage` starts: metres along the floor's centre line,
    in plan, from the x of its first point, as the ruler counts. Only on a straight floor along x
    is that the mine's x."""
    coverage: tuple[int, ...] = ()
    """Per metre of chainage from `coverage_from_x_m` on: how many healthy cameras see its floor."""
    coverage_sigma_m: tuple[float | None, ...] = ()
    """Per metre, how far off the place of somebody who stands there is expected to be (one sigma,
    along the worse axis); none where no healthy camera shows a whole body. Empty: not known."""
    coverage_unseen_since_ns: tuple[int | None, ...] = ()
    """Per metre, since when no healthy camera sees it; none while one does, and where none has
    since the gateway started. Empty: not known."""
    detection_model: str = ""
    """Name of the model's file that pictures are searched with. Empty: not known."""
    detection_model_sha256: str = ""
    """Hash of that file as the gateway started with it, hexadecimal. Empty: not known."""
    services: tuple[ServiceHealth, ...] = ()
    """The gateway's processes. Empty: not known."""
    alarms_waiting: int | None = None
    """Alarms that the control room has not receipted yet; none where that is not known."""
    longest_waiting_s: float | None = None
    """For how long the oldest of them has waited; none without one."""
    heard_beats_ns: tuple[int, ...] | None = None
    """`said_at_ns` of the newest heartbeat of each control room that is heard: so a control room
    knows that it is heard, and that this message is not an old one. None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """Retained; the broker itself publishes the offline one (last will)."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    online: bool
    since_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneDescription:
    """A named area of the floor."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    name: str
    kind: str
    polygon_m: tuple[XY, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraDescription:
    """Where a camera hangs and what floor it looks at, for the plan."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    name: str
    xyz_m: XYZ
    view_m: tuple[XY, ...]
    """Outline of the floor that it sees, mine metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulerMark:
    """One whole metre of roadway on the panorama."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    chainage_m: float
    across_px: tuple[XY, ...]
    """Panorama pixels of a line across the floor, from left to right: what the picture has."""
    left_m: tuple[float, float] | None = None
    """How far left of the roadway's middle the line's first and last points are; the others lie
    evenly between them. None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmark:
    """What people in the mine name places by: a powered support, a chainage board, a crosscut."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    name: str
    """As it stands on it: of a support its number."""
    kind: str
    """`support` or `mark`."""
    chainage_m: float
    reach_m: float
    """Who is no further from it than this, along the roadway, is at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDescription:
    """Retained: what a viewer must know before the first frame."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    site: str
    gateway: str
    software: str
    geometry: str
    """Id of the rig; a panorama and its positions carry the same one."""
    panorama_size_px: tuple[int, int]
    centre_line_m: tuple[XYZ, ...]
    """The roadway's middle, along which its floor lies."""
    left_m: float
    """Width of the floor to the left of the centre line (y up)."""
    right_m: float
    zones: tuple[ZoneDescription, ...]
    cameras: tuple[CameraDescription, ...]
    stream_url: str
    """WebSocket address of the panorama: `ws://host:port/panorama`."""
    ruler: tuple[RulerMark, ...] = ()
    """The chainage ruler, metre by metre; only what lies in the picture."""
    site_yaml: str = ""
    """The site file as it is in force, so that a recording can be judged by the same rules."""
    landmarks: tuple[Landmark, ...] = ()
    """Supports and marks along the roadway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One word on an alarm that is in the journal."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    alarm: str
    state: AlarmState
    captured_at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The control room's word that an alarm is in its journal: only now may a gateway forget it."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    alarm: str
    state: AlarmState
    stored_at_ns: int
    captured_at_ns: int | None = None
    """Which word on the alarm is stored: that message's own instant. A newer one is not receipted
    by this."""
    also: tuple[Stored, ...] = ()
    """What of the same gateway was stored together with it, when much comes at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an operator wants of a gateway."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    alarm: str
    """Id of the alarm that it is about."""
    action: Literal["end"]
    """`end`: it has been dealt with, though no camera can see that; the gateway clears it."""
    by: str
    """Who says so."""
    reason: str
    ordered_at_ns: int
    about: Anomaly | None = None
    """The alarm as the control room has it, so that a gateway that knows it no longer can still
    clear it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRoomBeat:
    """The control room's own heartbeat to one gateway, once a second."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    said_at_ns: int
    trouble: str = ""
    """Why alarms can't be stored there now; empty when they can."""
    heard_run: int = 0
    heard_seq: int = 0
    """Which `health` message of this gateway was heard last; 0 before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFix:
    """Where the mine's tag system (UWB, RFID) says that one tag is. Never a person's position."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    tag: str
    """The tag's own number."""
    xy_m: XY
    """Mine metres."""
    sigma_m: float
    """One standard deviation along x and along y."""
    at_ns: int
    """When the tag was there."""
    worker: str | None = None
    """Who carries it, if the tag system knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """What a tag system has heard since it spoke last; one message a second or so."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    captured_at_ns: int
    fixes: tuple[TagFix, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePlace:
    """Where a machine is and which way it faces."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    machine: str
    """The name that a zone's `follows` gives."""
    xy_m: XY
    """Mine metres."""
    at_ns: int
    heading_rad: float = 0.0
    """Left from the mine's x axis."""
    running: bool = True
    """Whether anything on it moves; a zone that follows a machine at rest is not in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """The machines' places, from the mine's automation; about once a second."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE

    captured_at_ns: int
    machines: tuple[MachinePlace, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PanoramaPacket:
    """One encoded panorama with the people on it, as it goes to viewers and recordings."""

    captured_at_ns: int
    key_frame: bool
    geometry: str
    size_px: tuple[int, int]
    positions: Positions
    """Everybody, predicted to this very frame."""
    payload: bytes = field(repr=False)
    """H.264, Annex B, one access unit; parameter sets before every key frame."""
