"""Finds ONVIF cameras on the networks of this machine, by their address and name.

Knows nothing about streams, users or passwords: a camera tells its stream only to who logs in.
WS-Discovery 1.1 over UDP multicast as ONVIF's core specification asks for (chapter 7): a probe for
network video transmitters is sent, cameras answer one by one.
"""

import re
import socket
import struct
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

GROUP, PORT = "239.255.255.250", 3702
WAIT_S = 3.0
"""Cameras wait up to half a second before they answer, so that not all do at once."""
AGAIN_S = 0.5
"""A probe may get lost, so each is sent twice."""
LONGEST_BYTES = 65_536
LONGEST_TEXT = 80

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_NETWORK = "http://www.onvif.org/ver10/network/wsdl"
_PROBE = f"""<?xml version="1.0" encoding="UTF-8"?>
<e:Envelope xmlns:e="{_SOAP}" xmlns:w="{_ADDRESSING}" xmlns:d="{_DISCOVERY}" xmlns:dn="{_NETWORK}">
<e:Header><w:MessageID>{{message}}</w:MessageID>
<w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>
<w:Action>{_DISCOVERY}/Probe</w:Action></e:Header>
<e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"""
_SCOPE = "onvif://www.onvif.org/"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FoundCamera:
    """One camera that answered. What it says of itself is text from elsewhere, cut and cleaned."""

    address: str
    """Host name or IP address."""
    name: str = ""
    hardware: str = ""


def discover(
    wait_s: float = WAIT_S, to: tuple[str, int] = (GROUP, PORT)
) -> tuple[FoundCamera, ...]:
    """Ask on every network and wait for answers; each camera once, by address.

    Raises OSError when nothing can be sent on any network.
    """
    message = f"urn:uuid:{uuid.uuid4()}"
    probe = _PROBE.format(message=message).encode()
    found: dict[str, FoundCamera] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("", 0))
        _send(line, probe, to)
        until_s, again_s = time.monotonic() + wait_s, time.monotonic() + AGAIN_S
        while (left_s := until_s - time.monotonic()) > 0:
            if time.monotonic() >= again_s:
                _send(line, probe, to)
                again_s = float("inf")
            line.settimeout(min(left_s, 0.1))
            try:
                answer, _ = line.recvfrom(LONGEST_BYTES)
            except TimeoutError:
                continue
            except OSError:  # one machine refuses (ICMP): others may still answer
                continue
            for camera in cameras_in(answer, message):
                found.setdefault(camera.address, camera)
    return tuple(sorted(found.values()))


def cameras_in(answer: bytes, message: str) -> tuple[FoundCamera, ...]:
    """Read an answer to the probe of that message id; what is none gives nothing.

    Anybody on the network may send anything: no entities are read, and nothing raises.
    """
    try:
        text = answer.decode()  # SOAP over UDP is UTF-8; in others a DOCTYPE could hide
        if "<!DOCTYPE" in text or len(answer) >= LONGEST_BYTES:
            return ()
        envelope = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return ()
    relates = envelope.iter(f"{{{_ADDRESSING}}}RelatesTo")
    if message not in {(one.text or "").strip() for one in relates}:
        return ()
    matches = envelope.iter(f"{{{_DISCOVERY}}}ProbeMatch")
    cameras = (_camera(match) for match in matches)
    return tuple(camera for camera in cameras if camera is not None)


def _camera(match: ElementTree.Element) -> FoundCamera | None:
    scopes = (match.findtext(f"{{{_DISCOVERY}}}Scopes") or "").split()
    for url in (match.findtext(f"{{{_DISCOVERY}}}XAddrs") or "").split():
        try:
            host = urlsplit(url).hostname  # what stands before an @ is left out
        except ValueError:
            continue
        if host and re.fullmatch(r"[0-9A-Za-z.:%_-]{1,253}", host):
            return FoundCamera(
                address=host, name=_scope(scopes, "name"), hardware=_scope(scopes, "hardware")
            )
    return None


def _scope(scopes: Iterable[str], what: str) -> str:
    """Read one scope as a line of plain text."""
    prefix = f"{_SCOPE}{what}/"
    text = next((one[len(prefix) :] for one in scopes if one.startswith(prefix)), "")
    return "".join(one for one in unquote(text) if one.isprintable())[:LONGEST_TEXT]


def _send(line: socket.socket, probe: bytes, to: tuple[str, int]) -> None:
    """Send on every network that there is; one that is down is passed over, not all."""
    if to[0] != GROUP:
        line.sendto(probe, to)
        return
    sent, trouble = 0, OSError("this machine has no network")
    for index, _ in socket.if_nameindex():
        try:
            # struct ip_mreqn: group, local address, index of the interface.
            line.setsockopt(
                socket.IPPROTO_IP,
                socket.IP_MULTICAST_IF,
                struct.pack("=4s4si", bytes(4), bytes(4), index),
            )
            line.sendto(probe, to)
            sent += 1
        except OSError as error:
            trouble = error
    if not sent:
        raise trouble
