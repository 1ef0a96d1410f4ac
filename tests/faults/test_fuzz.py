"""Broken messages and files by the thousand: each is read, or refused with one clear error."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from scene.errors import LamproomError, RigError, SiteError, WireError
from scene.geometry import rays
from scene.messages import (
    GatewayState,
    MachinePlace,
    Machines,
    Order,
    Receipt,
    TagFix,
    Tags,
)
from scene.rig import Rig, parse_rig
from scene.site import Site, parse_site
from scene.wire import Envelope, decode, encode
from tests.control_room.fake_gateway import alarm, description, health, people_at
from tests.faults.mutate import cases, written
from tests.faults.size import FUZZ_CASES

SAMPLES = Path(__file__).parents[2] / "sample_videos"
SEED = 20261129
LONGEST_S = 5.0
"""CPU time of one case; a hang would be hours."""
LONGEST_TEXT = 10_000


def messages() -> list[Any]:
    now_ns = 1_790_000_000_000_000_000
    said = (
        people_at(3, now_ns, names={1: "Zhang"}),
        alarm(at_ns=now_ns),
        health(now_ns),
        description(),
        GatewayState(online=True, since_ns=5),
        Receipt(alarm="man_down-3", state="active", stored_at_ns=now_ns, captured_at_ns=now_ns),
        Order(alarm="a", action="end", by="Li", reason="seen", ordered_at_ns=now_ns),
        Tags(
            captured_at_ns=now_ns,
            fixes=(TagFix(tag="17", xy_m=(1.0, 2.0), sigma_m=0.3, at_ns=now_ns),),
        ),
        Machines(
            captured_at_ns=now_ns,
            machines=(MachinePlace(machine="shearer", xy_m=(1.0, 2.0), at_ns=now_ns),),
        ),
    )
    return [json.loads(encode(one, gateway="gw1", seq=7, sent_at_ns=now_ns)) for one in said]


def sites() -> list[Any]:
    found = [yaml.safe_load(file.read_text()) for file in sorted(SAMPLES.glob("*/site.yaml"))]
    for site in found:
        for camera in site["cameras"]:
            camera["url"] = "rtsp://10.0.0.4/1"  # whether files are there is another question
    return [*found, *(alone(site) for site in found for _ in range(3))]


def rigs() -> list[Any]:
    found = [yaml.safe_load(file.read_text()) for file in sorted(SAMPLES.glob("*/rig.yaml"))]
    return [*found, *(alone(rig) for rig in found for _ in range(3))]


def alone(tree: Any) -> Any:
    """Leave one camera of a site or rig: less to read, so changes hit more of what is odd."""
    first = tree["cameras"][0]["name"]

    def kept(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: kept(value) for key, value in part.items()}
        if not isinstance(part, list):
            return part
        its = [kept(item) for item in part if not other(item)]
        return its if len(its) == len(part) else its[:4]

    def other(item: Any) -> bool:
        named = item.get("camera", item.get("name", "")) if isinstance(item, dict) else ""
        return str(named).startswith("cam") and named != first

    return kept(tree)


def read_message(text: str) -> None:
    envelope = decode(text.encode("utf-8", "surrogatepass"))
    again = encode(
        envelope.body, gateway=envelope.gateway, seq=envelope.seq, sent_at_ns=envelope.sent_at_ns
    )
    assert isinstance(envelope, Envelope)
    assert decode(again).body == envelope.body


def read_site(text: str) -> None:
    assert isinstance(parse_site(text, name="site.yaml", folder=Path()), Site)


def read_rig(text: str) -> None:
    rig = parse_rig(text, name="rig.yaml")
    assert isinstance(rig, Rig)
    assert len(rig.id) == 12
    for camera in rig.cameras:
        assert np.isfinite(camera.camera_from_mine).all()
        assert np.isfinite(rays(camera, np.array([[3.0, 4.0]]))).all()


TARGETS: dict[str, tuple[Callable[[], list[Any]], Callable[[str], None], type[LamproomError]]] = {
    "wire": (messages, read_message, WireError),
    "site": (sites, read_site, SiteError),
    "rig": (rigs, read_rig, RigError),
}


@pytest.mark.parametrize("target", TARGETS)
def test_every_case_is_read_or_refused_clearly(target: str) -> None:
    make, read, refusal = TARGETS[target]
    seeds, dice = make(), random.Random(SEED)
    for seed in seeds:
        read(written(seed))  # the good ones are good
    refused = slowest_s = 0.0
    for _ in range(FUZZ_CASES[target]):
        text = cases(seeds, dice)
        started_s = time.process_time()
        try:
            read(text)
        except refusal as error:
            refused += 1
            told = str(error)
            assert 0 < len(told) < LONGEST_TEXT, f"{told[:300]} for {text[:2000]}"
            assert all(c.isprintable() or c == "\n" for c in told), f"{told!r} for {text[:2000]}"
        except Exception as error:
            raise AssertionError(f"{error!r} for {text[:3000]}") from error
        slowest_s = max(slowest_s, time.process_time() - started_s)
    print(
        f"{target}: {FUZZ_CASES[target]} cases, {refused:.0f} refused, "
        f"slowest {1000 * slowest_s:.0f} ms"
    )
    assert 0.2 < refused / FUZZ_CASES[target] < 1.0, "the cases are too tame, or all alike"
    assert slowest_s < LONGEST_S
