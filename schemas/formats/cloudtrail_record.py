"""The fields of a CloudTrail record that are read, and who stands behind one."""

import re
from typing import Any

import msgspec

from schemas.event import Event

TEXT_CHARS = 256
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""What AWS writes in place of a user name that does not exist: people type passwords there."""
NULL = msgspec.Raw(b"null")


class Issuer(msgspec.Struct, gc=False):
    """Who issued a session: the role."""

    arn: str | None = None
    user_name: str | None = msgspec.field(name="userName", default=None)


class Session(msgspec.Struct):
    """Where temporary credentials come from."""

    issuer: Issuer | None = msgspec.field(name="sessionIssuer", default=None)


class OnBehalfOf(msgspec.Struct, gc=False):
    """The person of an identity store."""

    user_id: str | None = msgspec.field(name="userId", default=None)


class Identity(msgspec.Struct):
    """Who made the call."""

    type: str | None = None
    arn: str | None = None
    principal: str | None = msgspec.field(name="principalId", default=None)
    account: str | None = msgspec.field(name="accountId", default=None)
    access_key: str | None = msgspec.field(name="accessKeyId", default=None)
    user_name: str | None = msgspec.field(name="userName", default=None)
    invoked_by: str | None = msgspec.field(name="invokedBy", default=None)
    session: Session | None = msgspec.field(name="sessionContext", default=None)
    on_behalf_of: OnBehalfOf | None = msgspec.field(name="onBehalfOf", default=None)


class Resource(msgspec.Struct, gc=False):
    """Something the call touched."""

    arn: str | None = msgspec.field(name="ARN", default=None)


class Record(msgspec.Struct):
    """A CloudTrail event, or one of the wrappers they arrive in. Parts that few events need stay raw until then."""

    version: str | None = msgspec.field(name="eventVersion", default=None)
    time: str | float | None = msgspec.field(name="eventTime", default=None)
    name: str | None = msgspec.field(name="eventName", default=None)
    source: str | None = msgspec.field(name="eventSource", default=None)
    id: str | None = msgspec.field(name="eventID", default=None)
    event_type: str | None = msgspec.field(name="eventType", default=None)
    category: str | None = msgspec.field(name="eventCategory", default=None)
    management: bool | str | None = msgspec.field(name="managementEvent", default=None)
    read_only: bool | str | None = msgspec.field(name="readOnly", default=None)
    identity: Identity | None = msgspec.field(name="userIdentity", default=None)
    address: str | None = msgspec.field(name="sourceIPAddress", default=None)
    user_agent: str | None = msgspec.field(name="userAgent", default=None)
    error: str | None = msgspec.field(name="errorCode", default=None)
    error_message: str | None = msgspec.field(name="errorMessage", default=None)
    resources: list[Resource] | None = None
    request: msgspec.Raw = msgspec.field(name="requestParameters", default=NULL)
    response: msgspec.Raw = msgspec.field(name="responseElements", default=NULL)
    additional: msgspec.Raw = msgspec.field(name="additionalEventData", default=NULL)
    service_details: msgspec.Raw = msgspec.field(name="serviceEventDetails", default=NULL)

    delivered: list[msgspec.Raw] | None = msgspec.field(name="Records", default=None)
    """A file as CloudTrail delivers it to S3."""
    looked_up: list[msgspec.Raw] | None = msgspec.field(name="Events", default=None)
    """The answer of ``aws cloudtrail lookup-events``."""
    log_events: list[msgspec.Raw] | None = msgspec.field(name="logEvents", default=None)
    """A CloudWatch Logs subscription."""
    filtered: list[msgspec.Raw] | None = msgspec.field(name="events", default=None)
    """The answer of ``aws logs filter-log-events``."""
    detail: msgspec.Raw = NULL
    """EventBridge."""
    message: str | None = None
    """CloudWatch Logs."""
    text: str | None = msgspec.field(name="CloudTrailEvent", default=None)
    """One entry of ``lookup-events``."""
    digest_start: str | None = msgspec.field(name="digestStartTime", default=None)
    """Only digest files have it: hashes of delivered files, no events."""

    @property
    def service(self) -> str:
        """``s3`` of ``s3.amazonaws.com``."""
        return (self.source or "").partition(".amazonaws.")[0]

    @property
    def is_management(self) -> bool:
        """Whether the account itself was managed, as opposed to data inside it (objects, rows, messages)."""
        return self.category not in {"Data", "NetworkActivity"} and self.management not in {False, "false"}


def part(raw: msgspec.Raw) -> dict[str, Any]:
    """A raw part as an object; empty when it is none (or holds a number no machine can)."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


_MACHINE_SESSION = re.compile(r"(?:^|[-_.@])[0-9]{9,}$|^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$|^[0-9a-f]{32}$", re.IGNORECASE)


def set_actor(event: Event, identity: Identity, address: str | None) -> None:
    """Actor, its type and the session.

    An assumed role acts as ``<role>/<session>``, for the session name is the person or the instance. A name that a program made up for
    this one session (``aws-go-sdk-1722375070115152000``, a GUID) is dropped: with it every session would be a new actor.
    ``session_id`` is the access key *identifier* of temporary credentials (``ASIA…``); long-lived keys are no session.
    """
    event.actor = _actor(identity)
    if identity.access_key and identity.access_key.startswith("ASIA"):
        event.session_id = identity.access_key[:TEXT_CHARS]
    if _is_service(identity) or _is_service_address(address):
        event.actor_type = "service"
    elif _is_anonymous(identity):
        event.actor_type = "anonymous"
    elif event.actor:
        event.actor_type = "user"


def _is_service(identity: Identity) -> bool:
    if identity.type == "AWSService" or (identity.type is None and identity.invoked_by):
        return True
    issuer = identity.session.issuer if identity.session else None
    return bool(issuer and issuer.arn and ":role/aws-service-role/" in issuer.arn)


def _is_service_address(address: str | None) -> bool:
    """AWS itself acting for the caller: ``cloudformation.amazonaws.com``, ``AWS Internal``."""
    return address is not None and (address == "AWS Internal" or address.endswith((".amazonaws.com", ".amazonaws.com.cn")))


def _is_anonymous(identity: Identity) -> bool:
    return identity.type == "AWSAccount" and (identity.account or "").upper() in {"ANONYMOUS", "ANONYMOUS_PRINCIPAL"}


def _actor(identity: Identity) -> str | None:
    match identity.type:
        case "Root":
            return "root"
        case "AWSService":
            name = identity.invoked_by or identity.principal
        case "AssumedRole":
            name = _role_session(identity)
        case "AWSAccount":  # another account: only its principal is known
            name = None if _is_anonymous(identity) else identity.principal or identity.account
        case "IdentityCenterUser":
            name = identity.user_name or (identity.on_behalf_of.user_id if identity.on_behalf_of else None) or identity.principal
        case _:
            name = (
                identity.user_name or _last(identity.arn) or (identity.invoked_by if identity.type is None else None) or identity.principal
            )
    return None if not name or name == HIDDEN else name[:TEXT_CHARS]


def _role_session(identity: Identity) -> str | None:
    _, found, rest = (identity.arn or "").partition(":assumed-role/")
    role, _, session = rest.rpartition("/") if found else ("", "", "")
    issuer = identity.session.issuer if identity.session else None
    role = role.rpartition("/")[2] or (issuer.user_name if issuer else None) or ""
    session = session or (identity.principal or "").partition(":")[2]
    if role and session and _MACHINE_SESSION.search(session):
        return role
    return f"{role}/{session}" if role and session else role or session or identity.principal


def _last(arn: str | None) -> str | None:
    """``bob`` of ``arn:aws:iam::123456789012:user/team/bob``."""
    return arn.rpartition("/")[2] if arn and "/" in arn else None
