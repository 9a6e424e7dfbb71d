"""What may stand at a place of the configuration: the one walk over the models that errors, environment and reference share."""

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

UNITS = {
    "s": "seconds",
    "ms": "milliseconds",
    "days": "days",
    "hours": "hours",
    "bytes": "bytes",
    "km": "km",
    "kmh": "km/h",
}
"""Last part of a setting's name → the unit it is in."""

MAX_NAME = 80
"""Characters of a name that an error shows."""

_SECRET_NAME = re.compile(r"(?:secret|token|password|(?<!partition_)key$)(?!.*_(?:file|url)$)", re.IGNORECASE)
_TEXTS = (str, Path, SecretStr, datetime)
_LISTS = (tuple, list, set, frozenset, Sequence, AbstractSet)
_NO_TYPE = type(None)


class Spot(NamedTuple):
    """What may stand at one place."""

    kinds: tuple[Any, ...]
    """The types, without ``None``; more than one: any of them."""
    limits: tuple[Any, ...] = ()
    """Bounds, as ``annotated_types`` writes them."""

    @property
    def models(self) -> list[type[BaseModel]]:
        """The sections that may stand here."""
        return [kind for kind in self.kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]

    @property
    def is_text(self) -> bool:
        """Whether only text may stand here, so that nothing has to be read into it."""
        return all(kind in _TEXTS or get_origin(kind) is Literal for kind in self.kinds)

    @property
    def is_list(self) -> bool:
        """Whether only a list may stand here."""
        return bool(self.kinds) and all(get_origin(kind) in _LISTS for kind in self.kinds)

    @property
    def choices(self) -> list[str]:
        """The words to choose from, where there is a fixed set of them."""
        return [str(word) for kind in self.kinds if get_origin(kind) is Literal for word in get_args(kind)]

    def names(self) -> list[str]:
        """The settings of the sections that may stand here."""
        return list(dict.fromkeys(name for model in self.models for name in model.model_fields))

    def bound(self, *names: str) -> Any:
        """The first bound of one of these names (``ge``, ``le`` …), or ``None``."""
        found = (getattr(limit, name, None) for limit in self.limits for name in names)
        return next((value for value in found if value is not None), None)

    def tagged(self, tag: object) -> "Spot":
        """The one alternative with that tag: a word its ``type`` may be, or its name."""
        for model in self.models:
            kind = model.model_fields.get("type")
            if model.__name__ == tag or (kind is not None and tag in get_args(kind.annotation)):
                return Spot((model,))
        return self


def spot_of(annotation: Any, limits: Iterable[Any] = ()) -> Spot:
    """What an annotation allows."""
    own = tuple(limits)
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        for item in more:
            own += tuple(item.metadata) if isinstance(item, FieldInfo) else (item,)
        return spot_of(inner, own)
    if origin in {Union, UnionType}:
        parts = [spot_of(part) for part in get_args(annotation) if part is not _NO_TYPE]
        return Spot(tuple(kind for part in parts for kind in part.kinds), (*own, *(limit for part in parts for limit in part.limits)))
    return Spot((annotation,), own)


def step(spot: Spot, key: object) -> Spot | None:
    """What may stand one step further in; ``None`` when there can be nothing."""
    found: list[Spot] = []
    for kind in spot.kinds:
        origin, parts = get_origin(kind), get_args(kind)
        if kind is Any:
            found.append(Spot((Any,)))
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(key))
            if field is not None:
                found.append(spot_of(field.annotation, field.metadata))
        elif origin in {dict, Mapping}:
            found.append(spot_of(parts[1]))
        elif origin in _LISTS and isinstance(key, int):
            found.append(spot_of(parts[0]))
    if not found:
        return None
    kinds = dict.fromkeys(kind for spot in found for kind in spot.kinds)
    return Spot(tuple(kinds), tuple(limit for spot in found for limit in spot.limits))


def is_secret(name: str, spot: Spot | None = None) -> bool:
    """Whether the values of a setting are never shown.

    >>> is_secret("api_token"), is_secret("routing_key"), is_secret("max_keys")
    (True, True, False)
    """
    return _SECRET_NAME.search(name) is not None or (spot is not None and SecretStr in spot.kinds)


def unit_of(name: str) -> str:
    """The unit a setting is in, or nothing.

    >>> unit_of("window_s"), unit_of("max_record_bytes"), unit_of("threshold")
    ('seconds', 'bytes', '')
    """
    return UNITS.get(name.rpartition("_")[2], "") if "_" in name else ""


def range_of(spot: Spot, name: str) -> str:
    """The range of a number in words, with its unit; empty for what is no number."""
    kinds = set(spot.kinds)
    if not kinds & {int, float} or kinds - {int, float}:
        return ""
    low, above, high, below = (spot.bound(bound) for bound in ("ge", "gt", "le", "lt"))
    words = ""
    if low is not None and high is not None:
        words = f"{number(low)} to {number(high)}"
    elif low is not None or above is not None:
        words = f"{number(low)} or more" if low is not None else f"more than {number(above)}"
    if high is not None and low is None:
        words += f"{', ' if words else ''}at most {number(high)}"
    elif below is not None:
        words += f"{', ' if words else ''}less than {number(below)}"
    return f"{words} {unit_of(name)}".strip()


def shown(name: str) -> str:
    r"""A name out of a file on one line, cut where no real name is so long.

    >>> shown("by_ip"), shown("by\nip")
    ('by_ip', 'by\\nip')
    """
    return name if name.isprintable() and len(name) <= MAX_NAME else repr(name[:MAX_NAME])[1:-1]


def number(value: float) -> str:
    """A number as one writes it in the file.

    >>> number(31622400.0), number(0.5), number(3)
    ('31622400', '0.5', '3')
    """
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else str(value)


def words_of(spot: Spot) -> str:
    """What may stand here, in words."""
    if spot.choices:
        return ("one of " if len(spot.choices) > 1 else "") + ", ".join(spot.choices)
    return " or ".join(dict.fromkeys(_word(kind) for kind in spot.kinds))


def _word(kind: Any) -> str:
    words = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path", SecretStr: "text (secret)"}
    if kind in words:
        return words[kind]
    if kind is datetime:
        return "date or time"
    origin, parts = get_origin(kind), get_args(kind)
    if origin in _LISTS:
        items = words_of(spot_of(parts[0]))
        return f"list of {'sections' if items == 'section' else items}"
    if origin in {dict, Mapping}:
        return f"section: {words_of(spot_of(parts[0]))} → {words_of(spot_of(parts[1]))}"
    return "any" if kind is Any else "section"
