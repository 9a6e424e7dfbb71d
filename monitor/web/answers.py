"""What the pages of the port have in common: how they answer, and what may be asked of them."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

_UNAUTHORISED = "give the token of http.token: Authorization: Bearer TOKEN\n"


class BadQueryError(ValueError):
    """A parameter that cannot be used; the text names it and the cure."""


def query_of(request: Request, *known: str) -> dict[str, str]:
    """The parameters that were given. Raises ``BadQueryError`` for one that is not known."""
    given = dict(request.query_params.multi_items())
    if given.keys() - set(known):
        raise BadQueryError(f"unknown parameter; use {' and '.join(known)}")
    return given


def limit_of(text: str | None, default: int, most: int) -> int:
    """How many are wanted at most. Raises ``BadQueryError``."""
    limit = str(default) if text is None else text
    # Their length is looked at first: turning a very long number into an int takes long.
    if not (limit.isascii() and limit.isdigit() and len(limit) <= len(str(most)) and 1 <= int(limit) <= most):
        raise BadQueryError(f"limit: use 1 to {most}")
    return int(limit)


def unauthorised() -> Response:
    """Without the token."""
    return PlainTextResponse(_UNAUTHORISED, 401, headers={"www-authenticate": 'Bearer realm="watchfloor"'})


def as_json(data: Any, status: int = 200) -> Response:
    """JSON in which every character that is not plain is an escape: names in alerts are written by strangers."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("\x7f", "\\u007f")
    return Response(text.encode(), status, media_type="application/json")
