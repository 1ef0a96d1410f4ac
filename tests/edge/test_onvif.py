"""Cameras are asked for over real UDP; whatever answers, nothing breaks and no password shows."""

import argparse
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from edge import doctor, onvif
from edge.onvif import FoundCamera, cameras_in, discover

ANSWER = """<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">
<s:Header><a:RelatesTo>{message}</a:RelatesTo></s:Header>
<s:Body><d:ProbeMatches><d:ProbeMatch>
<d:Types>dn:NetworkVideoTransmitter</d:Types>
<d:Scopes>onvif://www.onvif.org/type/video_encoder {scopes}</d:Scopes>
<d:XAddrs>{urls}</d:XAddrs>
</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"""
SCOPES = "onvif://www.onvif.org/name/Face%20camera%204 onvif://www.onvif.org/hardware/IPC-7"
MESSAGE = "urn:uuid:1"

Answers = Callable[[str], list[bytes]]


def answer(
    message: str = MESSAGE, urls: str = "http://10.0.0.4/onvif/device_service", scopes: str = SCOPES
) -> bytes:
    return ANSWER.format(message=message, urls=urls, scopes=scopes).encode()


@contextmanager
def responder(line: socket.socket, answers: Answers) -> Iterator[list[bytes]]:
    """Answer every probe until the end, as a camera does; gives the probes that came."""
    probes: list[bytes] = []
    line.settimeout(0.1)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                probe, sender = line.recvfrom(65_536)
            except TimeoutError:
                continue
            probes.append(probe)
            found = re.search(rb"MessageID>([^<]+)<", probe)
            assert found is not None
            for one in answers(found[1].decode()):
                line.sendto(one, sender)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield probes
    finally:
        over.set()
        thread.join()
        line.close()


def loopback() -> socket.socket:
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.bind(("127.0.0.1", 0))
    return line


def test_a_camera_that_answers_is_listed_once_with_address_and_name() -> None:
    line = loopback()
    port = line.getsockname()[1]
    with responder(line, lambda message: [answer(message), answer(message)]) as probes:
        found = discover(1.0, ("127.0.0.1", port))
    assert found == (FoundCamera(address="10.0.0.4", name="Face camera 4", hardware="IPC-7"),)
    assert len(probes) == 2, "a probe may get lost"
    assert b"NetworkVideoTransmitter" in probes[0]


def test_noise_and_answers_to_others_hide_no_camera() -> None:
    line = loopback()
    port = line.getsockname()[1]
    noise = [b"", b"\xff\xfe\x00", b"<a>" * 5000, answer("urn:uuid:of-another")]
    with responder(line, lambda message: [*noise, answer(message)]):
        found = discover(1.0, ("127.0.0.1", port))
    assert [camera.address for camera in found] == ["10.0.0.4"]


def test_a_real_multicast_reaches_a_camera_on_some_network() -> None:
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    joined = 0
    line.bind(("", onvif.PORT))
    for index, _ in socket.if_nameindex():
        group = struct.pack("=4s4si", socket.inet_aton(onvif.GROUP), bytes(4), index)
        try:
            line.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
            joined += 1
        except OSError:
            continue
    if not joined:
        line.close()
        pytest.skip("no network here takes part in multicast")
    with responder(line, lambda message: [answer(message)]):
        found = discover(1.5)
    assert "10.0.0.4" in [camera.address for camera in found]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (answer(urls="http://admin:geheim@10.0.0.5:8080/x"), [FoundCamera(address="10.0.0.5")]),
        (answer(urls="http://[fe80::1]/x http://10.0.0.6/x"), [FoundCamera(address="fe80::1")]),
        (answer(urls="http://[bad/x http://10.0.0.6/x"), [FoundCamera(address="10.0.0.6")]),
        (answer(urls=""), []),
        (answer(urls="http://a%1b[31mb/x"), []),
        (answer("urn:uuid:2"), []),
        (answer().replace(b"ProbeMatch>", b"Other>"), []),
        (answer()[:200], []),
        (answer().decode().encode("utf-16"), []),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + answer().split(b"?>", 1)[1], []),
    ],
)
def test_an_answer_is_read_with_care(sent: bytes, expected: list[FoundCamera]) -> None:
    found = cameras_in(sent, MESSAGE)
    assert [camera.address for camera in found] == [camera.address for camera in expected]
    assert "geheim" not in repr(found)


def test_a_name_is_one_short_line_whatever_a_camera_says() -> None:
    scopes = "onvif://www.onvif.org/name/a%1b%0ab" + "c" * 500
    (camera,) = cameras_in(answer(scopes=scopes), MESSAGE)
    assert camera.name.startswith("abccc")
    assert len(camera.name) == onvif.LONGEST_TEXT


def test_the_doctor_lists_cameras_when_asked_and_only_notes_that_there_are_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = loopback()
    at = ("127.0.0.1", line.getsockname()[1])
    monkeypatch.setattr(doctor, "discover", lambda: discover(0.8, at))
    with responder(line, lambda message: [answer(message)]):
        assert doctor.run(argparse.Namespace(quiet=False, cameras=True, site=None)) == 0
    assert "ok    camera at 10.0.0.4: Face camera 4, IPC-7" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "discover", lambda: discover(0.2, at))
    assert doctor.run(argparse.Namespace(quiet=False, cameras=True, site=None)) == 0
    assert "note  no camera answers" in capsys.readouterr().out


def test_a_machine_without_a_network_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.onvif.socket.if_nameindex", list)
    (finding,) = doctor.look_for_cameras()
    assert "this machine has no network" in finding.text
    assert not finding.good
    assert not finding.needed
