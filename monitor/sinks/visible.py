"""JSON in which nothing is hidden: names in logs are written by strangers, and lines of JSON are looked at in terminals."""

import re

_HIDDEN = re.compile(r"[^\x00-\x7e]")
_HIDDEN_BYTE = re.compile(rb"[\x7f-\xff]")


def visible(encoded: bytes) -> bytes:
    r"""The same JSON with every character that cannot be seen written as an escape, also those that JSON itself would let stand.

    Among them are the control characters from DEL to U+009F, which some terminals obey, and changes of writing direction.

    >>> visible('"Zoë\u202e"'.encode()) == '"Zoë\\u202e"'.encode()
    True
    """
    if _HIDDEN_BYTE.search(encoded) is None:
        return encoded
    return _HIDDEN.sub(_escape, encoded.decode()).encode()


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
