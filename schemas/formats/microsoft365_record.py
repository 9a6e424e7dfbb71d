"""The fields of records of the unified audit log that are read."""

from typing import Any

import msgspec

from schemas.formats.json_records import NULL, as_text, part

_field = msgspec.field
Scalar = str | float | bool | None


class Property(msgspec.Struct, rename="pascal", gc=False):
    """A named value."""

    name: str | None = None
    value: Scalar = None


class Party(msgspec.Struct, gc=False):
    """One name of who did something, or of what it was done to."""

    id: str | None = _field(name="ID", default=None)
    type: Scalar = _field(name="Type", default=None)


class AppAccess(msgspec.Struct, gc=False):
    """The session behind a request."""

    session: str | None = _field(name="AADSessionId", default=None)


class Record(msgspec.Struct, rename="pascal"):
    """A record of the log, or a wrapper. Parts that few events need stay raw until then."""

    id: str | None = None
    creation_time: str | float | None = None
    operation: str | None = None
    workload: str | None = None
    record_type: Scalar = None
    user_id: str | None = None
    user_type: Scalar = None
    client_ip: str | None = _field(name="ClientIP", default=None)
    client_ip_address: str | None = _field(name="ClientIPAddress", default=None)
    actor_ip_address: str | None = None
    result_status: Scalar = None
    object_id: str | None = None
    logon_error: str | None = None
    error_number: Scalar = None
    user_agent: str | None = None
    client_info_string: str | None = None
    device_id: str | None = None
    session_id: str | None = None
    mailbox_owner: str | None = _field(name="MailboxOwnerUPN", default=None)
    target_type: str | None = _field(name="TargetUserOrGroupType", default=None)
    target_name: str | None = _field(name="TargetUserOrGroupName", default=None)
    file_size_bytes: Scalar = None
    operation_count: Scalar = None
    query: str | None = None
    severity: str | None = None
    alert_entity_id: str | None = None
    team_name: str | None = None
    case_name: str | None = _field(name="Case", default=None)
    app_access_context: AppAccess | None = None
    actor: list[Party] | None = None
    target: msgspec.Raw = NULL
    extended_properties: msgspec.Raw = NULL
    modified_properties: msgspec.Raw = NULL
    device_properties: msgspec.Raw = NULL
    operation_properties: msgspec.Raw = NULL
    parameters: msgspec.Raw = NULL
    folders: msgspec.Raw = NULL
    affected_items: msgspec.Raw = NULL
    policy_details: msgspec.Raw = NULL

    audit_data: msgspec.Raw = NULL
    """The record itself, in a row that PowerShell or the portal exported."""
    graph_data: msgspec.Raw = _field(name="auditData", default=NULL)
    """The record itself, in an answer of Microsoft Graph."""
    value: list[msgspec.Raw] | None = _field(name="value", default=None)
    records: list[msgspec.Raw] | None = _field(name="records", default=None)


def named(raw: msgspec.Raw) -> dict[str, str]:
    """A list of named values as a mapping; empty when it is none. Cmdlet parameters come as ``{"Name", "Value"}`` too."""
    found: dict[str, str] = {}
    if raw is not NULL:
        entries = part(raw)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("Name"), str):
                value = entry.get("Value")
                found[entry["Name"]] = value if isinstance(value, str) else "" if value is None else str(value)
    return found


def modified(raw: msgspec.Raw) -> list[tuple[str, str, str]]:
    """Name, old and new value of each changed property."""
    entries: Any = part(raw) if raw is not NULL else None
    return [
        (as_text(entry.get("Name")) or "", as_text(entry.get("OldValue"), 65_536) or "", as_text(entry.get("NewValue"), 65_536) or "")
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
    ]
