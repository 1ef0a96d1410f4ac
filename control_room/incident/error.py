"""What goes wrong with an export. Knows nothing else."""

from scene.errors import LamproomError


class IncidentError(LamproomError):
    """An export can't be made or read; names the file and what to do."""

    def __init__(self, text: str, chinese: str = "") -> None:
        super().__init__(text)
        self.chinese = chinese
        """The same for whoever looks at the page; empty where there are no words."""
