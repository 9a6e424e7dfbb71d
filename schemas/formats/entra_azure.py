"""Azure's own resources in the same stream: the activity log, storage accounts and key vaults."""

from typing import Any

from schemas.event import Event
from schemas.formats.entra_azure_kinds import STORAGE_RULES, UNFINISHED, VAULT_RULES, activity_rule
from schemas.formats.entra_record import Record, name_in
from schemas.formats.json_records import as_dict, as_text, part
from schemas.formats.microsoft import Rule, account, client_ip, operation_key

TARGET_CHARS = 512
AGENT_CHARS = 512
_BYTES_LIMIT = 2**63
_XML = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_PEOPLE = (f"{_XML}upn", "upn", f"{_XML}emailaddress", "unique_name", f"{_XML}name", "name")
"""Claims that name a person, the surest first."""
_PROGRAMS = ("appid", "http://schemas.microsoft.com/identity/claims/objectidentifier")
_FORBIDDEN = ("403", "401", "forbidden", "unauthorized", "authorizationfailed")
_ANONYMOUS, _KEYS = frozenset({"anonymous"}), frozenset({"sas", "accountkey", "delegationsas"})


def set_activity(event: Event, record: Record, operation: str) -> Event | None:
    """An entry of the activity log; ``None`` while the operation still goes on."""
    status = _status(record)
    if status.lower().rstrip(".") in UNFINISHED:
        return None
    properties = as_dict(part(record.properties))
    _set_caller(event, record)
    rule = activity_rule(operation)
    _apply(event, rule, operation)
    event.status = _http(record.result_signature, properties.get("statusCode"))
    signature = f"{record.result_signature or ''} {properties.get('statusCode') or ''} {record.result_type or ''}".lower()
    if status.lower().startswith(("fail", "error", "cancel", "reject")):
        event.outcome = "failure"
    elif status:
        event.outcome = "success"
    _refuse(event, signature)
    if rule.action == "policy.deny":
        event.outcome, event.reason = "failure", "forbidden"
    event.risk = {"high": "high", "medium": "medium", "low": "low"}.get(str(properties.get("severity", "")).lower())
    if record.resource_id:
        event.target = f"resource:{record.resource_id.lower()}"[:TARGET_CHARS]
    return event


def set_storage(event: Event, record: Record, operation: str) -> Event:
    """A request to a storage account. The address it was made to is not kept, for it may hold a signature."""
    properties = as_dict(part(record.properties))
    identity = as_dict(part(record.identity))
    rule = STORAGE_RULES.get(operation_key(operation)) or Rule("api.request")
    _apply(event, rule, operation)
    event.status = _http(record.status_code, properties.get("statusCode"))
    answer = str(properties.get("metricResponseType") or "")
    succeeded = answer.lower().endswith("success") if answer else event.status < 400
    event.outcome = "success" if succeeded else "failure"
    _set_requester(event, identity)
    event.user_agent = as_text(properties.get("userAgentHeader"), AGENT_CHARS)
    if key := as_text(properties.get("objectKey"), TARGET_CHARS):
        event.target, event.path = f"object:{key}"[:TARGET_CHARS], key
    elif record.resource_id:
        event.target = f"resource:{record.resource_id.lower()}"[:TARGET_CHARS]
    if rule.read and succeeded:
        event.records = 1
        size = properties.get("responseBodySize")
        if isinstance(size, (int, float)) and 0 <= size < _BYTES_LIMIT:
            event.bytes = int(size)
    _refuse(event, f"{answer.lower()} {event.status}")
    if not succeeded and event.reason is None and "auth" in answer.lower():
        event.kind, event.reason = "authz.decision", "forbidden"
    return event


def set_vault(event: Event, record: Record, operation: str) -> Event:
    """A request to a key vault."""
    properties = as_dict(part(record.properties))
    rule = VAULT_RULES.get(operation_key(operation)) or Rule("api.request")
    _apply(event, rule, operation)
    event.status = _http(properties.get("httpStatusCode"), record.result_signature)
    event.outcome = "success" if event.status < 400 else "failure"
    _set_caller(event, record)
    event.user_agent = as_text(properties.get("clientInfo"), AGENT_CHARS)
    name = as_text(properties.get("id"), TARGET_CHARS) or record.resource_id
    event.target = f"secret:{name}"[:TARGET_CHARS] if name else None
    if rule.read and event.outcome == "success":
        event.records = 1
    _refuse(event, f"{record.result_signature or ''} {event.status}".lower())
    return event


def _apply(event: Event, rule: Rule, operation: str) -> None:
    event.kind = rule.kind
    event.route = operation.lower()[:TARGET_CHARS]
    event.action = rule.action or event.route


def _refuse(event: Event, signature: str) -> None:
    """Whatever it was: a refusal is a decision about access."""
    if event.outcome == "failure" and any(word in signature for word in _FORBIDDEN):
        event.kind, event.reason = "authz.decision", "forbidden"


def _status(record: Record) -> str:
    for value in (record.result_type, record.activity_status_value, name_in(record.status)):
        if isinstance(value, str) and value:
            return value
    return ""


def _http(*candidates: Any) -> int:
    """The first candidate that is an HTTP status; 0 when none is."""
    for value in candidates:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            return int(value)
        if isinstance(value, (int, float)) and 100 <= value <= 599:
            return int(value)
    return 0


def _set_caller(event: Event, record: Record) -> None:
    """Who stands behind a token: the person it names, else the program."""
    identity = as_dict(part(record.identity))
    claims = as_dict(identity.get("claims") or identity.get("claim") or part(record.claims))
    evidence = as_dict(as_dict(identity.get("authorization")).get("evidence"))
    names = [claims[name] for name in _PEOPLE if isinstance(claims.get(name), str) and claims[name]]
    person = next((name for name in names if "@" in name), None) or (names[0] if names else None) or record.caller
    program = next((claims[name] for name in _PROGRAMS if isinstance(claims.get(name), str) and claims[name]), None)
    if evidence.get("principalType") == "ServicePrincipal" or claims.get("idtyp") == "app" or (person and "@" not in person):
        event.actor, event.actor_type = person or program, "service"
    elif person:
        event.actor, event.actor_type = account(person), "user"
    elif program:
        event.actor, event.actor_type = program, "service"
    event.actor = event.actor[:256] if event.actor else None
    address = as_text(as_dict(part(record.http_request)).get("clientIpAddress")) or as_text(claims.get("ipaddr"))
    if event.ip is None and address:
        event.ip = client_ip(address)


def _set_requester(event: Event, identity: dict[str, Any]) -> None:
    """Who asked a storage account: a person, or the kind of key that opened it."""
    requester = as_dict(identity.get("requester"))
    means = str(identity.get("type") or "").lower()
    if person := as_text(requester.get("upn")):
        event.actor, event.actor_type = account(person), "user"
    elif program := as_text(requester.get("objectId")) or as_text(requester.get("appId")):
        event.actor, event.actor_type = program, "service"
    elif means in _ANONYMOUS:
        event.actor_type = "anonymous"
    elif means in _KEYS:
        event.actor_type = "api_key"
