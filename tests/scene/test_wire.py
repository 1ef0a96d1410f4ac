import json
from pathlib import Path

import jsonschema
import pytest

from scene.errors import WireError
from scene.messages import Anomaly, GatewayState, Position, Positions
from scene.topics import TOPICS, parse_topic, topic_filter, topic_name
from scene.wire import MESSAGES, decode, encode, json_schema

SCHEMAS = Path(__file__).parents[2] / "docs" / "wire"

POSITIONS = Positions(
    captured_at_ns=1_790_000_000_123_456_789,
    people=(
        Position(
            track=3,
            xyz_m=(12.5, -0.5, 0.01),
            covariance_m2=((0.04, 0.0), (0.0, 0.09)),
            velocity_m_s=(1.2, 0.0),
            height_m=1.78,
            posture="upright",
            certainty="certainly",
            seen_at_ns=1_790_000_000_100_000_000,
            cameras=("cam1", "cam2"),
            panorama_xy=(811.5, 402.0),
        ),
    ),
)
ALARM = Anomaly(
    id="man_down-3-17",
    kind="man_down",
    severity="critical",
    state="active",
    captured_at_ns=5,
    raised_at_ns=5,
    probability=0.98,
    certainty="certainly",
    track=3,
    xyz_m=(12.5, -0.5, 0.0),
)


@pytest.mark.parametrize("message", [POSITIONS, ALARM, GatewayState(online=False, since_ns=1)])
def test_what_is_sent_is_what_arrives(message: Positions | Anomaly | GatewayState) -> None:
    envelope = decode(encode(message, gateway="gw1", seq=7, sent_at_ns=9))
    assert envelope.body == message
    assert (envelope.gateway, envelope.seq, envelope.sent_at_ns) == ("gw1", 7, 9)


def test_messages_fit_their_published_schema() -> None:
    sent = json.loads(encode(POSITIONS, gateway="gw1", seq=7, sent_at_ns=9))
    jsonschema.validate(sent, json_schema("positions"))
    sent["body"]["people"][0]["posture"] = "flying"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(sent, json_schema("positions"))


@pytest.mark.parametrize("kind", MESSAGES)
def test_the_published_schema_files_are_current(kind: str) -> None:
    published = json.loads((SCHEMAS / f"{kind}.schema.json").read_text(encoding="utf-8"))
    assert published == json_schema(kind), "run `make schemas`"


def good() -> dict[str, object]:
    raw: dict[str, object] = json.loads(encode(ALARM, gateway="gw1", seq=7, sent_at_ns=9))
    return raw


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "not a JSON message"),
        (b"[]", "the JSON is no object"),
        (b"[" * 100_000, "not a JSON message"),
        (b'{"a":1,"a":2}', "stands twice"),
        (b'{"a":NaN}', "NaN is not a number"),
        (b'{"a":' + b"9" * 5000 + b"}", "not a JSON message"),
        (b'{"schema":"lamproom/alarm/2"}', "version 2"),
        (rb'{"schema":"lamproom/alarm/\u001b[2J"}', r"version \?\[2J"),
        (b'{"schema":"other/alarm/1"}', "expected lamproom"),
        (b"\xff\xfe", "not a JSON message"),
        (b" " * 2_000_000, "at most"),
    ],
)
def test_bad_payloads_are_refused_with_a_reason(payload: bytes, expected: str) -> None:
    with pytest.raises(WireError, match=expected):
        decode(payload)


def test_a_bad_field_is_named_and_an_unknown_one_is_ignored() -> None:
    raw = good()
    raw["body"] = {**ALARM_BODY, "probability": "high"}
    with pytest.raises(WireError, match="alarm: probability"):
        decode(json.dumps(raw).encode())
    raw["body"] = {**ALARM_BODY, "from_a_newer_gateway": 1}
    assert decode(json.dumps(raw).encode()).body == ALARM
    wrong = (("seq", -1), ("seq", True), ("gateway", 5), ("gateway", "\ud83d"), ("sent_at_ns", 1.5))
    for field, value in wrong:
        with pytest.raises(WireError, match="envelope needs"):
            decode(json.dumps({**good(), field: value}).encode())


ALARM_BODY: dict[str, object] = good()["body"]  # type: ignore[assignment]


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_can_be_written_and_taken_apart(topic: str) -> None:
    name = topic_name(topic, site="s", gateway="g", id="7", prefix="replay")
    address = parse_topic(name)
    assert (address.prefix, address.site, address.gateway, address.topic) == (
        "replay",
        "s",
        "g" if TOPICS[topic].of_gateway else "",
        topic,
    )
    assert len(topic_filter(topic).split("/")) == len(name.split("/"))


@pytest.mark.parametrize("name", ["", "mine", "mine/s/gw/g", "mine/s/gw/g/what", "a/b/c/d/alarm/1"])
def test_foreign_topics_are_refused(name: str) -> None:
    with pytest.raises(WireError):
        parse_topic(name)


SENT = encode(POSITIONS, gateway="gw1", seq=7, sent_at_ns=9)


@pytest.mark.parametrize(
    "payload",
    [
        SENT,
        SENT.decode().encode("utf-16"),
        SENT.replace(b'"track":3', b'"track":"3"'),
        SENT.replace(b'"track":3', b'"track":3.0'),
        SENT.replace(b'"track":3', b'"track":3e0'),
        SENT.replace(b'"track":3', b'"track":' + b"9" * 400),
        SENT.replace(b"1.78", b"1e999"),
        SENT.replace(b"1.78", b"-0"),
        SENT.replace(b"1.78", b"1." + b"7" * 400),
        SENT.replace(b"cam1", b"\\ud800"),
        SENT.replace(b"cam1", b"\xff"),
        SENT.replace(b'"track":3,', b""),
        SENT.replace(b'"track":3', b'"track":3,"more":{"body":[]}'),
        SENT.replace(b'"body":{', b'"body_":{'),
        SENT.replace(b'"body":', b'"body":null,"body_":'),
        SENT.replace(b'"seq"', b'"signature":"x","seq"'),
        b" " + SENT + b"\n",
    ],
)
def test_a_body_is_read_as_it_would_be_by_itself(
    payload: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read out of the whole message, and again alone where that fails."""

    def told() -> str:
        try:
            return repr(decode(payload))
        except WireError as error:
            return f"refused: {error}"

    def no_whole(_kind: str) -> None:
        raise ValueError

    at_once = told()
    monkeypatch.setattr("scene.wire._whole", no_whole)
    assert told() == at_once
