from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control_room.access.house import House, house, make_users


@pytest.fixture(scope="module")
def _users(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("users") / "users.yaml"
    make_users(file)
    return file.read_bytes()


@pytest.fixture
def users_file(tmp_path: Path, _users: bytes) -> Path:
    file = tmp_path / "users.yaml"
    file.touch(mode=0o600)
    file.write_bytes(_users)
    return file


@pytest.fixture
def home(users_file: Path) -> Iterator[House]:
    with house(users_file.parent) as opened:
        yield opened
