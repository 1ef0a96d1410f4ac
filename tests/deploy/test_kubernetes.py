"""The Kubernetes manifests: strictly by their schemas, and by all that those can't know."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from edge.broker_files.config import PORT as BROKER_PORT
from edge.broker_files.nats import MONITOR_PORT, ROUTE_PORT
from edge.broker_files.nats import PORT as NATS_PORT
from scene.site import PanoramaConfig, parse_site
from tests.deploy import kubernetes_checks
from tests.deploy.compose_checks import bytes_of, filled, seconds_of
from tests.deploy.container_files import (
    DEPLOY,
    EXAMPLES,
    KUBECTL,
    KUBERNETES,
    Json,
    commands,
    compose,
    made_for_kubernetes,
    make_certificates,
    manifests,
    rendered,
)
from tests.deploy.kubernetes_checks import Keys, labels_of, pod_of
from tests.deploy.test_containerfile import VERSION as VERSION_OF_IMAGE

VERSION = kubernetes_validate.latest_version()
ALONE = sorted(
    path
    for path in KUBERNETES.rglob("*.yaml")
    if path.name != "kustomization.yaml" and "gpu" not in path.parts
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("kubernetes")
    make_certificates(folder)
    # The gateway's base names a secret that each overlay names anew.
    found = made_for_kubernetes(folder)
    return {**found, "gateway-site": found["gateway-site-gw1"]}


def all_of_them() -> list[Json]:
    """Give what is applied with one Mosquitto, as it is written."""
    first_user = yaml.safe_load((EXAMPLES[0] / "first-user.yaml").read_text(encoding="utf-8"))
    bases = ("surface", "mosquitto", "gateway")
    return [*(one for base in bases for one in manifests(KUBERNETES / base)), first_user]


@pytest.mark.parametrize("path", ALONE, ids=lambda path: str(path.relative_to(KUBERNETES)))
def test_manifests_are_as_kubernetes_has_them(path: Path) -> None:
    found = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    assert found
    for one in found:
        kubernetes_validate.validate(one, VERSION, strict=True)


def test_a_word_that_kubernetes_does_not_know_is_found() -> None:
    wanted = manifests(KUBERNETES / "gateway")[0]
    pod_of(wanted)["containers"][0]["livenessProbes"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenessProbes"):
        kubernetes_validate.validate(wanted, VERSION, strict=True)


def test_all_in_them_fits_together_and_to_what_lamproom_is(made: Keys) -> None:
    assert kubernetes_checks.faults(all_of_them(), made) == []


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
def test_what_kubectl_makes_of_the_examples_is_right(made: Keys) -> None:
    surface, gateway = (rendered(folder) for folder in EXAMPLES)
    assert kubernetes_checks.faults([*surface, *gateway], made) == []
    check_schemas([*surface, *gateway])
    (pod,) = (pod_of(one) for one in kubernetes_checks.sets(gateway))
    assert pod["nodeSelector"] == {"kubernetes.io/hostname": "gw1"}
    assert pod["volumes"][0]["secret"]["secretName"] == "gateway-site-gw1"


def check_schemas(found: list[Json]) -> None:
    for one in found:
        kubernetes_validate.validate(one, VERSION, strict=True)
        assert one["kind"] == "Namespace" or one["metadata"]["namespace"] == "lamproom"


def with_component(folder: Path, example: Path, name: str) -> list[Json]:
    """Give an example as it is with a component, as the comment in it has it."""
    tree = folder / "kubernetes"
    shutil.copytree(KUBERNETES, tree)
    file = tree / example.relative_to(KUBERNETES) / "kustomization.yaml"
    text = file.read_text(encoding="utf-8")
    assert f"components: [../../{name}]" in text
    if name == "nats":
        assert "resources: [../../surface] and" in text
        text = text.replace(
            "resources: [../../surface, ../../mosquitto]", "resources: [../../surface]"
        )
    if name == "gpu":
        new_tag = f"newTag: {VERSION_OF_IMAGE}-gpu"
        assert f"{new_tag}, and" in text
        text = text.replace(f"newTag: {VERSION_OF_IMAGE}}}", f"{new_tag}}}")
    file.write_text(f"{text}components: [../../{name}]\n", encoding="utf-8")
    return rendered(file.parent)


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
def test_a_gateway_with_a_gpu(made: Keys, tmp_path: Path) -> None:
    gateway = with_component(tmp_path, EXAMPLES[1], "gpu")
    check_schemas(gateway)
    (pod,) = (pod_of(one) for one in kubernetes_checks.sets(gateway))
    assert pod["runtimeClassName"] == "nvidia"
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["image"] == f"lamproom:{VERSION_OF_IMAGE}-gpu"


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
def test_three_nats_nodes_instead_of_mosquitto(made: Keys, tmp_path: Path) -> None:
    surface = with_component(tmp_path, EXAMPLES[0], "nats")
    assert kubernetes_checks.faults(surface, made) == []
    check_schemas(surface)
    nodes = [one for one in kubernetes_checks.sets(surface) if labels_of(one)["app"] == "nats"]
    assert [one["metadata"]["name"] for one in nodes] == ["nats-1", "nats-2", "nats-3"]
    args = pod_of(ROOM(surface))["containers"][0]["args"]
    told = next(word for word in args if word.startswith("--broker="))
    assert told == "--broker=" + "mqtts://" + ",".join(f"nats-{one}:{NATS_PORT}" for one in "123")
    allowed = of("NetworkPolicy", "control-room")(surface)["spec"]["egress"][0]["to"]
    assert allowed == [{"podSelector": {"matchLabels": {"app": "nats"}}}]
    for one in nodes:
        rule = pod_of(one)["affinity"]["podAntiAffinity"]
        (apart,) = rule["requiredDuringSchedulingIgnoredDuringExecution"]
        wanted = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["nats"]}]}
        assert apart["labelSelector"] == wanted, "of all nodes"
        ports = {port["name"]: port["containerPort"] for port in one_container(one)["ports"]}
        assert ports == {"mqtts": NATS_PORT, "routes": ROUTE_PORT}
        assert f":{MONITOR_PORT}/" in one_container(one)["livenessProbe"]["exec"]["command"][-1]


def one_container(one: Json) -> Json:
    (container,) = pod_of(one)["containers"]
    return dict(container)


def of(kind: str, name: str) -> Callable[[list[Json]], Json]:
    return lambda found: next(
        one for one in found if (one["kind"], one["metadata"]["name"]) == (kind, name)
    )


ROOM, GATEWAY = of("Deployment", "control-room"), of("StatefulSet", "gateway")
POD = "spec/template/spec"
BROKEN: dict[str, tuple[Callable[[list[Json]], Json], str, Any, str]] = {
    "token": (ROOM, f"{POD}/automountServiceAccountToken", None, "could speak to the cluster"),
    "rolling": (ROOM, "spec/strategy/type", "RollingUpdate", "two may run at once"),
    "replicas": (ROOM, "spec/replicas", 2, "more than one runs"),
    "mended": (GATEWAY, "spec/podManagementPolicy", "OrderedReady", "waits until the old one"),
    "claim": (ROOM, f"{POD}/volumes/0/persistentVolumeClaim/claimName", "state", "no claim"),
    "secret": (ROOM, f"{POD}/volumes/1/secret/secretName", "certs", "nobody makes certs"),
    "mode": (ROOM, f"{POD}/volumes/1/secret/defaultMode", 0o444, "everybody in the container"),
    "key": (GATEWAY, f"{POD}/volumes/0/secret/items/1/key", "ca.crt", "there is no ca.crt"),
    "path": (GATEWAY, f"{POD}/volumes/0/secret/items/0/path", "s.yaml", "site.yaml: is not in"),
    "file": (ROOM, f"{POD}/containers/0/args/6", "--ca-file=/etc/lamproom/certs/ca.crt", "not in"),
    "mount": (ROOM, f"{POD}/containers/0/volumeMounts/2/name", "keys", "keys: no such volume"),
    "volume": (ROOM, f"{POD}/volumes/5", {"name": "more", "emptyDir": {}}, "more: nothing mounts"),
    "node's": (ROOM, f"{POD}/volumes/4", {"name": "tmp", "hostPath": {}}, "folder of the node's"),
    "option": (ROOM, f"{POD}/containers/0/args/1", "--hosts=0.0.0.0", "--hosts"),
    "variable": (GATEWAY, f"{POD}/containers/0/env/0/name", "LAMPROOM_LOGS", "nobody in"),
    "password": (
        ROOM, f"{POD}/containers/0/env/0", {"name": "PGPASSWORD", "value": "x"}, "stands in a file",
    ),
    "its key": (
        ROOM, f"{POD}/containers/0/env/0/valueFrom/secretKeyRef/key", "pw", "there is no pw",
    ),
    "privileges": (
        ROOM, f"{POD}/containers/0/securityContext/allowPrivilegeEscalation", True, "privileges",
    ),
    "root": (
        ROOM, f"{POD}/containers/0/securityContext/readOnlyRootFilesystem", False, "can be written",
    ),
    "capabilities": (
        ROOM, f"{POD}/containers/0/securityContext/capabilities/drop", [], "has capabilities",
    ),
    "user": (ROOM, f"{POD}/securityContext/runAsUser", None, "may run as root"),
    "kernel": (ROOM, f"{POD}/securityContext/seccompProfile", None, "anything of the kernel"),
    "limit": (ROOM, f"{POD}/containers/0/resources/limits", {}, "what it takes is not said"),
    "request": (ROOM, f"{POD}/containers/0/resources/requests/memory", "9Gi", "more than its"),
    "probe": (GATEWAY, f"{POD}/containers/0/livenessProbe", None, "there is no livenessProbe"),
    "its path": (
        GATEWAY, f"{POD}/containers/0/livenessProbe/httpGet/path", "/readyz", "should be /healthz",
    ),
    "its port": (
        GATEWAY, f"{POD}/containers/0/livenessProbe/httpGet/port", "page", "there is no port page",
    ),
    "port": (ROOM, f"{POD}/containers/0/ports/0/containerPort", 8080, "its port is 8080"),
    "grace": (GATEWAY, f"{POD}/terminationGracePeriodSeconds", 30, "may take 40 s to end"),
    "cut off": (GATEWAY, f"{POD}/tolerations/0/tolerationSeconds", 300, "its node is unreachable"),
    "image": (ROOM, f"{POD}/containers/0/image", "hub.example/lamproom:0.1.0", "a registry"),
    "service": (of("Service", "broker"), "spec/selector/app", "brokers", "there are no pods"),
    "its target": (of("Service", "broker"), "spec/ports/0/targetPort", "mqtt", "no port mqtt"),
    "budget": (
        of("PodDisruptionBudget", "broker"), "spec/selector/matchLabels/app", "x", "has no PodDis",
    ),
    "policy": (
        of("NetworkPolicy", "broker"), "spec/podSelector/matchLabels/app", "x", "has no NetworkPol",
    ),
    "policy's port": (
        of("NetworkPolicy", "broker"), "spec/ingress/0/ports/0/port", "mqtt", "no port mqtt",
    ),
    "inline": (of("PersistentVolumeClaim", "control-room"), "kind", "Secret", "secret stands in"),
}  # fmt: skip


def put(wanted: Json, path: str, value: Any) -> None:
    *before, last = path.split("/")
    place: Any = wanted
    for word in before:
        place = place[int(word) if isinstance(place, list) else word]
    if value is None:
        del place[last]
    elif isinstance(place, list) and int(last) == len(place):
        place.append(value)
    else:
        place[int(last) if isinstance(place, list) else last] = value


@pytest.mark.parametrize("name", BROKEN)
def test_each_mistake_is_found(made: Keys, name: str) -> None:
    which, path, value, said = BROKEN[name]
    wanted = copy.deepcopy(all_of_them())
    put(which(wanted), path, value)
    found = kubernetes_checks.faults(wanted, made)
    assert any(said in fault for fault in found), found


def test_ports_are_those_of_the_code_and_the_examples(tmp_path: Path) -> None:
    example = (DEPLOY / "examples" / "gateway-rotation.yaml").read_text(encoding="utf-8")
    site = parse_site(example, name="site.yaml", folder=tmp_path)
    ports = {
        port["name"]: port["containerPort"]
        for one in all_of_them()
        if one["kind"] in kubernetes_checks.SETS
        for port in pod_of(one)["containers"][0].get("ports", ())
    }
    assert ports["mqtts"] == BROKER_PORT
    assert ports["metrics"] == site.metrics.port
    assert ports["panorama"] == site.panorama.port == PanoramaConfig().port
    args = pod_of(ROOM(all_of_them()))["containers"][0]["args"]
    assert f"--broker=mqtts://broker:{BROKER_PORT}" in args
    policy = of("NetworkPolicy", "control-room")(all_of_them())["spec"]["egress"]
    allowed = {port["port"] for rule in policy for port in rule["ports"]}
    assert allowed == {BROKER_PORT, 5432, ports["panorama"]}


def test_images_limits_and_patience_are_those_of_compose() -> None:
    services = compose()["services"]
    nodes = manifests(KUBERNETES / "nats" / "node")
    seen = set()
    for one in kubernetes_checks.sets([*all_of_them(), *nodes]):
        name, pod, container = one["metadata"]["name"], pod_of(one), one_container(one)
        service = services.get("nats-1" if name == "nats" else name)
        if service is None:
            assert one["kind"] == "Job"
            continue
        seen.add(name)
        assert container["image"] == filled(service["image"], {})
        limits, theirs = container["resources"]["limits"], service["deploy"]["resources"]["limits"]
        assert bytes_of(limits["memory"]) == bytes_of(theirs["memory"])
        assert limits.get("cpu") == theirs.get("cpus")
        grace_s = pod["terminationGracePeriodSeconds"]
        assert grace_s == seconds_of(service["stop_grace_period"])
    assert seen == {"control-room", "broker", "postgres", "gateway", "nats"}


def test_what_the_page_has_one_apply_is_there() -> None:
    for words in commands("kubectl"):
        for option in ("-k", "-f"):
            if option in words:
                assert (DEPLOY.parent / words[words.index(option) + 1]).exists(), words
