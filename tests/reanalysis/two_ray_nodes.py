"""Two Ray nodes on this machine, as a program: says the address and the second node's process.

`kill` on its standard input kills the second node at once, the end of the input ends all.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

STORE_BYTES = 100 * 2**20
NODE = {
    "num_cpus": 1,
    "num_gpus": 0,
    "object_store_memory": STORE_BYTES,
    "include_dashboard": False,
}


TRIES = 5
"""Ray gives each of its parts half a minute to start, which is little on a busy machine."""


def main(folder: str) -> None:
    """Run until the input ends; `RAY_TMPDIR` is the folder, too."""
    Path(folder, "ray").mkdir(exist_ok=True)
    cluster, second = _started({**NODE, "temp_dir": f"{folder}/ray"}, TRIES)
    print(cluster.address, second.all_processes["raylet"][0].process.pid, flush=True)
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(second, allow_graceful=False)
            print("killed", flush=True)
    cluster.shutdown()


def _started(head: dict[str, Any], tries: int) -> tuple[Any, Any]:
    cluster = import_module("ray.cluster_utils").Cluster()
    try:
        cluster.add_node(**head)
        return cluster, cluster.add_node(**NODE)
    except Exception:
        cluster.shutdown()
        if tries == 1:
            raise
    return _started(head, tries - 1)


if __name__ == "__main__":
    main(sys.argv[1])
