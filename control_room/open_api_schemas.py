"""What the control room's API takes and gives, as JSON Schema (draft 2020-12).

Knows nothing about paths or roles. What is a dataclass or a table elsewhere is read there.
"""

from typing import Any, get_args

from pydantic import TypeAdapter

from control_room.access.passwords import MAX_LENGTH, MIN_LENGTH
from control_room.access.roles import ROLES
from control_room.access.users_api import Act as UserAct
from control_room.alarm_rate import AlarmRate
from control_room.journal.query import WHATS, What, columns_of
from control_room.lifecycle import MAX_BY, MAX_NAME, MAX_REASON, SEVERITIES, Act, Action, Phase
from control_room.muster import Muster
from scene.messages import AlarmState, Anomaly

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer"}
AT_NS: Json = {"type": "integer", "description": "UTC, nanoseconds since 1970."}
NEVER_NULL = frozenset(
    {
        *("site", "gateway", "alarm", "kind", "severity", "state", "certainty", "probability"),
        *(
            "raised_at_ns",
            "stored_at_ns",
            "number",
            "at_ns",
            "who",
            "what",
            "about",
            "body",
            "hash",
        ),
        *("track", "zones", "x_m", "y_m", "sigma_m", "posture", "evidence"),
    }
)
"""Columns of rows that always hold something; an alarm's place and track may be unknown."""
_OFTEN_UNKNOWN = {"alarms": ("x_m", "y_m", "track")}
_WORDS: dict[str, Json] = {
    "severity": {"enum": list(SEVERITIES)},
    "state": {"enum": list(get_args(AlarmState))},
    "body": {"type": "object", "description": "What else was written down."},
    "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "zones": {"type": "string", "description": "With commas between them."},
}


def ref(name: str) -> Json:
    """Point to one of `schemas()`."""
    return {"$ref": f"#/components/schemas/{name}"}


def maybe(schema: Json) -> Json:
    """Allow null as well."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(fields: dict[str, Json], *, needed: tuple[str, ...] | None = None) -> Json:
    """Describe an object; without `needed` it has all of the fields, and no other."""
    closed: Json = {"additionalProperties": False} if needed is None else {}
    required = list(fields) if needed is None else list(needed)
    return {"type": "object", "properties": fields, "required": required} | closed


def schemas() -> dict[str, Json]:
    """Give all that is pointed to, by name."""
    found: dict[str, Json] = {}
    for name, kind in (
        ("AlarmRate", AlarmRate),
        ("Muster", Muster),
        ("Anomaly", Anomaly),
        ("Act", Act),
    ):
        schema = TypeAdapter(kind).json_schema(
            mode="serialization", ref_template="#/components/schemas/{model}"
        )
        found |= schema.pop("$defs", {}) | {name: schema}
    found["Alarm"] = _alarm(found["Anomaly"]["properties"])
    for what in WHATS:
        found[row_name(what)] = _row(what)
    found["Rows"] = record(
        {
            "rows": {"type": "array", "items": {"anyOf": [ref(row_name(one)) for one in WHATS]}},
            "after": maybe({"type": "string", "description": "Give it back for what follows."}),
        }
    )
    found["User"] = record(
        {
            "name": TEXT,
            "role": {"enum": list(ROLES)},
            "sessions": {"type": "integer", "minimum": 0, "description": "Logins that are open."},
            "local": {"type": "boolean", "description": "With a password here."},
        }
    )
    found["Me"] = record(
        {
            "login": {"type": "boolean", "description": "Whether a login is asked for."},
            "name": maybe(TEXT),
            "role": {"enum": [*ROLES, None], "description": "What the caller may do now."},
            "log_in_to_act": {"type": "boolean"},
            "acts_until_ns": maybe(AT_NS),
        }
    )
    found["Export"] = record(
        {
            "job": {"type": "string", "description": "By which it is asked for."},
            "state": {"enum": ["running", "ready", "failed"]},
            "percent": {"type": "integer", "minimum": 0, "maximum": 100},
            "error": {"type": "string", "description": "Why it failed; else empty."},
            "error_zh": {"type": "string", "description": "In Chinese; empty where unworded."},
            "signed": {"type": "boolean"},
            "lacks": {
                "type": "integer",
                "minimum": 0,
                "description": "How many things are missing in it or not proven.",
            },
            "bytes": maybe({"type": "integer", "description": "Of the .zip, once it is there."}),
        }
    )
    words: Json = {
        "error": {"type": "string", "description": "One sentence: why."},
        "error_zh": {"type": "string", "description": "In Chinese, where it is worded."},
    }
    found["Error"] = record(words) | {"required": ["error"]}
    return found


def row_name(what: What) -> str:
    """Name the schema of a row of the journal.

    >>> row_name("alarms")
    'AlarmsRow'
    """
    return f"{what.capitalize()}Row"


def wish(action: Action) -> Json:
    """Describe what an act on an alarm takes (`lifecycle.wish_of`)."""
    name = {"type": "string", "maxLength": MAX_NAME}
    fields: dict[str, Json] = {
        "site": name,
        "gateway": name | {"description": "Empty for the mine's own systems."},
        "id": name,
        "by": {
            "type": "string",
            "maxLength": MAX_BY,
            "description": "Counts only where no login is asked for.",
        },
        "reason": {"type": "string", "maxLength": MAX_REASON},
    }
    needed = ["site", "gateway", "id"]
    if action in ("shelve", "end"):
        fields["reason"] |= {"pattern": r"\S", "description": "Not empty."}
        needed.append("reason")
    if action == "shelve":
        fields["minutes"] = {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "At most the alarm's `shelf_max_min`.",
        }
        needed.append("minutes")
    return record(fields, needed=tuple(needed))


def alarm_key() -> Json:
    """Describe what names one alarm."""
    fields: dict[str, Json] = {"site": TEXT | {"minLength": 1}, "gateway": TEXT}
    fields["id"] = TEXT | {"minLength": 1}
    return record(fields, needed=tuple(fields))


def user_act(action: UserAct) -> Json:
    """Describe what an act on a user takes."""
    fields: dict[str, Json] = {"name": TEXT}
    if action in ("add", "role"):
        fields["role"] = {"enum": list(ROLES)}
    if action in ("add", "password"):
        fields["password"] = {
            "type": "string",
            "format": "password",
            "minLength": MIN_LENGTH,
            "maxLength": MAX_LENGTH,
        }
    return record(fields, needed=tuple(fields))


def _alarm(anomaly: dict[str, Json]) -> Json:
    """Describe an alarm as `told.alarm_fields` tells it; `anomaly`: the fields of the message."""
    raised = ("xyz_m", "probability", "certainty", "evidence", "captured_at_ns")
    return record(
        {
            "site": TEXT,
            "gateway": TEXT,
            "anomaly": ref("Anomaly"),
            "raised": maybe(record({name: anomaly[name] for name in raised})),
            "phase": {"enum": list(get_args(Phase))},
            "stored_at_ns": AT_NS,
            "cleared_at_ns": maybe(AT_NS),
            "acknowledged_at_ns": maybe(AT_NS),
            "acknowledged_by": maybe(TEXT),
            "shelved": maybe(ref("Act")),
            "ending": maybe(ref("Act")),
            "may_end": {"type": "boolean"},
            "shelf_max_min": {"type": "number", "exclusiveMinimum": 0},
            "evidence_zh": TEXT,
            "raised_evidence_zh": maybe(TEXT),
        }
    )


def _row(what: What) -> Json:
    fields: dict[str, Json] = {}
    for name in columns_of(what):
        always = name in NEVER_NULL and name not in _OFTEN_UNKNOWN.get(what, ())
        if name.endswith("at_ns"):
            fields[name.removesuffix("_ns")] = TEXT if always else maybe(TEXT)
        fields[name] = _column(name) if always else maybe(_column(name))
    return record(fields)


def _column(name: str) -> Json:
    if name in _WORDS:
        return _WORDS[name]
    if name.endswith("_ns"):
        return AT_NS
    if name.endswith(("_m", "probability")):
        return {"type": "number"}
    return WHOLE if name in ("track", "number") else TEXT
