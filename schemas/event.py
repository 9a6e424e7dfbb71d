"""The one shape every input format is decoded to."""

from typing import Literal, get_args

import msgspec

Kind = Literal[
    "auth.login",
    "auth.logout",
    "auth.mfa_challenge",
    "auth.mfa_change",
    "auth.password_reset",
    "auth.password_change",
    "auth.session",
    "account.change",
    "credential.change",
    "authz.decision",
    "api.request",
    "data.export",
    "data.query",
    "admin.action",
    "audit.log_change",
]
Outcome = Literal["success", "failure", "challenge"]
ActorType = Literal["user", "service", "api_key", "anonymous"]
Risk = Literal["low", "medium", "high"]
Network = Literal["vpn", "hosting", "relay", "satellite", "mobile"]

KINDS: frozenset[str] = frozenset(get_args(Kind))
HEARD = "source.heard"
"""No record is of this kind. The live service makes such an event from time to time of an input that sends: its tenant and name (``target``),
the partition (``action``), and how many events came since the last one (``records``). With the reason ``gone`` it is not read any more."""


class Event(msgspec.Struct, gc=False):
    """One normalised log record.

    ``gc=False`` is safe because every field is a scalar: an event can never be part of a cycle.
    Absent values are ``None`` (or zero for amounts); detectors treat both as "not sent".
    """

    kind: str
    ts: float = 0.0
    """Event time, Unix seconds, UTC."""
    id: str = ""
    """Unique per event; a repeat within the dedupe horizon is dropped and counted."""
    outcome: str | None = None
    tenant: str | None = None
    """Customer or workspace. State is never shared across tenants."""
    actor: str | None = None
    actor_type: str | None = None
    ip: str | None = None
    """Canonical text form of the source address (IPv4-mapped IPv6 is written as IPv4)."""
    country: str | None = None
    """ISO 3166 alpha-2, upper case."""
    city: str | None = None
    lat: float | None = None
    lon: float | None = None
    accuracy_km: float = 0.0
    """Radius within which the true position lies; 0 when the source did not say."""
    asn: int = 0
    network: str | None = None
    """What kind of network the address belongs to, where it is no ordinary one: see ``Network``."""
    risk: str | None = None
    """The source's own judgement of this event, where it sends one: ``low``, ``medium`` or ``high``."""
    user_agent: str | None = None
    device_id: str | None = None
    session_id: str | None = None
    reason: str | None = None
    """Why it failed: ``bad_password``, ``unknown_user``, ``locked``, ``forbidden`` …"""
    target: str | None = None
    """What it was done to, as ``type:id``."""
    action: str | None = None
    method: str | None = None
    route: str | None = None
    """The endpoint's template, e.g. ``/v1/files/{id}``."""
    path: str | None = None
    status: int = 0
    latency_ms: float = 0.0
    records: int = 0
    bytes: int = 0
    query: str | None = None
