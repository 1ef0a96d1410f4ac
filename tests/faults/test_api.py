"""Schemathesis over the whole API for long: no answer is a fault of ours, each is as described."""

from pathlib import Path

import pytest

from control_room.access.roles import ROLES, Role
from tests.control_room.schema_run import furnished, run
from tests.faults.size import API_EXAMPLES


@pytest.mark.skipif(
    API_EXAMPLES == 0, reason="long: make faults; a short one is test_api_schema.py"
)
@pytest.mark.parametrize("role", [None, *ROLES])
def test_no_request_is_answered_otherwise_than_described(
    role: Role | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with furnished(tmp_path, monkeypatch) as home:
        phases = "examples,coverage,fuzzing"
        print(run(home, role, tmp_path, phases, API_EXAMPLES, surprise=True)[-500:])
