"""How the control room's API says no: JSON with one sentence, `{"error": "…"}`.

Knows nothing about what was asked.
"""

from starlette.responses import JSONResponse

from control_room.complaints import printable


def sorry(why: object, status: int) -> JSONResponse:
    """Answer with the reason; what somebody sent may stand in it, but steers no terminal."""
    return JSONResponse({"error": printable(str(why))}, status_code=status)
