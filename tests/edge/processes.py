"""What tests ask about processes, read from `/proc`."""

from pathlib import Path


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead and was not fetched does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def name_of(pid: int) -> str:
    """Give a process's name, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def below(pid: int | str) -> list[int]:
    """List all processes below one, parents before children."""
    found: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for word in (thread / "children").read_text().split():
                found += [int(word), *below(word)]
    except OSError:  # it has just ended
        pass
    return found


def pid_below(pid: int | str, name: str) -> int:
    """Find the process of that name below one."""
    for child in below(pid):
        if name_of(child) == name:
            return child
    raise AssertionError(f"no {name} is running")
