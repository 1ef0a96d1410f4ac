"""Read a YAML file into a checked section: all mistakes at once, each with its place.

Knows nothing about what is in the file: `site.yaml:7:5: cameras.1.urll: not a field; did you mean
url?` is as good for a site as for a plan.
"""

import difflib
import re
from types import SimpleNamespace
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType
from yaml.composer import Composer

from scene.errors import SiteError, printable

MISTAKES = frozenset(get_args(ErrorType))
MOST_VALUES = 100_000
MOST_FULL_WIDTH = 5
MOST_PROBLEMS = 30
"""So many mistakes are told at once: more is no longer read."""


class Section(BaseModel):
    """A section of a file that people write: unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


S = TypeVar("S", bound=Section)


def together(
    kind: type[Section], error: ValidationError | None, more: list[InitErrorDetails]
) -> ValidationError:
    """Put further mistakes to those that reading a section has found."""
    first = [
        InitErrorDetails(
            # Some of pydantic's own mistakes, as of paths, are none that can be made anew.
            type=one["type"] if one["type"] in MISTAKES else _same(one["type"], one["msg"]),
            loc=one["loc"],
            input=one["input"],
            ctx=one.get("ctx", {}),
        )
        for one in (error.errors(include_url=False) if error is not None else ())
    ]
    return ValidationError.from_exception_data(kind.__name__, first + more)


def _same(kind: str, message: str) -> PydanticCustomError:
    return PydanticCustomError(kind, "{message}", {"message": message})


def fits(pattern: str, words: str) -> AfterValidator:
    """Make a field's check that its whole text fits a pattern; `words` say what to give."""
    fitting = re.compile(pattern)

    def check(text: str) -> str:
        if fitting.fullmatch(text) is None:
            raise ValueError(f"give {words}")
        return text

    return AfterValidator(check)


class _Loader(Composer, yaml.CSafeLoader):
    """Scans with libyaml, some ten times faster, and builds nodes in Python.

    libyaml's own way of building them ends the process on text that is nested too deep.
    """

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        Composer.__init__(self)


def parse_as(kind: type[S], text: str, *, name: str, context: dict[str, object]) -> S:
    """Read YAML text as a section of some kind; all mistakes come at once, with their places."""
    root, content = read_yaml(text, name=name)
    problems = _repeated_keys(root) if root else []
    if not isinstance(content, dict) or not isinstance(root, yaml.MappingNode):
        raise SiteError(f"{name}:1:1: such a file starts with `version: 1`; see README")
    try:
        read = kind.model_validate(content, context=context)
    except ValidationError as error:
        problems += [
            (_mark_of(root, _loc_of(e)), _place_of(e["loc"]), _remedy(e, kind))
            for together in error.errors()
            for e in _one_by_one(together)
            if not _only_follows(e)
        ]
    if problems:
        problems.sort(key=lambda problem: problem[0])
        lines = [
            f"{name}:{line + 1}:{column + 1}: {printable(place + ': ' * bool(place) + remedy)}"
            for (line, column), place, remedy in problems[:MOST_PROBLEMS]
        ]
        if len(problems) > MOST_PROBLEMS:
            lines.append(f"{name}: and {len(problems) - MOST_PROBLEMS} mistakes more")
        raise SiteError("\n".join(lines))
    return read


def readable(
    kind: type[Section], text: str, *, name: str, context: dict[str, object]
) -> SimpleNamespace:
    """Read those fields of a section that have no mistakes; the others are not there.

    Defaults are there for what is not given. Raises `SiteError` where it is no YAML at all.
    """
    _, content = read_yaml(text, name=name)
    given = content if isinstance(content, dict) else {}
    found = SimpleNamespace()
    for field, about in kind.model_fields.items():
        if field not in given and about.is_required():
            continue
        value = given[field] if field in given else about.get_default(call_default_factory=True)
        wanted: Any = Annotated[about.annotation, about.title, *about.metadata]
        try:
            read = TypeAdapter(wanted).validate_python(value, context=context)
            setattr(found, field, read)
        except ValidationError:  # told by `parse_as`
            continue
    return found


def read_yaml(text: str, *, name: str) -> tuple[yaml.Node | None, Any]:
    """Read YAML text as nodes with places, and as plain values; raises `SiteError` with the place.

    A few lines of YAML can stand for billions of values, by names that refer to each other: such a
    text is refused before anything is made of it.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return None, None
        if _count(root, {}) > MOST_VALUES:
            raise SiteError(f"{name}:1:1: stands for more than {MOST_VALUES} values")
        return root, loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        problem = _tab(text, mark) or printable(str(error.problem))
        lines = [f"{name}:{place}: not YAML: {problem}", *_full_width(text, name)]
        raise SiteError("\n".join(lines)) from None
    except RecursionError:
        raise SiteError(f"{name}:1:1: nested too deep, or refers to itself") from None
    except (yaml.YAMLError, ValueError) as error:
        line = printable(str(error).splitlines()[0])
        raise SiteError(f"{name}:1:1: not YAML: {line}") from None


def _tab(text: str, mark: yaml.Mark | None) -> str:
    """Say that a tab is what makes a text no YAML; empty where it is something else."""
    line = text.split("\n")[mark.line : mark.line + 1] if mark else []
    if not mark or not line or line[0][mark.column : mark.column + 1] != "\t":
        return ""
    return f"line {mark.line + 1} has a tab where YAML wants spaces; put spaces in its place"


_FULL_WIDTH = {
    "：": ":",
    "，": ",",
    "［": "[",
    "］": "]",
    "｛": "{",
    "｝": "}",
    "－": "-",
    "\u3000": " ",
}
"""What a Chinese keyboard gives in place of YAML's signs."""
_QUOTED = re.compile(r""" "[^"]*" | '[^']*' | \#.* """, re.VERBOSE)


def _full_width(text: str, name: str) -> list[str]:
    """List where full-width signs stand outside quotes and comments: likely why it is no YAML."""
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        bare = _QUOTED.sub(lambda quoted: "." * len(quoted[0]), line)
        column = next((i for i, sign in enumerate(bare) if sign in _FULL_WIDTH), None)
        if column is not None:
            sign = line[column]
            words = f"here stands the full-width sign {sign!r}; YAML wants {_FULL_WIDTH[sign]!r}"
            found.append(f"{name}:{number}:{column + 1}: {words}")
    return found[:MOST_FULL_WIDTH]


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values that a node stands for, each as often as it is referred to."""
    if id(node) not in known:
        inside = [part for pair in node.value for part in pair] if _is_map(node) else node.value
        held = inside if isinstance(inside, list) else []
        known[id(node)] = 1 + sum(_count(part, known) for part in held)
    return known[id(node)]


def _is_map(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode)


Problem = tuple[tuple[int, int], str, str]


def _one_by_one(error: Any) -> list[Any]:
    """Part what a check of the whole file found, a line each."""
    if error["loc"]:
        return [error]
    return [{**error, "msg": line} for line in str(error["msg"]).splitlines()]


def _loc_of(error: Any) -> tuple[Any, ...]:
    """Tell where a mistake is: a check of the whole file names the place in its words."""
    if error["loc"]:
        return tuple(error["loc"])
    words = str(error["msg"]).removeprefix("Value error, ").split(": ")[0]
    if not re.fullmatch(r"[a-z_0-9.]+", words):
        return ()
    return tuple(int(part) if part.isdigit() else part for part in words.split("."))


def _place_of(loc: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in loc)


def _only_follows(error: Any) -> bool:
    """Tell a "too short" that only means that some item has a mistake of its own."""
    return bool(error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"])


def _remedy(error: Any, root: type[Section]) -> str:
    kind, message = error["type"], str(error["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        field = str(error["loc"][-1])
        names = _fields_at(root, error["loc"][:-1])
        near = difflib.get_close_matches(field, names, n=1, cutoff=0.5)
        return f"not a field; did you mean {near[0]}?" if near else "not a field"
    if kind == "missing":
        return "is missing; it must be given"
    if not error["loc"]:
        return message
    words = _IN_WORDS.get(kind)
    if words is not None:
        message = words.format(**error.get("ctx", {}))
    given = repr(error.get("input"))
    return f"{message}; given: {given if len(given) <= 60 else given[:57] + '...'}"


_NUMBER, _WHOLE, _TEXT = "give a number", "give a whole number", "give a text"
_LIST = "give a list, e.g. [1, 2]"
_FIELDS = "give fields, each as `name: value`"
_IN_WORDS = {
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "give a number that is finite",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "string_type": _TEXT,
    "path_type": "give the path of a file or folder",
    "bool_type": "give true or false",
    "bool_parsing": "give true or false",
    "literal_error": "give {expected}",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "too_short": "is too short: give at least {min_length}, not {actual_length}",
    "too_long": "is too long: give at most {max_length}, not {actual_length}",
    "greater_than": "give a number greater than {gt:.12g}",
    "greater_than_equal": "give a number of at least {ge:.12g}",
    "less_than": "give a number less than {lt:.12g}",
    "less_than_equal": "give a number of at most {le:.12g}",
    "model_type": _FIELDS,
    "model_attributes_type": _FIELDS,
    "dict_type": _FIELDS,
}
"""What pydantic finds, by its names (https://docs.pydantic.dev/latest/errors/validation_errors/),
in words for who writes such a file."""


def _fields_at(root: type[Section], loc: tuple[Any, ...]) -> list[str]:
    """List the fields of the section that `loc` leads to."""
    section: Any = root
    for part in loc:
        if isinstance(part, int):
            continue
        annotation = section.model_fields[part].annotation if part in section.model_fields else None
        section = _section_in(annotation)
        if section is None:
            return []
    return list(section.model_fields)


def _section_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _section_in(inner)
        if found is not None:
            return found
    return None


def _mark_of(root: yaml.Node, loc: tuple[Any, ...]) -> tuple[int, int]:
    node, mark = root, root.start_mark
    for part in loc:
        step = _step(node, part)
        if step is None:
            break
        node, mark = step
    return mark.line, mark.column


def _step(node: yaml.Node, part: Any) -> tuple[yaml.Node, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark
    return None


def _repeated_keys(node: yaml.Node, loc: tuple[Any, ...] = ()) -> list[Problem]:
    """Find keys given twice, of which YAML would silently take the last."""
    found: list[Problem] = []
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            if key.value in seen:
                mark = (key.start_mark.line, key.start_mark.column)
                words = f"is given twice, first in line {seen[key.value]}; keep one"
                found.append((mark, _place_of((*loc, key.value)), words))
            seen.setdefault(key.value, key.start_mark.line + 1)
            found += _repeated_keys(value, (*loc, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            found += _repeated_keys(value, (*loc, index))
    return found
