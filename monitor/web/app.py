"""What is behind the port: metrics, health, the list of alerts, and a status page."""

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
from monitor.web.answers import BadQueryError, as_json, limit_of, query_of, unauthorised
from monitor.web.security import Access, Guard
from monitor.web.status import status_page, style_source
from monitor.web.verdicts import VerdictPages, Verdicts
from schemas.alert import Alert, Status

Checks = Mapping[str, tuple[bool, str]]
Readiness = Callable[[], Checks]
"""What must hold for the service to be ready: name → (whether it does, why or why not). Asked on the event loop: answer from memory."""
RecentAlerts = Callable[[int, Status | None], Awaitable[Sequence[Alert]]]
"""At most so many alerts, the newest first, each in its last version; only those of one status unless it is ``None``."""

DEFAULT_ALERTS = 100
MAX_ALERTS = 1_000


class _Pages:
    def __init__(self, access: Access, telemetry: Telemetry, readiness: Readiness, recent_alerts: RecentAlerts, version: str) -> None:
        self._access = access
        self._telemetry = telemetry
        self._readiness = readiness
        self._recent_alerts = recent_alerts
        self._version = version

    async def metrics(self, request: Request) -> Response:
        if not self._access.may_read_metrics(request.scope):
            return unauthorised()
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
        return as_json(told, 200 if ready else 503)

    async def alerts(self, request: Request) -> Response:
        if not self._access.has_token(request.scope):
            return unauthorised()
        try:
            limit, status = _query(request)
        except BadQueryError as exc:
            return as_json({"error": str(exc)}, 400)
        return as_json(msgspec.to_builtins(await self._recent_alerts(limit, status)))

    async def status(self, request: Request) -> Response:
        if not self._access.has_token(request.scope):
            return unauthorised()
        page = status_page(self._version, self._readiness(), self._telemetry)
        policy = f"default-src 'none'; style-src '{style_source()}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        return Response(page, media_type="text/html", headers={"content-security-policy": policy})


def build_app(
    settings: HttpSettings,
    telemetry: Telemetry,
    readiness: Readiness,
    recent_alerts: RecentAlerts,
    version: str,
    verdicts: Verdicts | None = None,
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
    if verdicts is not None:
        routes += VerdictPages(access, verdicts).routes()
    # The guard comes around everything, also around what answers 404 and 405.
    app = Starlette(routes=routes, middleware=[Middleware(Guard, access=access, max_request_bytes=settings.max_request_bytes)])
    app.router.redirect_slashes = False
    return app


def _query(request: Request) -> tuple[int, Status | None]:
    """What ``?limit=&status=`` ask for."""
    given = query_of(request, "limit", "status")
    limit = limit_of(given.get("limit"), DEFAULT_ALERTS, MAX_ALERTS)
    status = next((known for known in get_args(Status) if known == given.get("status")), None)
    if status is None and given.get("status"):
        raise BadQueryError(f"status: use {' or '.join(get_args(Status))}")
    return limit, status
