from pathlib import Path

from edge.description import describe, without_secrets
from scene.messages import Landmark
from scene.site import parse_site
from scene.wire import decode, encode
from tests.edge.knock_day import two_cameras

SITE = """
version: 1
site: roadway
gateway: gw1
cameras:
  - {name: c1, url: rtsp://joe:topsecret1@10.0.0.1/main}
  - {name: c2, url: "rtsp://10.0.0.2/main?user=joe&password=topsecret2"}
  # - {name: c3, url: rtsp://joe:top@secret3@10.0.0.3/main}
  # - {name: c5, url: rtsp://10.0.0.5/main?user=joe&password=topsecret5}
  - name: c4
    url: RTSP://joe:topsecret4@10.0.0.4:554/main
rig: {mount: {xyz_m: [0, 0, 2.5], yaw_deg: 0}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]]}
"""


def test_no_camera_password_goes_over_the_broker_and_the_rest_stays(tmp_path: Path) -> None:
    site = parse_site(SITE, name="site.yaml", folder=tmp_path)
    said = without_secrets(SITE, site)
    for secret in ("topsecret", "secret3", "joe"):
        assert secret not in said
    # A replay judges by it.
    again = parse_site(said, name="said", folder=tmp_path, check_files=False)
    assert again.model_copy(update={"cameras": ()}) == site.model_copy(update={"cameras": ()})
    assert [camera.name for camera in again.cameras] == ["c1", "c2", "c4"]
    assert "10.0.0.1" in said


def test_supports_and_marks_are_told(tmp_path: Path) -> None:
    more = """
supports: {first: 7, last: 8, chainage_m: 3.0, spacing_m: 1.5}
marks: [{name: K12, chainage_m: 12}]
"""
    site = parse_site(SITE + more, name="site.yaml", folder=tmp_path)
    said = describe(site, two_cameras(), SITE + more, "ws://127.0.0.1:1/panorama")
    assert said.landmarks == (
        Landmark(name="K12", kind="mark", chainage_m=12.0, reach_m=0.5),
        Landmark(name="7", kind="support", chainage_m=3.0, reach_m=0.75),
        Landmark(name="8", kind="support", chainage_m=4.5, reach_m=0.75),
    )
    text = encode(said, gateway="gw1", seq=1, sent_at_ns=1)
    assert decode(text).body == said
