"""The retained description of a site: what a viewer must know before the first frame.

Knows nothing about MQTT.
"""

import re
from collections.abc import Sequence
from importlib.metadata import version

from edge.cameras.source import is_live, place_of
from edge.ruler import ruler
from edge.view_outline import view_outline
from scene.floor import Floor
from scene.landmarks_config import landmarks_of
from scene.messages import CameraDescription, SiteDescription, ZoneDescription
from scene.rig import Rig
from scene.site import Site
from scene.zones import ZoneConfig


def describe(site: Site, rig: Rig, site_yaml: str, stream_url: str) -> SiteDescription:
    """Say what the site is, where its cameras hang, what they see and where the picture is."""
    floor = Floor(site.floor)
    return SiteDescription(
        site=site.site,
        gateway=site.gateway,
        software=f"lamproom {version('lamproom')}",
        geometry=rig.id,
        panorama_size_px=rig.surface.size_px,
        centre_line_m=site.floor.centre_line_m,
        left_m=site.floor.left_m,
        right_m=site.floor.right_m,
        zones=described_zones(site.zones),
        cameras=tuple(
            CameraDescription(
                name=camera.name,
                xyz_m=(
                    float(camera.centre_m[0]),
                    float(camera.centre_m[1]),
                    float(camera.centre_m[2]),
                ),
                view_m=view_outline(camera, floor),
            )
            for camera in rig.cameras
        ),
        stream_url=stream_url,
        ruler=ruler(rig, site.floor),
        site_yaml=without_secrets(site_yaml, site),
        landmarks=landmarks_of(site.supports, site.marks),
    )


def described_zones(zones: Sequence[ZoneConfig]) -> tuple[ZoneDescription, ...]:
    """Describe those zones whose corners are the mine's, and not a machine's."""
    return tuple(
        ZoneDescription(name=zone.name, kind=zone.kind, polygon_m=zone.polygon_m)
        for zone in zones
        if zone.follows is None
    )


def without_secrets(site_yaml: str, site: Site) -> str:
    """Take cameras' passwords out of a site file's text: everybody at the broker reads it.

    Of those that are commented out, too, as far as they stand before an `@` or behind a `?`.
    """
    for camera in site.cameras:
        if is_live(camera):
            site_yaml = site_yaml.replace(camera.url, place_of(camera.url))
    site_yaml = re.sub(r"(rtsps?://)[^\s'\"]*@", r"\1", site_yaml, flags=re.I)
    return re.sub(r"(rtsps?://[^\s'\"?]*)\?[^\s'\",}\]]*", r"\1", site_yaml, flags=re.I)
