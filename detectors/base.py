"""The contract between a detector and whatever runs it, and what the detectors share.

Order of calls for one key: ``new_state`` once, then ``on_event`` in event-time order (an event later than the allowed lateness may come
out of it), and ``on_time`` when the event time the state asked for (``wake_at``) has come. ``on_end`` is called once when a finite input ends.
The runner owns keys, order, timers and persistence; a detector only reads the event and changes the state it is given.
"""

import base64
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import msgspec

from detectors.settings import DetectorSettings, Overrides, Strict
from detectors.windows import Packed
from schemas.event import Event
from schemas.finding import EntityType, Finding

NEVER = math.inf
ATTACK_VERSION = "19"
"""The MITRE ATT&CK version all technique ids in this package are taken from."""

SEPARATOR = "\x1f"
"""Between the parts of a key."""
KeyOf = Callable[[Event], str | None]
Verdict = Literal["true", "false", "expected"]
"""What somebody found an alert to be: an attack, a mistake of the detector, or something odd that is wanted."""


class KeyState(msgspec.Struct):
    """What a detector remembers about one key. Subclasses hold plain values only: they are dumped to JSON as they are."""

    wake_at: float = NEVER
    """Event time of the next ``on_time``; one timer per key. Must lie after the time of the call that sets it."""


ASK = Finding("", "", None, "tenant", "", 0.0, "update", "info", 0, 0.0, 0.0, {}, ())
"""In place of a finding: the detector cannot tell without the peers of the key, and wants ``consider`` to be called. Compare by identity."""

S = TypeVar("S", bound=KeyState)
L = TypeVar("L", bound=Strict)


def by_ip(event: Event) -> str | None:
    """One key per tenant and address."""
    return None if event.ip is None else f"{event.tenant or ''}\x1f{event.ip}"


def by_actor(event: Event) -> str | None:
    """One key per tenant and actor."""
    return None if event.actor is None else f"{event.tenant or ''}\x1f{event.actor}"


def by_tenant(event: Event) -> str | None:
    """One key per tenant; the traffic of no tenant is one tenant too."""
    return f"{event.tenant or ''}\x1f"


def tenant_of(key: str) -> str:
    r"""The key of the tenant that a key belongs to: where its peers are remembered.

    >>> tenant_of("acme\x1falice") == by_tenant(Event(kind="auth.login", tenant="acme"))
    True
    """
    return f"{key.partition(SEPARATOR)[0]}{SEPARATOR}"


def split_key(key: str) -> tuple[str | None, str]:
    r"""Tenant and entity of a key. Formats refuse control characters in a tenant, so the first separator is the true one.

    >>> split_key("acme\x1falice"), split_key("\x1f192.0.2.1")
    (('acme', 'alice'), (None, '192.0.2.1'))
    """
    tenant, _, entity = key.partition("\x1f")
    return tenant or None, entity


class Variant(msgspec.Struct, frozen=True):
    """One way a detector is keyed. ``key`` must be one of the shared functions above wherever it can: the runner computes each once per event."""

    entity_type: EntityType
    key: KeyOf
    passive: frozenset[str] = frozenset()
    """Outcomes that say nothing of a key of which nothing is remembered: such an event makes no state."""
    ignores: frozenset[tuple[str, str | None]] = frozenset()
    """(kind, outcome) of events it has no use for, whatever it remembers: the runner does not even compute their keys."""


class Detector(Protocol[S]):
    """An instance holds configuration only; everything learned from events is in the states."""

    name: ClassVar[str]
    """Stable: file, class, metric label and runbook bear it."""
    variant: str
    state_version: ClassVar[int]
    kinds: ClassVar[frozenset[str]]
    """The only event kinds it is shown."""
    idle_ttl_s: float
    """A key is remembered at least this long after its last event (seconds of event time)."""
    max_keys: int
    key: KeyOf
    """Which state an event belongs to; ``None``: not for this detector. Tenant is part of every key."""
    passive: frozenset[str]
    """Outcomes that make no state, see ``Variant``."""
    ignores: frozenset[tuple[str, str | None]]
    """(kind, outcome) it is not shown, see ``Variant``."""
    peers: "PeerMemory[Any] | None"
    """What it remembers of whole tenants, see ``consider``; ``None`` for a detector that compares nobody with others."""

    def new_state(self) -> S:
        """A state that has seen nothing."""
        ...

    def on_event(self, key: str, state: S, event: Event) -> Finding | None:
        """Take one event. It must not be changed."""
        ...

    def on_time(self, key: str, state: S, now: float) -> Finding | None:
        """``now`` is the ``wake_at`` that was asked for, not when it ran; the runner has reset ``wake_at``."""
        ...

    def on_end(self, key: str, state: S, now: float) -> Finding | None:
        """A finite input has ended at ``now``: say what is known and not yet said. Only called for keys with a timer."""
        ...

    def consider(self, key: str, state: S, peers: Any, now: float, event: Event | None) -> Finding | None:
        """Called at once after ``on_event`` or ``on_time`` returned ``ASK``, with what is remembered of the key's tenant.

        The one place where memory of a tenant is read and changed, so that the many events that need none of it do not pay for it.
        """
        ...

    def judge(self, key: str, state: S, peers: Any, verdict: Verdict, now: float) -> None:
        """Somebody has said what the latest alert about this key was."""
        ...

    def dump(self, state: S) -> Any:
        """JSON-ready, shares nothing with the state."""
        ...

    def load(self, version: int, data: Any) -> S:
        """A state from what ``dump`` of that ``state_version`` returned. Raises ``ValueError`` for one it cannot read."""
        ...

    def explain(self, finding: Finding) -> str:
        """One or two sentences; called on delivery, never per event."""
        ...

    def counterfactual(self, finding: Finding) -> str:
        """The smallest change that would have kept it silent."""
        ...


class BaseDetector(Generic[S, L]):
    """What all detectors here share: settings with overrides, and states that are dumped generically."""

    name: ClassVar[str]
    title: ClassVar[str]
    """A few words, for the head of an alert."""
    sees: ClassVar[str]
    """One sentence: what it looks for."""
    kinds: ClassVar[frozenset[str]]
    techniques: ClassVar[tuple[str, ...]]
    """ATT&CK technique ids of ``ATTACK_VERSION``."""
    false_positives: ClassVar[tuple[str, ...]]
    """What else looks like this, each with what suppresses it."""
    comes_back: ClassVar[bool] = True
    """Whether the same entity within a day is the same attack, whose alert fires again; else it is another one."""
    state_version: ClassVar[int] = 1
    variants: ClassVar[Mapping[str, Variant]]
    Settings: ClassVar[type[DetectorSettings]]
    State: type[S]
    peers: "PeerMemory[Any] | None" = None
    """See ``Detector``."""

    def __init__(self, variant: str, settings: DetectorSettings) -> None:
        self.variant = variant
        self.entity_type = self.variants[variant].entity_type
        self.key = self.variants[variant].key
        self.passive = self.variants[variant].passive
        self.ignores = self.variants[variant].ignores
        self.max_keys = settings.max_keys
        chosen: Overrides[L] = settings.overrides_of(variant)
        self.limits: L = chosen.default
        self.overrides = chosen if chosen.rules else None
        self.all_limits = tuple(chosen.all())
        self.idle_ttl_s = max(self.memory_s(limits) for limits in self.all_limits)

    def memory_s(self, limits: L) -> float:
        """How long a key must be remembered after its last event for these limits to work (seconds)."""
        raise NotImplementedError

    def limits_of(self, key: str) -> L:
        """The limits that apply to this key."""
        return self.limits if self.overrides is None else self.overrides.of(*split_key(key))

    def new_state(self) -> S:
        """See ``Detector``."""
        return self.State()

    def on_event(self, key: str, state: S, event: Event) -> Finding | None:
        """See ``Detector``."""
        raise NotImplementedError

    def on_time(self, key: str, state: S, now: float) -> Finding | None:
        """See ``Detector``. Nothing, for a detector that never sets a timer."""
        del key, state, now
        return None

    def on_end(self, key: str, state: S, now: float) -> Finding | None:
        """See ``Detector``. Nothing, for a detector that leaves nothing unsaid."""
        del key, state, now
        return None

    def consider(self, key: str, state: S, peers: Any, now: float, event: Event | None) -> Finding | None:
        """See ``Detector``. Nothing, for a detector that never asks."""
        del key, state, peers, now, event
        return None

    def judge(self, key: str, state: S, peers: Any, verdict: Verdict, now: float) -> None:
        """See ``Detector``. Nothing: what a rule counts does not depend on what became of it."""
        del key, state, peers, verdict, now

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        raise NotImplementedError

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        raise NotImplementedError

    def dump(self, state: S) -> Any:
        """See ``Detector``."""
        return _dump(state)

    def load(self, version: int, data: Any) -> S:
        """See ``Detector``."""
        return _load(self.name, self.State, self.state_version, version, data)


class PeerMemory(Generic[S]):
    """What a detector remembers of each tenant: kept, forgotten and saved by the runner as if it were a detector that sees no events."""

    kinds: ClassVar[frozenset[str]] = frozenset()
    passive: ClassVar[frozenset[str]] = frozenset()
    ignores: ClassVar[frozenset[tuple[str, str | None]]] = frozenset()
    peers: ClassVar[None] = None

    def __init__(self, owner: BaseDetector[Any, Any], state: type[S], *, version: int, idle_ttl_s: float, max_keys: int) -> None:
        self.owner = owner
        self.name = owner.name
        self.variant = f"{owner.variant}_peers"
        self.key: KeyOf = by_tenant
        self.idle_ttl_s = idle_ttl_s
        self.max_keys = max_keys
        self.state_version = version
        self.State = state

    def new_state(self) -> S:
        """See ``Detector``."""
        return self.State()

    def dump(self, state: S) -> Any:
        """See ``Detector``."""
        return _dump(state)

    def load(self, version: int, data: Any) -> S:
        """See ``Detector``."""
        return _load(self.name, self.State, self.state_version, version, data)


def _dump(state: KeyState) -> Any:
    data = msgspec.to_builtins(state, enc_hook=_encode)
    if data["wake_at"] == NEVER:
        data["wake_at"] = None  # JSON has no infinity
    return data


def _load(name: str, wanted: type[S], wanted_version: int, version: int, data: Any) -> S:
    if version != wanted_version:
        raise ValueError(f"{name}: state version {version} cannot be read by version {wanted_version}")
    wake_at = data["wake_at"]
    return msgspec.convert({**data, "wake_at": NEVER if wake_at is None else wake_at}, wanted, dec_hook=_decode)


def _encode(value: Any) -> Any:
    if isinstance(value, Packed):
        return base64.b64encode(value.to_bytes()).decode("ascii")
    raise NotImplementedError(type(value))


encode_state = msgspec.json.Encoder(enc_hook=_encode).encode
"""A state, or anything that holds states, as the JSON of its ``dump``, several times as fast; an infinity becomes null."""


def _decode(wanted: type, value: Any) -> Any:
    if issubclass(wanted, Packed):
        return wanted.from_bytes(base64.b64decode(value))
    raise NotImplementedError(wanted)
