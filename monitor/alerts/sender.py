"""One sink's own task: plan, claim, send, mark, again and again. At most one send is in flight.

The claim is in the store before the send begins, and the mark after its end is known; so a crash between any two steps loses nothing, and
only a crash between the claim and the mark lets something be sent again.
"""

import asyncio
import logging
import random
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from monitor.alerts import cursors
from monitor.alerts.breaker import Breaker, State
from monitor.alerts.line import Job, Line, Plan
from monitor.alerts.pacing import Backoff, TokenBucket
from monitor.notification import DeliveryError, RefusedError, Sink, UnreachableError
from monitor.settings_delivery import DeliverySettings
from monitor.store import Store, StoreError, T, Work

log = logging.getLogger("watchfloor")

RESULTS = ("sent", "refused", "unreachable", "failed", "repeated", "expired", "unreadable")
"""What ``on_result`` is told: how an attempt ended; ``repeated`` beside it for one that a crash had cut off; ``expired`` and ``unreadable``
for alert versions that became dead letters without an attempt of their own."""
STORE_RETRY_S = 1.0
SAME_TEXT_S = 60.0
"""The same complaint is logged once in this time."""

OnResult = Callable[[str, str, float, int], None]
"""Sink, result, seconds it took, how many: alert versions for a stream, messages otherwise."""
Sleep = Callable[[float], Awaitable[None]]


class SinkState(msgspec.Struct, frozen=True):
    """How a sink is doing, for readiness and the console."""

    breaker: State
    failures: int
    """In a row."""
    last_error: str | None
    """What was wrong the last time, in words without secrets; stays after it is well again."""
    last_error_at: float | None
    last_success_at: float | None
    """Unix seconds; of this process."""
    pending: int


class Times(msgspec.Struct, frozen=True):
    """Time and chance, from outside."""

    now: Callable[[], float]
    """Wall clock that never steps."""
    monotonic: Callable[[], float]
    sleep: Sleep
    rng: random.Random


class Sender:
    """Drives one sink."""

    def __init__(
        self, name: str, sink: Sink, settings: DeliverySettings, line: Line, store: Store, times: Times, on_result: OnResult
    ) -> None:
        self.name = name
        self.sink = sink
        self.pending = 0
        self.quiet = asyncio.Event()
        """Set while nothing is to be sent."""
        self._settings = settings
        self._line = line
        self._store = store
        self._times = times
        self._on_result = on_result
        self._bucket = TokenBucket(settings.rate, times.monotonic)
        self._backoff = Backoff(settings.retry, times.rng)
        self._breaker = Breaker(settings.breaker)
        self._not_before = times.monotonic()
        self._woken = asyncio.Event()
        self._stopping = False
        self._last_error: str | None = None
        self._last_error_at: float | None = None
        self._last_success_at: float | None = None
        self._said: dict[str, float] = {}

    def state(self) -> SinkState:
        """How it is doing."""
        return SinkState(
            self._breaker.state, self._breaker.failures, self._last_error, self._last_error_at, self._last_success_at, self.pending
        )

    def wake(self) -> None:
        """Something may have come."""
        self.quiet.clear()
        self._woken.set()

    def stop(self) -> None:
        """Let ``run`` return after the send under way."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        """Until stopped or cancelled. Raises ``FencedError`` when another process has taken the store over."""
        while not self._stopping:
            self._woken.clear()
            blocked_s = max(self._not_before - self._times.monotonic(), self._bucket.wait_s())
            plan = await self._write(lambda db, may_send=blocked_s <= 0: self._plan(db, may_send=may_send))  # type: ignore[misc]  # mypy cannot see through a lambda's default
            self.pending = plan.pending
            if plan.buried:
                self._on_result(self.name, "unreadable", 0.0, plan.buried)
            left_s = None if plan.due_at is None else plan.due_at - self._times.now()
            if plan.job is None and (left_s is None or left_s > 0):
                if not self._woken.is_set():
                    self.quiet.set()
                await self._wait(left_s)
                continue
            self.quiet.clear()
            if plan.job is not None:
                await self._attempt(plan.job)
            elif blocked_s > 0:
                await self._wait(blocked_s)
            else:
                await asyncio.sleep(0)  # only a part of what there is has been looked at

    def _plan(self, db: sqlite3.Connection, *, may_send: bool) -> Plan:
        plan = self._line.plan(db, cursors.load(db, self.name), self._times.now(), may_send=may_send)
        if plan.job is not None:
            cursors.claim(db, self.name, plan.job.claim)
        return plan

    async def _attempt(self, job: Job) -> None:
        began = self._times.monotonic()
        self._bucket.take()
        try:
            memory = await self._send(job)
        except DeliveryError as exc:
            error: DeliveryError | None = exc
        else:
            error = None
        took_s = self._times.monotonic() - began
        if job.repeated:
            self._on_result(self.name, "repeated", 0.0, job.count)
        if error is None:
            await self._delivered(job, memory, took_s)
        elif isinstance(error, RefusedError):
            await self._refused(job, error, took_s)
        else:
            await self._failed(job, error, took_s)

    async def _send(self, job: Job) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                answer = await self.sink.send(job.notification)
        except DeliveryError:
            raise
        except TimeoutError:
            raise UnreachableError(f"no answer within {self._settings.timeout_s:g} s") from None
        except Exception as exc:  # noqa: BLE001 - a fault in one sink must not stop the others
            # Its text may hold anything, so only what it is comes to light.
            raise UnreachableError(f"a fault in the sink itself ({type(exc).__name__})") from None
        return self._checked(answer)

    def _checked(self, answer: Any) -> dict[str, Any]:
        """What the sink wants to be remembered, if it can be. It has sent, so nothing it returns can make that undone."""
        try:
            back = msgspec.json.decode(msgspec.json.encode(answer))
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError):
            back = None
        if not isinstance(back, dict):
            self._complain("returned what cannot be kept; it is forgotten")
            return {}
        return back

    async def _delivered(self, job: Job, memory: dict[str, Any], took_s: float) -> None:
        await self._write(lambda db: self._line.delivered(db, job, memory, self._times.now()))
        self._answered()
        self._last_success_at = self._times.now()
        self._on_result(self.name, "sent", took_s, job.count)

    async def _refused(self, job: Job, error: RefusedError, took_s: float) -> None:
        self._note(f"refused: {error}")
        buried = await self._write(lambda db: self._line.refused(db, job, "refused", self._times.now()))
        self._answered()
        if buried or job.count == 1:  # several that are tried again as fewer are not refused yet
            self._on_result(self.name, error.result, took_s, job.count)

    async def _failed(self, job: Job, error: DeliveryError, took_s: float) -> None:
        asked_s = error.retry_after_s if isinstance(error, UnreachableError) else None
        self._note(str(error))
        has_opened = self._breaker.failed()
        wait_s = self._breaker.wait_s(self._backoff.failed(asked_s), asked_s)
        self._not_before = self._times.monotonic() + wait_s
        if has_opened:
            log.error(
                "sink %s counts as down after %d failures in a row; it is tried again from time to time", self.name, self._breaker.failures
            )
        now = self._times.now()
        buried = await self._write(lambda db: self._line.failed(db, job, wait_s, now - self._settings.expire_after_s, now))
        self._on_result(self.name, error.result, took_s, job.count)
        if buried:
            self._on_result(self.name, "expired", 0.0, buried)
            self._complain(f"gave up {buried} alert versions that were too old; they are kept among the dead letters")

    def _answered(self) -> None:
        self._backoff.answered()
        self._not_before = self._times.monotonic()
        if self._breaker.answered():
            log.warning("sink %s answers again", self.name)

    def _note(self, text: str) -> None:
        self._last_error, self._last_error_at = text, self._times.now()
        self._complain(text)

    def _complain(self, text: str) -> None:
        now = self._times.monotonic()
        self._said = {said: at for said, at in self._said.items() if now - at < SAME_TEXT_S}
        if text not in self._said:
            self._said[text] = now
            log.warning("sink %s: %s", self.name, text)

    async def _write(self, work: Work[T]) -> T:
        """A transaction, tried until the store takes it: what was sent must not be sent again for want of a note."""
        while True:
            try:
                return await self._store.write(work)
            except StoreError as exc:
                self._note(f"deliveries wait for the store: {exc}")
                await self._times.sleep(STORE_RETRY_S)

    async def _wait(self, seconds: float | None) -> None:
        """Until woken, or that long."""
        if seconds is None:
            await self._woken.wait()
            return
        both = [asyncio.ensure_future(self._woken.wait()), asyncio.ensure_future(self._times.sleep(seconds))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
