"""Verdicts as the port takes them and hands them out, with a pipeline that is made up."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest

from monitor.settings_http import HttpSettings
from monitor.store import StoreError
from monitor.telemetry import Telemetry
from monitor.verdicts import BadVerdictError, Given, Judged, NotActiveError, UnknownAlertError
from monitor.web.app import build_app
from monitor.web.server import WebServer

TOKEN = "0123456789abcdef0123456789abcdef"
BEARER = {"authorization": f"Bearer {TOKEN}"}
GIVEN = Given(alert="a1", verdict="false", reason="a <typo> by é", ts=1_769_860_800.0)
LINE = '{"alert": "a1", "verdict": "false", "time": "2026-01-31T12:00:00.000000Z", "reason": "a <typo> by \\u00e9"}\n'


class Service:
    """Takes verdicts, or fails as it is told."""

    def __init__(self, **given: Any) -> None:
        self.asked: list[Given] = []
        self.limits: list[int] = []
        self.error: Exception | None = None
        settings = HttpSettings.model_validate({"port": 0, **given})
        app = build_app(settings, Telemetry("1.2.3"), dict, self.recent, "1.2.3", verdicts=self)
        self.server = WebServer(settings, app)

    async def recent(self, *_: object) -> Sequence[Any]:
        return []

    async def give(self, given: Given) -> Judged:
        self.asked.append(given)
        if self.error is not None:
            raise self.error
        return Judged(given=GIVEN, detector="bulk_export", changed=True, told=False, alerts=[])

    async def given(self, limit: int) -> Sequence[Given]:
        self.limits.append(limit)
        if self.error is not None:
            raise self.error
        return [GIVEN] * 2

    async def ask(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.server.port}", trust_env=False) as client:
            return await client.request(method, path, **more)

    async def post(self, body: Any, alert: str = "a1", content_type: str | None = "application/json", **headers: str) -> httpx.Response:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {} if content_type is None else {"content-type": content_type}
        return await self.ask(f"/api/v1/alerts/{alert}/verdict", "POST", content=sent, headers={**kind, **headers})


def serve(check: Callable[[Service], Awaitable[None]], **given: Any) -> None:
    async def run() -> None:
        service = Service(**given)
        await service.server.start()
        try:
            await check(service)
        finally:
            await service.server.stop(1.0)

    asyncio.run(run())


def test_a_verdict_is_answered_with_what_it_did() -> None:
    async def check(service: Service) -> None:
        answer = await service.post({"verdict": "false", "reason": "a typo"}, content_type="application/json; charset=utf-8")
        assert answer.status_code == 200
        assert answer.json() == {
            "alert": "a1",
            "verdict": "false",
            "time": "2026-01-31T12:00:00.000000Z",
            "reason": "a <typo> by é",
            "detector": "bulk_export",
            "changed": True,
            "detector_told": False,
            "alert_status": None,
        }
        (given,) = service.asked
        assert (given.alert, given.verdict, given.reason, given.ts, given.until_ts) == ("a1", "false", "a typo", None, None)
        assert given.given_at is not None

    serve(check)


@pytest.mark.parametrize(
    ("error", "status"),
    [(UnknownAlertError(), 404), (BadVerdictError("until: is not after …"), 422), (NotActiveError("this process stands by"), 503)],
)
def test_what_cannot_be_done_is_answered_with_why(error: Exception, status: int) -> None:
    async def check(service: Service) -> None:
        service.error = error
        answer = await service.post({"verdict": "true"})
        assert (answer.status_code, answer.json()) == (status, {"error": str(error)})

    serve(check)


@pytest.mark.parametrize(
    ("body", "alert", "status", "words"),
    [
        (b"verdict=true", "a1", 422, "is no JSON"),
        ({"verdict": "ture"}, "a1", 422, 'verdict: expected "true"'),
        ({"verdict": "true"}, "a%20b", 404, "no alert of this id"),
        ({"verdict": "true"}, "a" * 200, 404, "no alert of this id"),
    ],
)
def test_what_cannot_be_read_reaches_nobody(body: Any, alert: str, status: int, words: str) -> None:
    async def check(service: Service) -> None:
        answer = await service.post(body, alert)
        assert answer.status_code == status
        assert answer.json()["error"].startswith(words)
        assert service.asked == []

    serve(check)


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "text/plain; application/json", "application/jsonl"]
)
def test_what_a_page_of_another_site_can_send_is_refused(kind: str | None) -> None:
    async def check(service: Service) -> None:
        answer = await service.post({"verdict": "true"}, content_type=kind)
        assert (answer.status_code, answer.json()) == (415, {"error": "content-type: send application/json"})
        assert service.asked == []
        asked_first = await service.ask("/api/v1/alerts/a1/verdict", "OPTIONS", headers={"origin": "http://evil.example.com"})
        assert asked_first.status_code == 405
        assert not any(name.startswith("access-control") for name in asked_first.headers)

    serve(check)


def test_the_token_is_asked_for() -> None:
    async def check(service: Service) -> None:
        for headers in ({}, {"authorization": "Bearer wrong"}):
            assert (await service.post({"verdict": "true"}, **headers)).status_code == 401
            assert (await service.ask("/api/v1/verdicts", headers=headers)).status_code == 401
        assert (service.asked, service.limits) == ([], [])
        assert (await service.post({"verdict": "true"}, **BEARER)).status_code == 200
        assert (await service.ask("/api/v1/verdicts", headers=BEARER)).status_code == 200

    serve(check, host="0.0.0.0", token=TOKEN)


def test_all_verdicts_are_handed_out_as_lines() -> None:
    async def check(service: Service) -> None:
        answer = await service.ask("/api/v1/verdicts")
        assert (answer.status_code, answer.headers["content-type"], answer.text) == (200, "application/x-ndjson", 2 * LINE)
        assert (await service.ask("/api/v1/verdicts?limit=5")).status_code == 200
        assert service.limits == [10_000, 5]
        wrong = await service.ask("/api/v1/verdicts?limit=0")
        assert (wrong.status_code, wrong.json()) == (400, {"error": "limit: use 1 to 10000"})
        wrong = await service.ask("/api/v1/verdicts?status=true")
        assert (wrong.status_code, wrong.json()) == (400, {"error": "unknown parameter; use limit"})
        service.error = StoreError("locked")
        assert (await service.ask("/api/v1/verdicts")).status_code == 503

    serve(check)


@pytest.mark.parametrize(
    ("path", "method"), [("/api/v1/alerts/a1/verdict", "GET"), ("/api/v1/verdicts", "POST"), ("/api/v1/alerts/a1/verdict", "PUT")]
)
def test_other_methods_are_refused(path: str, method: str) -> None:
    async def check(service: Service) -> None:
        assert (await service.ask(path, method)).status_code == 405

    serve(check)
