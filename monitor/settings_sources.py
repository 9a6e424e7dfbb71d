"""Where the configuration comes from: one YAML file, and the environment over it.

pydantic-settings is not used: it passes over names it does not know, reads JSON alone, and stops at the first value it cannot read.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from monitor.settings_shape import Spot, shown, step
from schemas.errors import ConfigurationError

PREFIX = "WATCHFLOOR__"
"""Names of the environment that begin so are settings, in any case."""
MAX_DEPTH = 32
"""No setting lies so deep; what does is an alias that holds itself."""
MAX_VALUES = 1_000_000

# YAML 1.2: a bare `no` or `off` is text and 1:30 is no number. Times stay text, and are read where a time is wanted.
_PLAIN = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", "~nN\0"),
    ("tag:yaml.org,2002:int", r"[-+]?(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*\.[0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("tag:yaml.org,2002:merge", r"<<", "<"),
)


class _Loader(yaml.SafeLoader):
    """Refuses keys that are given twice."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - as the base class has it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the base's signature
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                line = key.start_mark.line + 1
                if key.value in lines:
                    raise yaml.MarkedYAMLError(
                        None, None, f"{shown(key.value)} is given twice, first in line {lines[key.value]}; keep one", key.start_mark
                    )
                lines[key.value] = line
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Quotes what either version of YAML would take for more than text."""


for _tag, _pattern, _first in _PLAIN:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), [letter if letter != "\0" else "" for letter in _first])


def write_yaml(data: Mapping[str, Any]) -> str:
    """The data as YAML that ``read_yaml`` reads back."""
    return yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def read_yaml(text: str) -> Any:
    """The data of a YAML text. Raises ``ConfigurationError`` that says the line, and no more of the text than a key."""
    try:
        loader = _Loader(text)
        try:
            data = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        raise ConfigurationError(f"{f'line {mark.line + 1}: ' if mark is not None else ''}{_yaml_problem(exc)}") from None
    except yaml.reader.ReaderError:
        raise ConfigurationError("holds a control character; take it out") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        raise ConfigurationError("holds a value that cannot be read; put it in quotes") from None
    _measure(data)
    return data


def _yaml_problem(exc: yaml.MarkedYAMLError) -> str:
    problem = exc.problem or "cannot be read"
    if "given twice" in problem:
        return problem
    if "another document" in problem:
        return "a second document begins here; keep one"
    if r"'\t'" in problem:
        return "a tab where there can be none; indent with spaces"
    if "constructor for the tag" in problem:
        return "tags such as !name are not known here; take it out, or put the value in quotes"
    if "recursive" in problem:
        return "an alias that holds itself; take it out"
    return f"this is no YAML ({problem}); mind the indentation, and put text with special characters in quotes"


def _measure(data: Any) -> None:
    """Refuse what aliases can blow up without end."""
    values, level = 0, [data]
    for _ in range(MAX_DEPTH):
        values += len(level)
        if values > MAX_VALUES:
            break
        level = [
            item
            for holder in level
            if isinstance(holder, dict | list)
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return
    raise ConfigurationError("is nested too deep, or too large; take out aliases that hold themselves")


def read_file(path: Path) -> dict[str, Any]:
    """The data of a configuration file; an empty one, and an empty section, leave everything at its default. Raises ``ConfigurationError``."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file; give the path of a configuration file, or none to use the defaults") from None
    except IsADirectoryError:
        raise ConfigurationError(f"{path}: this is a folder; give the path of a file in it") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: this is not UTF-8; save it in that encoding") from None
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else "no path"
        raise ConfigurationError(f"{path}: cannot be read ({reason}); give this user the right to read it, or another path") from None
    try:
        data = read_yaml(text)
    except ConfigurationError as exc:
        raise ConfigurationError(f"{path}: {exc}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        found = "a list" if isinstance(data, list) else "a single value"
        raise ConfigurationError(f"{path}: holds {found}; write settings, each as name: value")
    detectors = data.get("detectors")
    if isinstance(detectors, dict):
        data = {**data, "detectors": {name: value for name, value in detectors.items() if value is not None}}
    return {name: value for name, value in data.items() if value is not None}


class Overlay(NamedTuple):
    """What a file and the environment say together."""

    data: dict[str, Any]
    origins: dict[tuple[str, ...], str]
    """Path of a setting → the name in the environment that gave it."""
    problems: list[str]


def overlay(data: Mapping[str, Any], environ: Mapping[str, str], root: Spot) -> Overlay:
    """Put the settings of the environment over ``data``. An empty value puts the default back."""
    result = Overlay(deepcopy(dict(data)), {}, [])
    named = {name: name[len(PREFIX) :].split("__") for name in environ if name.upper().startswith(PREFIX)}
    # A whole before its parts, and the items of a list in their order.
    for name in sorted(
        named, key=lambda name: ([(len(part), part) if part.isdigit() else (0, part.lower()) for part in named[name]], name)
    ):
        before = deepcopy(result.data)
        try:
            _set(result, name, named[name], environ[name], root)
        except ConfigurationError as exc:
            result.problems.append(f"{shown(name)}: {exc}")
            result = result._replace(data=before)  # nothing half done, which would make further problems
    return result


def _set(result: Overlay, name: str, parts: list[str], text: str, root: Spot) -> None:
    node: Any = result.data
    spot = root
    path: list[str] = []
    for position, part in enumerate(parts):
        key = _key(part, spot, node)
        inner = step(spot, key)
        path.append(str(key))
        if inner is None:
            raise ConfigurationError(f"no such setting; {'.'.join(path[:-1])} has no parts")
        spot = inner
        if position == len(parts) - 1:
            break
        node = _child(node, key, spot)
    if tuple(path) in result.origins:
        raise ConfigurationError(f"says the same as {result.origins[tuple(path)]}; keep one")
    result.origins[tuple(path)] = name
    _put(node, key, text, spot)


def _key(part: str, spot: Spot, node: Any) -> str | int:
    """The key that a part of a name stands for."""
    if spot.is_list:
        if not part.isdecimal() or not part.isascii() or len(part) > 6:
            raise ConfigurationError("this is a list; name its items by number, the first is 0")
        return int(part)
    names = spot.names()
    wanted = part.lower()
    if names and wanted not in names:
        near = get_close_matches(wanted, names, n=1)
        cure = f"did you mean {near[0]}?" if near else f"use one of {', '.join(names)}"
        raise ConfigurationError(f"no such setting ({shown(wanted)}); {cure}")
    if not names and isinstance(node, dict):
        return next((key for key in node if str(key).lower() == wanted), wanted)
    return wanted


def _child(node: Any, key: str | int, spot: Spot) -> Any:
    """The part of ``node`` at ``key``, made where it is missing."""
    empty: Any = [] if spot.is_list else {}
    if isinstance(node, dict):
        if node.get(key) is None:
            node[key] = empty
        return node[key]
    if isinstance(node, list) and isinstance(key, int):
        if key == len(node):
            node.append(empty)
        if key > len(node):
            raise ConfigurationError(f"item {key} of a list that has {len(node)}; leave no gap")
        return node[key]
    return None


def _put(node: Any, key: str | int, text: str, spot: Spot) -> None:
    value: Any = text
    if text and not spot.is_text:
        try:
            value = read_yaml(text)
        except ConfigurationError:
            raise ConfigurationError("cannot be read as YAML or JSON; mind quotes and brackets") from None
    if isinstance(node, dict):
        if text:
            node[key] = value
        else:
            node.pop(key, None)
    elif isinstance(node, list) and isinstance(key, int):
        if not text or key > len(node):
            raise ConfigurationError("an item of a list cannot be empty, and there can be no gap; give the whole list")
        node[key : key + 1] = [value]
    # Else the file has something else than a section here, which its own check will say.
