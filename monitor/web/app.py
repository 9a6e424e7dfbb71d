"""What is behind the port: metrics, health, the list of alerts, and a status page."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, get_args

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from monitor.settings_http import HttpSettings
from monitor.telemetry import Telemetry
from monitor.web.security import Access, Guard
from monitor.web.status import status_page, style_source
from schemas.alert import Alert, Status

Checks = Mapping[str, tuple[bool, str]]
Readiness = Callable[[], Checks]
"""What must hold for the service to be ready: name → (whether it does, why or why not). Asked on the event loop: answer from memory."""
RecentAlerts = Callable[[int, Status | None], Awaitable[Sequence[Alert]]]
"""At most so many alerts, the newest first, each in its last version; only those of one status unless it is ``None``."""

DEFAULT_ALERTS = 100
MAX_ALERTS = 1_000
_UNAUTHORISED = "give the token of http.token: Authorization: Bearer TOKEN\n"


class _BadQueryError(ValueError):
    """A parameter that cannot be used; the text names it and the cure."""


class _Pages:
    def __init__(self, access: Access, telemetry: Telemetry, readiness: Readiness, recent_alerts: RecentAlerts, version: str) -> None:
        self._access = access
        self._telemetry = telemetry
        self._readiness = readiness
        self._recent_alerts = recent_alerts
        self._version = version

    async def metrics(self, request: Request) -> Response:
        if not self._access.may_read_metrics(request.scope):
            return _unauthorised()
        page, content_type = self._telemetry.render(",".join(request.headers.getlist("accept")))
        return Response(page, headers={"content-type": content_type})

    async def healthz(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(self, request: Request) -> Response:
        checks = self._readiness()
        ready = all(ok for ok, _ in checks.values())
        told: dict[str, Any] = {"ready": ready}
        if self._access.is_trusted(request.scope):
            told["checks"] = {name: {"ok": ok, "why": why} for name, (ok, why) in checks.items()}
        return _json(told, 200 if ready else 503)

    async def alerts(self, request: Request) -> Response:
        if not self._access.has_token(request.scope):
            return _unauthorised()
        try:
            limit, status = _query(request)
        except _BadQueryError as exc:
            return _json({"error": str(exc)}, 400)
        return _json(msgspec.to_builtins(await self._recent_alerts(limit, status)))

    async def status(self, request: Request) -> Response:
        if not self._access.has_token(request.scope):
            return _unauthorised()
        page = status_page(self._version, self._readiness(), self._telemetry)
        policy = f"default-src 'none'; style-src '{style_source()}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        return Response(page, media_type="text/html", headers={"content-security-policy": policy})


def build_app(
    settings: HttpSettings,
    telemetry: Telemetry,
    readiness: Readiness,
    recent_alerts: RecentAlerts,
    version: str,
) -> Starlette:
    """The application of the port. Reads the token's file; raises ``ConfigurationError`` where it cannot."""
    access = Access(settings, settings.read_token())
    pages = _Pages(access, telemetry, readiness, recent_alerts, version)
    routes = [
        Route("/", pages.status),
        Route("/metrics", pages.metrics),
        Route("/healthz", pages.healthz),
        Route("/readyz", pages.readyz),
        Route("/api/v1/alerts", pages.alerts),
    ]
    # The guard comes around everything, also around what answers 404 and 405.
    app = Starlette(routes=routes, middleware=[Middleware(Guard, access=access, max_request_bytes=settings.max_request_bytes)])
    app.router.redirect_slashes = False
    return app


def _query(request: Request) -> tuple[int, Status | None]:
    """What ``?limit=&status=`` ask for."""
    given = dict(request.query_params.multi_items())
    if given.keys() - {"limit", "status"}:
        raise _BadQueryError("unknown parameter; use limit and status")
    limit = given.get("limit", str(DEFAULT_ALERTS))
    # Their length is looked at first: turning a very long number into an int takes long.
    if not (limit.isascii() and limit.isdigit() and len(limit) <= len(str(MAX_ALERTS)) and 1 <= int(limit) <= MAX_ALERTS):
        raise _BadQueryError(f"limit: use 1 to {MAX_ALERTS}")
    status = next((known for known in get_args(Status) if known == given.get("status")), None)
    if status is None and given.get("status"):
        raise _BadQueryError(f"status: use {' or '.join(get_args(Status))}")
    return int(limit), status


def _unauthorised() -> Response:
    return PlainTextResponse(_UNAUTHORISED, 401, headers={"www-authenticate": 'Bearer realm="watchfloor"'})


def _json(data: Any, status: int = 200) -> Response:
    """JSON in which every character that is not plain is an escape: names in alerts are written by strangers."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("\x7f", "\\u007f")
    return Response(text.encode(), status, media_type="application/json")
