"""What is wrong with Kubernetes manifests beyond their schema, in lines; none if all is well."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from edge.guardian import STOP_LIMIT_S
from tests.deploy.compose_checks import (
    OURS,
    PROBES,
    bytes_of,
    command_faults,
    environment_faults,
    files_in,
    image_faults,
    name_of,
)

Json = dict[str, Any]
Keys = Mapping[str, set[str]]
"""Of each secret and config map that is made by hand: the names of what is in it."""
SETS = ("Deployment", "StatefulSet", "Job")
MADE_BY_K3S = {"kube-system", "monitoring"}


def faults(manifests: list[Json], made: Keys) -> list[str]:
    """Look at everything that is applied together; `made` is what was made before."""
    found = []
    for one in manifests:
        named = f"{one['kind']} {one['metadata']['name']}"
        if one["kind"] == "Secret":
            found.append(f"{named}: a secret stands in a file")
        if one["kind"] in SETS:
            found += [f"{named}: {fault}" for fault in _set(one, manifests, made)]
        if one["kind"] in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
            found += [f"{named}: {fault}" for fault in _about_pods(one, manifests)]
    found += _unguarded(manifests)
    return found


def pod_of(manifest: Json) -> Json:
    """Give the pod of a set."""
    pod: Json = manifest["spec"]["template"]["spec"]
    return pod


def sets(manifests: list[Json]) -> list[Json]:
    """List what makes pods."""
    return [one for one in manifests if one["kind"] in SETS]


def _set(one: Json, manifests: list[Json], made: Keys) -> Iterator[str]:
    pod, spec = pod_of(one), one["spec"]
    if pod.get("automountServiceAccountToken") is not False:
        yield "it could speak to the cluster"
    if one["kind"] == "Deployment" and spec["strategy"]["type"] != "Recreate":
        yield "two may run at once"
    if one["kind"] != "Job" and spec.get("replicas") != 1 and _app(one) != "nats":
        yield "more than one runs"
    if one["kind"] == "StatefulSet" and spec.get("podManagementPolicy") != "Parallel":
        yield "a new version waits until the old one is ready"
    own = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ())}
    volumes = {volume["name"]: volume for volume in pod.get("volumes", ())}
    for volume in volumes.values():
        yield from _volume(volume, manifests, made)
    for container in pod["containers"]:
        yield from _container(container, pod, one["kind"])
        mounts = {mount["name"] for mount in container.get("volumeMounts", ())}
        yield from (f"{name}: no such volume" for name in sorted(mounts - set(volumes) - own))
        yield from (f"{name}: nothing mounts it" for name in sorted((set(volumes) | own) - mounts))
        yield from _files(container, volumes, made)
        yield from _variables(container, made)
        if container.get("args", [""])[0] == "run":
            if pod.get("terminationGracePeriodSeconds", 30) < STOP_LIMIT_S:
                yield f"a gateway may take {STOP_LIMIT_S:.0f} s to end"
            yield from _stays(pod)


def _stays(pod: Json) -> Iterator[str]:
    """Look that a gateway is not ended because the cluster does not reach it."""
    for taint in ("unreachable", "not-ready"):
        kept = any(
            one.get("key") == f"node.kubernetes.io/{taint}"
            and one.get("effect") == "NoExecute"
            and "tolerationSeconds" not in one
            for one in pod.get("tolerations", ())
        )
        if not kept:
            yield f"it is ended when its node is {taint}"


def _container(container: Json, pod: Json, kind: str) -> Iterator[str]:
    yield from image_faults(container["image"])
    if name_of(container["image"]) == OURS:
        yield from command_faults(container["args"])
    yield from _rights(container, pod)
    asks, limits = (container["resources"].get(name, {}) for name in ("requests", "limits"))
    if "memory" not in limits or not {"cpu", "memory"} <= set(asks):
        yield "what it takes is not said"
    elif bytes_of(asks["memory"]) > bytes_of(limits["memory"]):
        yield "it asks for more than its limit"
    yield from _probes(container, kind)


def _rights(container: Json, pod: Json) -> Iterator[str]:
    rights = container.get("securityContext", {})
    if rights.get("allowPrivilegeEscalation") is not False:
        yield "it may get new privileges"
    if rights.get("readOnlyRootFilesystem") is not True:
        yield "its root can be written"
    if rights.get("capabilities", {}).get("drop") != ["ALL"] or "add" in rights["capabilities"]:
        yield "it has capabilities"
    who = pod.get("securityContext", {})
    if who.get("runAsNonRoot") is not True or not who.get("runAsUser"):
        yield "it may run as root"
    if who.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "it may call anything of the kernel"
    if any(pod.get(name) for name in ("hostPID", "hostIPC")):
        yield "it sees its node's processes"


def _probes(container: Json, kind: str) -> Iterator[str]:
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
    wanted = () if kind == "Job" else ("livenessProbe", "readinessProbe")
    for probe in wanted:
        if probe not in container:
            yield f"there is no {probe}"
    for probe, path in (
        ("livenessProbe", PROBES[0]),
        ("startupProbe", PROBES[0]),
        ("readinessProbe", PROBES[1]),
    ):
        asked = container.get(probe, {}).get("httpGet")
        if asked is not None and asked["path"] != path:
            yield f"{probe}: {asked['path']}: should be {path}"
        port = (asked or container.get(probe, {}).get("tcpSocket") or {}).get("port")
        if isinstance(port, str) and port not in ports:
            yield f"{probe}: there is no port {port}"
    yield from _served(container, ports)


def _served(container: Json, ports: Mapping[str, int]) -> Iterator[str]:
    said = [word for word in container.get("args", ()) if word.startswith("--port=")]
    for word in said:
        if int(word.partition("=")[2]) != ports.get("page"):
            yield f"{word}: its port is {ports.get('page')}"


def _volume(volume: Json, manifests: list[Json], made: Keys) -> Iterator[str]:
    name = volume["name"]
    if "hostPath" in volume:
        yield f"{name}: is a folder of the node's"
    if "persistentVolumeClaim" in volume:
        claim = volume["persistentVolumeClaim"]["claimName"]
        claims = [one for one in manifests if one["kind"] == "PersistentVolumeClaim"]
        if claim not in [one["metadata"]["name"] for one in claims]:
            yield f"{name}: there is no claim {claim}"
    for kind, field in (("secret", "secretName"), ("configMap", "name")):
        if kind not in volume:
            continue
        where = volume[kind][field]
        if where not in made:
            yield f"{name}: nobody makes {where}"
            continue
        for item in volume[kind].get("items", ()):
            if item["key"] not in made[where]:
                yield f"{where}: there is no {item['key']} in it"
        if kind == "secret" and volume[kind].get("defaultMode", 0o644) & 0o007:
            yield f"{name}: everybody in the container can read it"


def _files(container: Json, volumes: Mapping[str, Json], made: Keys) -> Iterator[str]:
    """Look that each file that is named is there."""
    mounts = container.get("volumeMounts", ())
    said = [str(one.get("value", "")) for one in container.get("env", ())]
    for file in files_in([*container.get("command", ()), *container.get("args", ()), *said]):
        if file.is_relative_to("/usr"):
            continue
        over = [one for one in mounts if file.is_relative_to(one["mountPath"])]
        if not over:
            yield f"{file}: nothing is mounted there"
            continue
        mount = max(over, key=lambda one: len(one["mountPath"]))
        inside = file.relative_to(mount["mountPath"])
        there = _inside(volumes.get(mount["name"], {}), made)
        if there is not None and inside != PurePosixPath(".") and str(inside) not in there:
            yield f"{file}: is not in {mount['name']}"


def _inside(volume: Json, made: Keys) -> set[str] | None:
    for kind, field in (("secret", "secretName"), ("configMap", "name")):
        if kind in volume:
            if "items" in volume[kind]:
                return {item["path"] for item in volume[kind]["items"]}
            return made.get(volume[kind][field], set())
    return None


def _variables(container: Json, made: Keys) -> Iterator[str]:
    yield from environment_faults(
        container["image"], {one["name"] for one in container.get("env", ())}
    )
    for one in container.get("env", ()):
        key = one.get("valueFrom", {}).get("secretKeyRef")
        if key is not None and key["key"] not in made.get(key["name"], set()):
            yield f"{one['name']}: there is no {key['key']} in {key['name']}"
        if re.search(r"PASSWORD$|SECRET|TOKEN", one["name"]) and "value" in one:
            yield f"{one['name']}: a secret stands in a file"


def _app(one: Json) -> str:
    return labels_of(one).get("app", "")


def _about_pods(one: Json, manifests: list[Json]) -> Iterator[str]:
    """Look that a service, budget or policy is about pods that there are, and ports of theirs."""
    spec = one["spec"]
    selectors = {
        "Service": spec.get("selector"),
        "PodDisruptionBudget": spec.get("selector", {}).get("matchLabels"),
        "NetworkPolicy": spec.get("podSelector", {}).get("matchLabels"),
    }
    wanted = selectors[one["kind"]] or {}
    pods = [each for each in sets(manifests) if wanted.items() <= labels_of(each).items()]
    if wanted and not pods:
        yield f"there are no pods {wanted}"
    ports = {
        port["name"]
        for each in pods
        for container in pod_of(each)["containers"]
        for port in container.get("ports", ())
    }
    asked = [port.get("targetPort") for port in spec.get("ports", ())]
    asked += [
        port["port"]
        for rule in spec.get("ingress", ())
        for port in rule.get("ports", ())
        if isinstance(port["port"], str)
    ]
    yield from (f"there is no port {name}" for name in asked if name not in ports)


def labels_of(one: Json) -> dict[str, str]:
    """Give what is said of a set's pods."""
    found: dict[str, str] = one["spec"]["template"].get("metadata", {}).get("labels", {})
    return found


def _unguarded(manifests: list[Json]) -> Iterator[str]:
    """Find pods without a budget or a policy of their own."""
    for kind in ("PodDisruptionBudget", "NetworkPolicy"):
        about = [
            one["spec"].get("selector", one["spec"].get("podSelector", {})).get("matchLabels", {})
            for one in manifests
            if one["kind"] == kind
        ]
        for one in sets(manifests):
            guarded = any(labels and labels.items() <= labels_of(one).items() for labels in about)
            if one["kind"] != "Job" and not guarded:
                yield f"{one['metadata']['name']}: has no {kind}"
