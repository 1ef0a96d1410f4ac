from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_room.journal.database import Place
from tests.control_room.postgres import NO_POSTGRES, Postgres, has_postgres, postgres

CHROMIUM = Path("/usr/bin/chromium")
SHOTS = Path(__file__).parents[2] / "build" / "screenshots"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium; one per module, because Playwright keeps an event loop running."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing; install it with `apt-get install chromium`")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


class Tab:
    """One page in a fresh browser profile, and what it complained of."""

    def __init__(self, browser: Any, name: str) -> None:
        self._context = browser.new_context(viewport={"width": 1500, "height": 900}, locale="en-GB")
        self.page = self._context.new_page()
        self.page.set_default_timeout(20_000)
        self.complaints: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._name = name

    def _note(self, said: Any) -> None:
        ours = "willReadFrequently" in said.text  # only because the tests read pixels back
        if said.type in ("error", "warning") and not ours:
            self.complaints.append(said.text)

    def open(self, url: str) -> Any:
        self.page.goto(url)
        self.page.wait_for_function("() => window.lamproom && lamproom.connected && lamproom.role")
        return self.page

    def shoot(self, what: str) -> None:
        """Keep a picture to look at; no test reads it."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(SHOTS / f"{self._name}-{what}.png"))

    def close(self) -> None:
        self._context.close()


@pytest.fixture
def tab(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Tab]:
    opened = Tab(chromium, request.node.name.removeprefix("test_")[:40])
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A real PostgreSQL server, one for all tests."""
    if not has_postgres():
        pytest.skip(NO_POSTGRES)
    pytest.importorskip("psycopg")
    with postgres() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a journal may lie: what is tested of it must hold for both."""
    if request.param == "sqlite":
        return tmp_path / "new folder" / "journal.sqlite"
    server: Postgres = request.getfixturevalue("server")
    return server.new_database()
