"""Verdicts on the port: one is given, and all that were given are handed out."""

import logging
import time
from collections.abc import Sequence
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.store import StoreError
from monitor.verdicts import BadVerdictError, Given, Judged, NotActiveError, UnknownAlertError, line_of, lines_of, read_body
from monitor.web.answers import BadQueryError, as_json, limit_of, query_of, unauthorised
from monitor.web.security import Access

log = logging.getLogger("watchfloor")

MAX_VERDICTS = 10_000


class Verdicts(Protocol):
    """Who takes verdicts and keeps them."""

    async def give(self, given: Given) -> Judged:
        """Apply one; safe when this returns. Raises ``UnknownAlertError``, ``BadVerdictError`` and ``NotActiveError``."""
        ...

    async def given(self, limit: int) -> Sequence[Given]:
        """At most so many, the latest, in the order they were given. Raises ``StoreError``."""
        ...


class VerdictPages:
    """The pages. Whether somebody may see them, the token says; who it is, nobody knows."""

    def __init__(self, access: Access, verdicts: Verdicts) -> None:
        self._access = access
        self._verdicts = verdicts

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/api/v1/alerts/{alert}/verdict", self.give, methods=["POST"]),
            Route("/api/v1/verdicts", self.given, methods=["GET"]),
        ]

    async def give(self, request: Request) -> Response:
        """Apply the verdict of the body."""
        if not self._access.has_token(request.scope):
            return unauthorised()
        # A page of another site can make a browser send a form or plain text here, but not this without asking first.
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return as_json({"error": "content-type: send application/json"}, 415)
        try:
            given = read_body(request.path_params["alert"], await request.body(), time.time())
            judged = await self._verdicts.give(given)
        except BadVerdictError as exc:
            return as_json({"error": str(exc)}, 422)
        except UnknownAlertError as exc:
            return as_json({"error": str(exc)}, 404)
        except NotActiveError as exc:
            return as_json({"error": str(exc)}, 503)
        return as_json(_told(judged))

    async def given(self, request: Request) -> Response:
        """JSON lines, the newest last, as ``replay --verdicts`` reads them."""
        if not self._access.has_token(request.scope):
            return unauthorised()
        try:
            limit = limit_of(query_of(request, "limit").get("limit"), MAX_VERDICTS, MAX_VERDICTS)
            all_given = await self._verdicts.given(limit)
        except BadQueryError as exc:
            return as_json({"error": str(exc)}, 400)
        except StoreError:
            return as_json({"error": "the store cannot be read at present; try again"}, 503)
        return Response(lines_of(all_given), media_type="application/x-ndjson")


def _told(judged: Judged) -> dict[str, Any]:
    """What was done, for the answer."""
    return {
        **line_of(judged.given),
        "detector": judged.detector,
        "changed": judged.changed,
        "detector_told": judged.told,
        "alert_status": judged.alerts[-1].status if judged.alerts else None,
    }
