"""What is wrong with a configuration, in words: the path, the fault and the cure; never a secret."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from monitor.settings_shape import Spot, is_secret, number, range_of, shown, step, words_of

MAX_ECHO = 32
"""Characters; a longer word is not one somebody mistyped."""
MAX_ECHO_BITS = 64

_TOO_SMALL = {"greater_than", "greater_than_equal"}
_TOO_LARGE = {"less_than", "less_than_equal", "int_parsing_size"}
_NO_SECTION = {"model_type", "model_attributes_type", "dict_type", "mapping_type"}
_NO_LIST = {"tuple_type", "list_type", "set_type", "frozen_set_type", "sequence_type"}
_OWN_WORDS = {"value_error", "assertion_error"}


class _Place(NamedTuple):
    """Where an error is."""

    path: tuple[str, ...]
    spot: Spot
    outer: Spot
    """What may stand one step further out."""
    secret: bool

    @property
    def name(self) -> str:
        return self.path[-1] if self.path else ""


def problems(error: ValidationError, root: Spot, data: Any, origins: Mapping[tuple[str, ...], str]) -> list[str]:
    """All that is wrong, each as ``path.to.key: what is wrong; cure``.

    ``root``: what was validated; ``data``: what it was given. ``origins``: path → the name in the environment it came from.
    """
    lines: dict[str, None] = {}
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]:
            continue  # only because items of it are wrong, and those are listed
        place = _place(detail["loc"], root)
        path, words = _explained(detail, place._replace(path=_overridden(place.path, detail, data)))
        origin = next((origins[path[:end]] for end in range(len(path), 0, -1) if path[:end] in origins), None)
        lines[f"{'.'.join(map(shown, path)) or 'configuration'}: {words}{f' (set by {origin})' if origin else ''}"] = None
    return list(lines)


def _place(loc: Sequence[int | str], root: Spot) -> _Place:
    path: list[str] = []
    spot = outer = root
    secret = False
    for key in loc:
        if key == "[key]":
            continue
        if len(spot.kinds) > 1:
            # Where one of several types may stand, the library puts the one it tried into the path.
            spot = spot.tagged(key)
            continue
        outer, spot = spot, step(spot, key) or Spot((Any,))
        path.append(str(key))
        secret = is_secret(str(key), spot)
    return _Place(tuple(path), spot, outer, secret)


def _explained(detail: ErrorDetails, place: _Place) -> tuple[tuple[str, ...], str]:
    words = _words(detail, place)
    if detail["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        return (*place.path, "type"), words
    # A check of a whole section may name the part it is about.
    named = re.match(r"([a-z_]+(?:\.[a-z0-9_]+)*): ", words) if detail["type"] in _OWN_WORDS else None
    if named is not None and step(place.spot, named[1].partition(".")[0]) is not None:
        return (*place.path, *named[1].split(".")), words[named.end() :]
    return place.path, words


def _overridden(path: tuple[str, ...], detail: ErrorDetails, data: Any) -> tuple[str, ...]:
    """The true path of what is wrong in an override: it was put over the section of its detector before it was checked."""
    section = _at(data, path[:2])
    overrides = section.get("overrides") if path[:1] == ("detectors",) and isinstance(section, Mapping) else None
    inner = path[2:]
    if not isinstance(overrides, list | tuple) or inner[:1] == ("overrides",) or _at(section, inner) == detail["input"]:
        return path
    for index, override in enumerate(overrides):
        value = _at(override, ("set", *inner))
        if value is not None and _is_part(value, detail["input"]):
            return (*path[:2], "overrides", str(index), "set", *inner)
    return path


def _is_part(part: Any, whole: Any) -> bool:
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(key in whole and _is_part(value, whole[key]) for key, value in part.items())
    return bool(part == whole)


def _at(data: Any, path: Sequence[str]) -> Any:
    for key in path:
        if not isinstance(data, Mapping):
            return None
        data = data.get(key)
    return data


def _words(detail: ErrorDetails, place: _Place) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _OWN_WORDS:
        return str(context.get("error", "is wrong"))
    if "[key]" in detail["loc"]:
        return "does not fit as a name here; use another"
    if kind in {"extra_forbidden", "invalid_key"}:
        return _unknown(place)
    if kind == "missing":
        return f"is missing; give {_article(words_of(place.spot))}"
    if kind == "union_tag_not_found":
        return f"is missing; use {_or(_tags(place.spot))}"
    if kind == "union_tag_invalid":
        return (
            f"is empty; use {_or(_tags(place.spot))}"
            if _at(value, ("type",)) is None
            else f"{_echo(context.get('tag'), place, enum=True)}is unknown; use {_or(_tags(place.spot))}"
        )
    if value is None:
        return f"is empty; give {_article(words_of(place.spot))}{'' if _is_required(place) else ', or leave it out'}"
    if kind == "literal_error":
        return f"{_echo(value, place, enum=True)}is unknown; use {_or(place.spot.choices)}"
    if kind in _NO_SECTION:
        return "is no section; write its settings below it, indented, each as name: value"
    if kind in _NO_LIST:
        return "is no list; write its items below it, each after a dash"
    if kind in {"string_too_short", "too_short"}:
        least, some = context["min_length"], "characters" if kind == "string_too_short" else "items"
        is_empty = not (value.strip() if isinstance(value, str) else value)
        return f"is too short; give {least} or more {some}" if not is_empty else f"is empty; give {_article(words_of(place.spot))}"
    return _value_words(kind, value, place)


def _value_words(kind: str, value: Any, place: _Place) -> str:
    fitting = range_of(place.spot, place.name) or _article(words_of(place.spot))
    said = _echo(value, place)
    if kind in _TOO_SMALL:
        return f"{said}is too small; use {fitting}"
    if kind in _TOO_LARGE:
        return f"{said}is too large; use {fitting}"
    if kind.startswith("int_"):
        return f"{said}is no whole number; use {fitting}"
    if kind == "finite_number":
        return f"{said}is not finite; use {fitting}"
    if kind.startswith("float_"):
        return f"{said}is no number; use {fitting}"
    if kind.startswith("bool_"):
        return f"{said}is neither true nor false; use one of the two"
    if kind in {"string_type", "path_type"} and not isinstance(value, list | dict):
        return f"{said}is no text; put it in quotes"
    return f"{said}does not fit; use {fitting}"


def _unknown(place: _Place) -> str:
    """A name that nothing has, and what may have been meant."""
    names = place.outer.names()
    what = "detector" if place.path[:-1] == ("detectors",) else "setting"
    # A limit that is there, but one step further in.
    inner = [f"{name}.{place.name}" for name in names if place.name in (step(place.outer, name) or Spot(())).names()]
    near = inner or get_close_matches(place.name, names, n=1)
    if near:
        return f"no such {what}; did you mean {' or '.join(near)}?"
    return f"no such {what}; use {_or(names)}" if names else f"no such {what}; take it out"


def _is_required(place: _Place) -> bool:
    return any(model.model_fields[place.name].is_required() for model in place.outer.models if place.name in model.model_fields)


def _tags(spot: Spot) -> list[str]:
    return [tag for model in spot.models for tag in (step(Spot((model,)), "type") or Spot(())).choices]


def _echo(value: Any, place: _Place, *, enum: bool = False) -> str:
    """The value itself where that helps and gives nothing away, with a blank after it."""
    if place.secret:
        return ""
    if isinstance(value, bool):
        return f"{str(value).lower()} "
    if isinstance(value, float):
        return f"{number(value)} "
    if isinstance(value, int):
        return f"{value} " if value.bit_length() < MAX_ECHO_BITS else ""
    if enum and isinstance(value, str) and len(value) <= MAX_ECHO and value.isprintable():
        return f"{value!r} "
    return ""


def _or(words: Sequence[str]) -> str:
    return " or ".join([*([", ".join(words[:-1])] if words[:-1] else []), *words[-1:]])


def _article(words: str) -> str:
    if words.startswith(("one of", "true or", "any", "text")):
        return words
    return f"a {words}"
