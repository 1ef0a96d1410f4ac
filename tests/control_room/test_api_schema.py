"""The OpenAPI document: it tells what there is, and the server does what it tells."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from control_room.access.roles import API, ROUTES, Role
from control_room.access.users_api import FILE_TROUBLE, REFUSALS
from control_room.journal.journal import Journal
from control_room.open_api import CALLS, PATH, open_api
from control_room.room import Room
from control_room.server import serving
from delivery.stream import stream_packets
from scene.clock import SystemClock
from tests.control_room.access.house import House
from tests.control_room.fake_gateway import GATEWAY, SITE
from tests.control_room.schema_run import DOCUMENT, furnished, run
from tests.write_schemas import as_file


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with furnished(tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
def url() -> Iterator[str]:
    """A control room where no login is asked for."""
    with closing(Journal(None)) as journal:
        room = Room(journal, SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")
        with serving(room, stream_packets) as address:
            yield address


def test_the_published_document_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == as_file(open_api()), "say `make schemas`"


def test_every_route_of_the_api_is_told_with_its_role() -> None:
    assert sorted(CALLS) == sorted(row for row in ROUTES if row.split()[1].startswith(API))
    for row, need in ROUTES.items():
        method, path = row.split()
        if path.startswith(API):
            told = open_api()["paths"][path][method.lower()]
            assert told["x-role"] == need
            assert bool(told["security"]) == (need != "anybody")


def test_the_document_is_whole() -> None:
    named = {f"#/components/schemas/{name}" for name in open_api()["components"]["schemas"]}
    text = json.dumps(open_api())
    assert set(part.split('"')[0] for part in text.split('"$ref": "')[1:]) <= named
    ids = [one["operationId"] for path in open_api()["paths"].values() for one in path.values()]
    assert len(set(ids)) == len(ids)
    for schema in open_api()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_whoever_looks_is_given_the_document(home: House) -> None:
    with home.as_role("viewer") as viewer:
        assert viewer.get(PATH).json() == json.loads(DOCUMENT.read_text(encoding="utf-8"))
    with home.client() as nobody:
        assert nobody.get(PATH).status_code == 401


def told(answer: httpx.Response, method: str, path: str) -> Any:
    """Give what was answered; it is as the document says."""
    operation = open_api()["paths"][path][method]
    said = operation["responses"][str(answer.status_code)]["content"]
    schema = said[answer.headers["content-type"].partition(";")[0]]["schema"]
    found = answer.json()
    jsonschema.validate(found, schema | {"components": open_api()["components"]})
    return found


def test_why_a_user_is_refused_is_told_by_a_code_that_the_document_lists(home: House) -> None:
    path = "/api/users/add"
    responses = open_api()["paths"][path]["post"]["responses"]
    wishes = [{}, {"name": "x" * 500, "role": "viewer", "password": "a" * 20}]
    wishes += [{"name": "王芳", "role": "viewer", "password": "1"}]
    codes = []
    with home.as_role("admin") as admin:
        for wish in wishes:
            answer = admin.post(path, json=wish)
            assert answer.status_code == 400
            headers = responses["400"]["headers"]
            codes.append(answer.headers["Lamproom-Refused"])
            assert codes[-1] in headers["Lamproom-Refused"]["schema"]["enum"]
    assert codes == ["asked", "new_name", "password"]
    everything = {
        code
        for status in ("400", "404", "409")
        for code in responses[status]["headers"]["Lamproom-Refused"]["schema"]["enum"]
    }
    assert everything == {FILE_TROUBLE[1], *(code for _, code in REFUSALS.values())}
    assert "headers" not in open_api()["paths"]["/api/users"]["get"]["responses"]["404"]


def test_where_nobody_has_a_login_there_are_no_users_to_ask_for(url: str) -> None:
    with httpx.Client(base_url=url, headers={"origin": url.rstrip("/")}) as anybody:
        assert told(anybody.get("/api/me"), "get", "/api/me")["login"] is False
        for row in CALLS:
            method, path = row.split()
            if path.startswith("/api/users"):
                answer = anybody.request(method, path, json={"name": "Wang Fang"})
                assert answer.status_code == 404
                assert "no such thing" in told(answer, method.lower(), path)["error"]
    assert "all of `/api/users` answers 404" in open_api()["info"]["description"]


def test_what_is_there_is_told_as_the_document_says(home: House) -> None:
    which = {"site": SITE, "gateway": GATEWAY, "id": "man_down-1"}
    with home.as_role("admin") as admin:

        def get(path: str, **query: Any) -> Any:
            real = path.replace("{site}", SITE)
            return told(admin.get(real, params=query), "get", path)

        def post(path: str, **body: Any) -> Any:
            return told(admin.post(path, json=body), "post", path)

        assert post("/api/alarms/acknowledge", **which)["acknowledged_by"] == "Ada"
        shelved = post("/api/alarms/shelve", **which, reason="repair", minutes=5)
        assert shelved["shelved"]["reason"] == "repair"
        assert post("/api/alarms/unshelve", **which)["phase"] == "unacknowledged"
        assert post("/api/alarms/end", **which, reason="carried out")["ending"]["by"] == "Ada"
        assert (
            "no such alarm" in post("/api/alarms/end", **which | {"id": "x"}, reason="x")["error"]
        )
        cannot = post("/api/alarms/end", **which | {"id": "lost"}, reason="mended")
        assert "ends by itself" in cannot["error"]
        alarms = get("/api/alarms/history")
        assert {one["anomaly"]["state"] for one in alarms} == {"active", "cleared"}
        assert len(get("/api/alarms/acts", **which)) == 4
        assert "give site" in get("/api/alarms/acts", site=SITE)["error"]
        assert get("/api/alarm-rate")["last_hour"] >= 6
        assert get("/api/muster/{site}")["here"]
        for what, least in (("alarms", 6), ("acts", 6), ("positions", 2)):
            page = get("/api/history", what=what, limit=2)
            assert len(page["rows"]) == 2
            rest = get("/api/history", what=what, after=page["after"]) if page["after"] else page
            assert len(rest["rows"]) + 2 >= least
            assert len(get("/api/history", what=what, format="json")) >= least
        assert "no such parameter" in get("/api/history", odd=1)["error"]
        made = {"name": "Wang Fang", "role": "viewer", "password": "another long password"}
        assert "Wang Fang" in [one["name"] for one in post("/api/users/add", **made)]
        assert "already" in post("/api/users/add", **made)["error"]
        assert post("/api/users/remove", name="Wang Fang") == get("/api/users")
        assert "no such user" in post("/api/users/remove", name="Wang Fang")["error"]
        assert get("/api/me")["role"] == "admin"


@pytest.mark.parametrize("path", ["/api/nothing", "/api/", "/api/alarms/", "/api/users/explode"])
def test_what_is_not_there_is_told_like_all_else(home: House, path: str) -> None:
    with home.as_role("admin") as admin:
        for method in ("GET", "POST", "DELETE"):
            answer = admin.request(method, path)
            assert (answer.status_code, list(answer.json())) == (404, ["error"]), method


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/alarms/end", "POST"),
        ("POST", "/api/alarms/acts", "GET, HEAD"),
        ("PUT", "/api/users", "GET, HEAD"),
        ("DELETE", "/main.js", "GET, HEAD"),
    ],
)
def test_what_can_not_be_done_somewhere_names_what_can(
    home: House, method: str, path: str, allowed: str
) -> None:
    with home.as_role("admin") as admin:
        answer = admin.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
        assert allowed in answer.json()["error"]


@pytest.mark.parametrize(
    ("role", "phases", "examples"),
    [("admin", "examples,coverage,fuzzing", 3), ("viewer", "fuzzing", 3), (None, "fuzzing", 3)],
)
def test_whatever_is_asked_the_answer_is_as_the_document_says(
    home: House, tmp_path: Path, role: Role | None, phases: str, examples: int
) -> None:
    """Schemathesis asks; more in tests/faults/test_api.py."""
    said = run(home, role, tmp_path, phases, examples)
    assert f"Tested: {len(CALLS)}" in said, said
    if role is not None:
        with home.client(cookies={"lamproom": token_of(tmp_path, role)}) as after:
            assert after.get("/api/me").json()["role"] == role, "it was logged in to the end"


def token_of(folder: Path, role: Role) -> str:
    text = (folder / f"schemathesis-{role}.toml").read_text(encoding="utf-8")
    return text.split('api_key = "')[1].split('"')[0]
