"""Requests to two interfaces that log into the same stream: Microsoft Graph, and the API server of a Kubernetes cluster."""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from schemas.event import Event
from schemas.formats.entra_record import GraphCall
from schemas.formats.json_records import as_dict, as_text
from schemas.formats.microsoft import account, client_ip

TEXT_CHARS = 256
AGENT_CHARS = 512
TARGET_CHARS = 512
_BYTES_LIMIT = 2**63
_DECODER = msgspec.json.Decoder(GraphCall)
_ID = re.compile(r"(?<=/)(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[^/]*@[^/]*|[0-9]+)(?=/|$)|(?<=\()'[^']*'(?=\))")
_READS = frozenset({"get", "list", "watch"})
_INSIDE = frozenset({"exec", "attach", "portforward", "proxy", "ephemeralcontainers"})


def decode_call(raw: bytes | msgspec.Raw) -> GraphCall:
    """The fields of a Graph call; msgspec's errors may leave it."""
    return _DECODER.decode(raw)


def set_graph_call(event: Event, call: GraphCall) -> None:
    """A call of Microsoft Graph; its query string is not kept."""
    event.kind, event.action = "api.request", "graph.call"
    event.method = call.request_method[:16].upper() if call.request_method else None
    try:
        path = urlsplit(call.request_uri or "").path
    except ValueError:
        path = ""
    if path:
        event.path = path[:TARGET_CHARS]
        event.route = _ID.sub("{id}", event.path)
    status = call.response_status_code
    if isinstance(status, str):
        status = float(status) if status.isascii() and status.isdigit() and len(status) == 3 else 0
    event.status = int(status) if status is not None and 100 <= status <= 599 else 0
    _judge(event)
    if call.response_size_bytes is not None and 0 <= call.response_size_bytes < _BYTES_LIMIT:
        event.bytes = int(call.response_size_bytes)
    if call.user_id:
        event.actor, event.actor_type = call.user_id[:TEXT_CHARS], "user"
    elif program := call.service_principal_id or call.app_id:
        event.actor, event.actor_type = program[:TEXT_CHARS], "service"
    event.ip = client_ip(call.ip_address) if call.ip_address else event.ip
    event.user_agent = call.user_agent[:AGENT_CHARS] if call.user_agent else None
    event.session_id = call.session_id[:TEXT_CHARS] if call.session_id else None


def _judge(event: Event) -> None:
    if event.status:
        event.outcome = "success" if event.status < 400 else "failure"
    if event.status in {401, 403}:
        event.kind, event.reason = "authz.decision", "forbidden"


def set_cluster_request(event: Event, log: dict[str, Any]) -> bool:
    """An entry of a cluster's audit log. False for the first of the two stages of a request that has a second one."""
    verb = as_text(log.get("verb"), 32)
    if not verb or log.get("stage") == "RequestReceived":
        return False
    thing = as_dict(log.get("objectRef"))
    resource = as_text(thing.get("resource"), 64) or "none"
    part = as_text(thing.get("subresource"), 64)
    event.action = f"{verb}.{resource}{'/' + part if part else ''}"
    event.route = event.action
    code = as_dict(log.get("responseStatus")).get("code")
    event.status = int(code) if isinstance(code, (int, float)) and 100 <= code <= 599 else 0
    event.kind = _cluster_kind(verb, resource, part)
    _judge(event)
    if as_dict(log.get("annotations")).get("authorization.k8s.io/decision") == "forbid":
        event.kind, event.outcome, event.reason = "authz.decision", "failure", "forbidden"
    name = "/".join(text for key in ("namespace", "name") if (text := as_text(thing.get(key))))
    event.target = f"{resource}:{name}"[:TARGET_CHARS] if name else None
    event.records = 1 if event.kind == "data.export" and event.outcome == "success" else 0
    user = as_text(as_dict(log.get("user")).get("username"))
    if user:
        event.actor = account(user)
        event.actor_type = "anonymous" if user == "system:anonymous" else "service" if user.startswith("system:") else "user"
    addresses = log.get("sourceIPs")
    if isinstance(addresses, list) and addresses and isinstance(addresses[0], str):
        event.ip = client_ip(addresses[0])
    event.user_agent = as_text(log.get("userAgent"), AGENT_CHARS)
    return True


def _cluster_kind(verb: str, resource: str, part: str | None) -> str:
    if resource == "secrets" and verb in _READS:
        return "data.export"
    if resource == "certificatesigningrequests" or part == "token":
        return "credential.change" if verb not in _READS else "api.request"
    if part in _INSIDE:  # into a running container, whatever the verb
        return "admin.action"
    return "api.request" if verb in _READS else "admin.action"
