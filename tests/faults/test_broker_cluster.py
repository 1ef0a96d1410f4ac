"""Nodes of a NATS cluster are killed, or have no room left, while alarms go over it."""

import contextlib
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.nats_cluster import NATS, NO_NATS
from tests.edge.mine_certificates import SITE
from tests.faults.cluster_stage import ClusterStage, at_cluster, now_s
from tests.faults.loop_disk import loop_disk, no_loop_disk
from tests.faults.size import NODE_KILLS

pytestmark = pytest.mark.skipif(not NATS, reason=NO_NATS)
GATEWAY = f"gw1-{SITE}"
"""How the gateway's sender is called at the broker."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterStage]:
    with at_cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


def is_well(stage: ClusterStage) -> bool:
    return (
        all(map(stage.nodes.is_well, range(3)))
        and stage.nodes.leader() is not None
        and stage.nodes.serving(GATEWAY) is not None
    )


def nothing_is_lost(stage: ClusterStage, noted: list[str]) -> None:
    """Wait until all that was noted is in the journal; there is no waiting for what is lost."""
    stage.wait_until(lambda: not set(noted) - set(stage.arrived()))
    rows = stage.rows()
    assert len(rows) == len({alarm for alarm, _ in rows}), "doubled in the journal"


@pytest.mark.parametrize("number", range(NODE_KILLS))
def test_a_node_that_is_killed_costs_no_alarm(stage: ClusterStage, number: int) -> None:
    """In turns the one that has the gateway, and the one that leads what is kept."""
    stage.wait_until(lambda: is_well(stage))
    nodes = stage.nodes
    victim = nodes.serving(GATEWAY) if number % 2 == 0 else nodes.leader()
    assert victim is not None
    before = len(stage.noted())
    nodes.kill(victim)
    killed_s, began_s = now_s(), time.monotonic()
    stage.wait_until(lambda: len(stage.noted()) > before + 40)  # alarms go on, heard or not
    during = stage.noted()
    nothing_is_lost(stage, during)
    pause_s = longest_pause_s(stage, during[before:])
    siren = [f"{at_s - killed_s:.1f} s" for at_s in stage.siren("control_room_silent", killed_s)]
    silent = [f"{at_s - killed_s:.1f} s" for at_s in stage.raised_s("gateway_silent", killed_s)]
    print(
        f"node {victim + 1} killed: longest wait of an alarm {pause_s:.1f} s, all there after "
        f"{time.monotonic() - began_s:.1f} s, siren {siren}, gateway silent {silent}"
    )
    nodes.start(victim)


def longest_pause_s(stage: ClusterStage, alarms: list[str]) -> float:
    arrived = stage.arrived()
    return max(arrived[alarm] for alarm in alarms)


def test_without_a_cluster_both_sides_are_alarmed_and_afterwards_nothing_is_lost(
    stage: ClusterStage,
) -> None:
    """Two of three nodes are gone: what is left may decide nothing, and lets nobody in."""
    stage.wait_until(lambda: is_well(stage) and stage.siren_is_off())
    nodes = stage.nodes
    serving = nodes.serving(GATEWAY)
    assert serving is not None
    killed = [serving, (serving + 1) % 3]
    for at in killed:
        nodes.kill(at)
    killed_s = now_s()
    # What follows happens before anything is mended: it may not wait for that.
    stage.wait_until(lambda: bool(stage.siren("control_room_silent", killed_s)))
    stage.wait_until(lambda: bool(stage.raised_s("gateway_silent", killed_s)))
    told_s = stage.raised_s("gateway_silent", killed_s)[0] - killed_s
    siren_s = stage.siren("control_room_silent", killed_s)[0] - killed_s
    print(f"cluster gone: siren after {siren_s:.1f} s, gateway silent after {told_s:.1f} s")
    noted = stage.noted()
    for at in killed:
        nodes.start(at)
    stage.wait_until(lambda: is_well(stage))
    stage.wait_until(lambda: bool(stage.siren("over", killed_s)))
    nothing_is_lost(stage, [*noted, *itertools.islice(stage.noted(), len(noted), None)])


@pytest.mark.skipif(NODE_KILLS < 10, reason="make faults")
@pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk())
def test_a_node_without_room_on_its_disk_costs_no_alarm(tmp_path: Path) -> None:
    with (
        loop_disk(tmp_path) as (_, disk),
        at_cluster(tmp_path, first_state=disk / "state") as stage,
    ):
        stage.wait_until(lambda: is_well(stage))
        before, full_s = len(stage.noted()), now_s()
        served, led = stage.nodes.serving(GATEWAY) == 0, stage.nodes.leader() == 0
        fill(disk)
        stage.wait_until(lambda: len(stage.noted()) > before + 200)
        noted = stage.noted()
        nothing_is_lost(stage, noted)
        siren = [f"{at_s - full_s:.1f} s" for at_s in stage.siren("control_room_silent", full_s)]
        print(
            f"disk of node 1 full (it had the gateway: {served}, it led: {led}): longest wait of "
            f"an alarm {longest_pause_s(stage, noted[before:]):.1f} s, siren {siren}; the node "
            f"says: {no_room_words(stage.nodes.log(0))}"
        )


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "full").open("wb", buffering=0) as file:
        while file.write(bytes(1 << 20)):
            pass
    with contextlib.suppress(OSError), (disk / "fuller").open("wb", buffering=0) as file:
        while file.write(bytes(512)):
            pass


def no_room_words(log: str) -> str:
    """Give what a node has said about its disk."""
    told = [line for line in log.splitlines() if "no space" in line or "DISABLED" in line]
    return told[0].partition("] ")[2] if told else "nothing"
