"""The fields of a GitHub audit log entry that are read, where they may lie, and who and where they tell of."""

from typing import Any

import msgspec

from schemas.address import canonical_ip
from schemas.event import Event
from schemas.formats.json_records import NULL, Inner, as_dict, as_text

AGENT_CHARS = 512
TARGET_CHARS = 512


class Record(msgspec.Struct):
    """An entry, or one of the wrappers it arrives in. Every value is unchecked: GitHub writes the same field as text, list or number."""

    action: Any = None
    actor: Any = None
    actor_ip: Any = None
    actor_is_bot: Any = None
    actor_location: Any = None
    actor_session: Any = None
    at: Any = msgspec.field(name="@timestamp", default=None)
    created_at: Any = None
    at_sign_timestamp: Any = None
    p_event_time: Any = None
    document_id: Any = msgspec.field(name="_document_id", default=None)
    org: Any = None
    business: Any = None
    repo: Any = None
    repository: Any = None
    user: Any = None
    team: Any = None
    operation_type: Any = None
    access_type: Any = msgspec.field(name="programmatic_access_type", default=None)
    user_agent: Any = None
    external_user: Any = msgspec.field(name="external_identity_username", default=None)
    external_name: Any = msgspec.field(name="external_identity_nameid", default=None)
    visibility: Any = None
    permission: Any = None
    old_permission: Any = None
    invitation_role: Any = None
    integration: Any = None
    oauth_application: Any = None
    application_name: Any = None
    hook_id: Any = None
    fingerprint: Any = None
    request_method: Any = None
    url_path: Any = None
    route: Any = None
    status_code: Any = None
    data: Any = None
    """Where Enterprise Server and older exports put whatever is particular to one action."""

    records: list[msgspec.Raw] | None = None
    items: list[msgspec.Raw] | None = None
    value: list[msgspec.Raw] | None = None
    event: msgspec.Raw = NULL
    """A Splunk HTTP event collector; in entries of workflows, the name of what started one."""
    message: Any = None
    """Logstash: the syslog line of an Enterprise Server."""

    def inner(self) -> Inner | None:
        """What this wrapper holds; ``None`` when it is an entry itself."""
        if self.action is not None:
            return None
        for entries in (self.records, self.items, self.value):
            if entries is not None:
                return entries
        if bytes(self.event)[:1] == b"{":
            return (self.event,)
        if isinstance(self.message, str) and "github_audit" in self.message:
            return (self.message.encode("utf-8", "replace"),)
        return None

    def text(self, name: str) -> str | None:
        """A field as text, of the entry or of its ``data``; of several values the first. ``None`` when it is absent or empty."""
        value = getattr(self, name)
        if value is None:
            value = as_dict(self.data).get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value) if -(2**63) <= value < 2**63 else None
        return as_text(value)


_PLACES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "user": (("user", ("user",)),),
    "team": (("team", ("team",)),),
    "app": (("app", ("integration", "oauth_application", "application_name")),),
    "hook": (("hook", ("hook_id",)),),
    "key": (("key", ("fingerprint",)),),
}
_WIDER: tuple[tuple[str, tuple[str, ...]], ...] = (("repo", ("repo", "repository")), ("org", ("org",)), ("business", ("business",)))


def target_of(record: Record, kind: str) -> str | None:
    """What it was done to, as ``type:id``: the thing of this kind, else the repository, the organisation or the enterprise around it."""
    for type_, names in (*_PLACES.get(kind, ()), *(_WIDER[1:] if kind == "org" else _WIDER)):
        for name in names:
            if found := record.text(name):
                return f"{type_}:{found}"[:TARGET_CHARS]
    return None


def set_actor(event: Event, record: Record) -> None:
    """Actor and its type. Tokens and keys act as ``api_key``, Apps and robots as ``service``; the log names the person behind a token.

    ``hashed_token`` and ``token_id`` are not kept.
    """
    actor = record.text("actor")
    if actor is None and event.kind.startswith("auth."):
        actor = record.text("user")
    event.actor = actor or as_text(record.external_user) or as_text(record.external_name)
    access = as_text(record.access_type) or ""
    if record.actor_is_bot is True or (actor or "").endswith("[bot]") or "server-to-server" in access:
        event.actor_type = "service"
    elif access and "user-to-server" not in access:
        event.actor_type = "api_key"
    elif event.actor:
        event.actor_type = "user"
    elif event.kind != "auth.login":
        event.actor_type = "anonymous"  # a public repository is read by anyone
    event.session_id = record.text("actor_session")


def set_place(event: Event, record: Record) -> None:
    """Address, user agent, and the geography GitHub looked up."""
    address = record.text("actor_ip")
    event.ip = canonical_ip(address) if address else None
    agent = record.user_agent if record.user_agent is not None else as_dict(record.data).get("user_agent")
    event.user_agent = as_text(agent, AGENT_CHARS)
    place = as_dict(record.actor_location) or as_dict(as_dict(record.data).get("actor_location"))
    if not place:
        return
    country = as_text(place.get("country_code"))
    if country is not None and len(country) == 2 and country.isascii() and country.isalpha():
        event.country = country.upper()
    event.city = as_text(place.get("city"))
    point = as_dict(place.get("location"))
    lat, lon = point.get("lat"), point.get("lon")
    if isinstance(lat, (int, float)) and isinstance(lon, (int, float)) and -90 <= lat <= 90 and -180 <= lon <= 180:
        event.lat, event.lon = float(lat), float(lon)
