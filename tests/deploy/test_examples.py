from pathlib import Path

import pytest

from scene.site import parse_site

EXAMPLES = sorted((Path(__file__).parents[2] / "deploy" / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_right(path: Path, tmp_path: Path) -> None:
    site = parse_site(path.read_text(), name=path.name, folder=tmp_path)
    assert all(camera.url.startswith("rtsp://") for camera in site.cameras)
    assert site.broker.url.startswith("mqtts://")
    assert site.broker.key_file == tmp_path / "certs" / "client.key"
    # A unit may write nowhere else.
    state = Path("/var/lib/lamproom/gateway")
    assert site.state_folder == state
    assert site.rig.file.is_relative_to(state)


def test_there_is_one_of_each_kind(tmp_path: Path) -> None:
    sites = [parse_site(p.read_text(), name=p.name, folder=tmp_path) for p in EXAMPLES]
    assert {(site.rig.kind, len(site.cameras)) for site in sites} == {("rotation", 4), ("strip", 6)}
