"""Errors that a user can act on. Knows nothing about where they are shown."""


def printable(text: str, most: int = 300) -> str:
    r"""Give the first `most` signs of a text, with "?" for each that upsets a terminal.

    >>> printable("caf\u00e9\x1b[31m")
    'café?[31m'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text[:most])


def why_unreadable(error: OSError | UnicodeDecodeError) -> str:
    """Say in plain words why a text file can't be read."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is no text (UTF-8)"


class LamproomError(Exception):
    """Something the user can mend; its text names the file, the field and the remedy.

    The command line prints it as one line, without a traceback, and exits with 2.
    """


class SiteError(LamproomError):
    """`site.yaml` is wrong; every mistake is one line `file:line:column: field: remedy`."""


class RigError(LamproomError):
    """A rig file can't be read, or a rig can't be calibrated; names the camera."""


class CameraError(LamproomError):
    """A camera's source can't be opened or decoded; names the camera."""


class ModelError(LamproomError):
    """A detection model can't be used; names the file."""


class BrokerError(LamproomError):
    """The MQTT broker can't be reached or refused us; names the address."""


class CertificateError(LamproomError):
    """A certificate, key or signature can't be made or used; names the file."""


class WireError(LamproomError):
    """A message can't be decoded; names the topic or type and the field."""


class RecordingError(LamproomError):
    """A recording can't be read; names the file."""
