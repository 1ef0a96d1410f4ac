"""A Python environment of its own for a package that must not meet ours, made once under `build/`.

Our folder `stitching` has the name of a package on PyPI that we measure ourselves against.
"""

import subprocess
import sys
from pathlib import Path

BUILD = Path("build/bench")
LIMIT_S = 600


def python_with(package: str) -> Path | str:
    """Give the Python of an environment that has a package, or say in a sentence why there is none.

    pip takes the registry that this machine is set to.
    """
    folder = BUILD / f"with-{package}"
    python = folder / "bin" / "python"
    done = folder / "complete"
    if done.exists():
        return python
    try:
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(python), "-m", "pip", "install", "-q", "--no-input", package])
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        return f"not measured: {package} can't be installed here ({said[-1] if said else error})"
    done.touch()
    return python


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT_S)
