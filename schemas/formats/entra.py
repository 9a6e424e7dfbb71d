"""Microsoft Entra ID: sign-ins, audit log and risks, and what Azure logs into the same stream.

Shapes: objects and pages (``value``) of Microsoft Graph; the envelopes (``records``) of Azure Monitor, an event hub or a storage account;
rows of Log Analytics as JSON. Beside Entra's own categories: the activity log, storage accounts, key vaults, calls of Microsoft Graph and
the audit log of a cluster (AKS). Other resource logs of Azure are ``unknown_kind``.
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.base import Context
from schemas.formats.countries import country_code
from schemas.formats.entra_audit import decode_audit, set_audit
from schemas.formats.entra_azure import set_activity, set_storage, set_vault
from schemas.formats.entra_azure_kinds import (
    ACTIVITY_CATEGORIES,
    ACTIVITY_ENDINGS,
    ACTIVITY_IGNORED,
    ACTIVITY_RULES,
    STORAGE_CATEGORIES,
    STORAGE_RULES,
    VAULT_RULES,
)
from schemas.formats.entra_kinds import AUDIT_IGNORED, AUDIT_PREFIXES, AUDIT_RULES
from schemas.formats.entra_record import Record, Row, folded, name_in
from schemas.formats.entra_requests import decode_call, set_cluster_request, set_graph_call
from schemas.formats.entra_sign_in import CATEGORIES, decode_sign_in, set_detection, set_sign_in
from schemas.formats.json_records import BOM, NULL, Inner, RecordsParser, as_dict, moment, part
from schemas.formats.microsoft import CODES, client_ip, operation_key

_RECORD = msgspec.json.Decoder(Record)
_ROW = msgspec.json.Decoder(Row)
_AUDITS = frozenset({"auditlogs"})
_DETECTIONS = {
    f"{table}{name}": of_account
    for table in ("", "aad")  # of an envelope, of a Log Analytics row
    for name, of_account in (
        ("userriskevents", False),
        ("serviceprincipalriskevents", False),
        ("riskyusers", True),
        ("riskyserviceprincipals", True),
    )
}
"""Categories of what was found, in lower case, and whether it is a judgement of a whole account."""
_CLUSTER = frozenset({"kube-audit", "kube-audit-admin"})
IGNORED_CATEGORIES = ACTIVITY_IGNORED | {
    "provisioninglogs", "networkaccesstrafficlogs", "remotenetworkhealthlogs", "allmetrics", "kube-apiserver", "kube-scheduler",
    "kube-controller-manager", "cluster-autoscaler", "guard", "azurepolicyevaluationdetails", "transaction", "capacity",
}  # fmt: skip
"""Categories that are known and not security relevant, in lower case."""

Read = Callable[["EntraParser", Event, Record, bytes | msgspec.Raw], Event | None]


class EntraParser(RecordsParser[Record]):
    """Parser of one input; see ``RecordsParser`` for the order of events and ``partial_rejects``."""

    def decode(self, data: bytes) -> Record:
        """One record; field names may be written in any case."""
        record = _RECORD.decode(data)
        if (_says_nothing(record) or _is_half_read(record)) and (again := folded(data)) is not None:
            row = _ROW.decode(again)
            row.whole = again
            return row
        return record

    def inner(self, record: Record) -> Inner | None:
        """The records of a batch or a page."""
        if record.records is not None:
            return record.records
        return record.value if _says_nothing(record) else None

    def event(self, record: Record, raw: bytes) -> Event | None:
        """One sign-in, audit entry, risk or request."""
        category = _category(record)
        if category in IGNORED_CATEGORIES:
            return None
        body = _body(record, raw)
        event = Event("api.request", tenant=self.tenant, ip=client_ip(record.caller_ip_address) if record.caller_ip_address else None)
        read = _reader(record, category)
        try:
            found = read(self, event, record, body)
        except msgspec.ValidationError as exc:  # names the field and the types, never the value
            raise RejectError("bad_field", str(exc)) from None
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise RejectError("bad_field", "properties: expected an object") from None
        if found is not None and not found.id:
            found.id = self.id_of(None, raw)
        return found


def _says_nothing(record: Record) -> bool:
    return (
        record.category is NULL
        and record.operation_name is NULL
        and record.activity_display_name is None
        and record.created_date_time is None
        and record.detected_date_time is None
        and record.risk_last_updated_date_time is None
        and record.records is None
    )


def _is_half_read(record: Record) -> bool:
    """Whether some pipeline lowered the names of all fields but those that had no capital."""
    return record.category is not NULL and record.operation_name is NULL and record.activity_display_name is None


def _category(record: Record) -> str:
    """The category of an envelope, in lower case; the table of a row, which says more than its category."""
    table = (record.table or "").lower()
    if table in CATEGORIES or table in _AUDITS or table in _DETECTIONS:
        return table
    return (name_in(record.category) or record.category_value or table).lower()


def _body(record: Record, raw: bytes) -> bytes | msgspec.Raw:
    """The part that holds the entry itself: the properties, where there are any."""
    if record.properties is NULL:
        return record.whole if isinstance(record, Row) else raw
    if bytes(memoryview(record.properties)[:1]) == b'"':
        text = msgspec.json.decode(record.properties)
        return text.encode("utf-8", "replace") if isinstance(text, str) else raw
    return record.properties


def _reader(record: Record, category: str) -> Read:
    """What reads such a record. Raises ``RejectError``."""
    alone = record.properties is NULL
    if category in CATEGORIES:
        return _sign_in
    if category in _AUDITS or (alone and record.activity_display_name is not None):
        return _audit
    if category in _DETECTIONS or (alone and (record.detected_date_time is not None or record.risk_last_updated_date_time is not None)):
        return _detection
    if category == "microsoftgraphactivitylogs":
        return _graph_call
    if category in STORAGE_CATEGORIES:
        return _storage
    if category == "auditevent":
        return _vault
    if category in _CLUSTER:
        return _cluster
    return _guessed(record, category, alone=alone)


def _guessed(record: Record, category: str, *, alone: bool) -> Read:
    operation = _operation(record)
    if operation and operation_key(operation) in STORAGE_RULES:
        return _storage
    if operation and (category in ACTIVITY_CATEGORIES or ("/" in operation and not category)):
        return _activity
    if alone and record.created_date_time is not None and record.status is not NULL:
        return _sign_in
    if operation and not category and "objectKey" in as_dict(part(record.properties)):
        return _storage
    if operation and not category and not alone and "metricResponseType" in as_dict(part(record.properties)):
        return _storage
    if category:
        raise RejectError("unknown_kind", "category: not one this format reads")
    raise RejectError("unknown_shape", "expected a sign-in, an audit entry or an Azure Monitor record")


def _operation(record: Record) -> str:
    return record.operation_name_value or name_in(record.operation_name) or ""


def _when(*fields: tuple[str, str | float | None]) -> float:
    """The first of these times that is there. Raises ``RejectError`` naming the first."""
    return moment(next((value for _, value in fields if value not in {None, ""}), None), fields[0][0])


def _sign_in(_: EntraParser, event: Event, record: Record, body: bytes | msgspec.Raw) -> Event:
    entry = decode_sign_in(body)
    event.ts = _when(("createdDateTime", entry.created_date_time), ("time", record.time), ("TimeGenerated", record.time_generated))
    event.id = (entry.id or "")[:256]
    location = part(record.location) if record.location is not NULL else None
    event.country = country_code(location) if isinstance(location, str) else None
    set_sign_in(event, entry, _category(record), record.result_type)
    return event


def _audit(_: EntraParser, event: Event, record: Record, body: bytes | msgspec.Raw) -> Event | None:
    entry = decode_audit(body)
    operation = _operation(record) or entry.activity_display_name
    if not operation:
        raise RejectError("missing_field", "activityDisplayName")
    event.ts = _when(("activityDateTime", entry.activity_date_time), ("time", record.time), ("TimeGenerated", record.time_generated))
    event.id = (entry.id or "")[:256]
    result = record.result or (record.result_type if isinstance(record.result_type, str) else None)
    return event if set_audit(event, entry, operation, result) else None


def _detection(_: EntraParser, event: Event, record: Record, body: bytes | msgspec.Raw) -> Event:
    entry = decode_sign_in(body)
    of_account = _DETECTIONS.get(_category(record), entry.detected_date_time is None)
    times = (("activityDateTime", entry.activity_date_time), ("detectedDateTime", entry.detected_date_time))
    updated = (("riskLastUpdatedDateTime", entry.risk_last_updated_date_time), ("time", record.time))
    event.ts = _when(*updated, *times) if of_account else _when(*times, *updated)
    # An account keeps its id from one judgement to the next, so there the id is no event's.
    event.id = "" if of_account else (entry.id or "")[:256]
    set_detection(event, entry, of_account=of_account)
    return event


def _graph_call(_: EntraParser, event: Event, record: Record, body: bytes | msgspec.Raw) -> Event:
    call = decode_call(body)
    event.ts = _when(("time", record.time), ("timeGenerated", call.time_generated))
    event.id = (call.request_id or "")[:256]
    set_graph_call(event, call)
    return event


def _activity(_: EntraParser, event: Event, record: Record, _body: bytes | msgspec.Raw) -> Event | None:
    event.ts = _when(("time", record.time), ("eventTimestamp", record.event_timestamp), ("TimeGenerated", record.time_generated))
    event.id = (record.event_data_id or "")[:256]
    return set_activity(event, record, _operation(record))


def _storage(_: EntraParser, event: Event, record: Record, _body: bytes | msgspec.Raw) -> Event:
    event.ts = _when(("time", record.time), ("TimeGenerated", record.time_generated))
    return set_storage(event, record, _operation(record))


def _vault(_: EntraParser, event: Event, record: Record, _body: bytes | msgspec.Raw) -> Event:
    event.ts = _when(("time", record.time), ("TimeGenerated", record.time_generated))
    return set_vault(event, record, _operation(record))


def _cluster(_: EntraParser, event: Event, record: Record, _body: bytes | msgspec.Raw) -> Event | None:
    said = as_dict(part(record.properties)).get("log")
    log = as_dict(part(said.encode("utf-8", "replace")) if isinstance(said, str) else said)
    if not log:
        raise RejectError("missing_field", "properties.log")
    started = log.get("requestReceivedTimestamp")
    event.ts = _when(("time", record.time), ("requestReceivedTimestamp", started if isinstance(started, str) else None))
    return event if set_cluster_request(event, log) else None


_KEY = re.compile(rb'"([A-Za-z_]{2,40})"\s*:')
_FOREIGN = re.compile(rb'"(?:@timestamp|class_uid|eventSource|specversion)"\s*:')
_SHAPES: tuple[tuple[frozenset[bytes], float], ...] = (
    (frozenset({b"conditionalaccessstatus", b"userprincipalname", b"createddatetime"}), 0.97),
    (frozenset({b"conditionalaccessstatus", b"serviceprincipalid", b"createddatetime"}), 0.97),
    (frozenset({b"activitydatetime", b"activitydisplayname", b"initiatedby"}), 0.97),
    (frozenset({b"activitydatetime", b"loggedbyservice", b"initiatedby"}), 0.97),
    (frozenset({b"category", b"operationname", b"resourceid", b"time"}), 0.95),
    (frozenset({b"category", b"operationname", b"calleripaddress", b"time"}), 0.95),
    (frozenset({b"category", b"operationname", b"tenantid", b"time"}), 0.9),
    (frozenset({b"operationname", b"calleripaddress", b"time"}), 0.8),
    (frozenset({b"riskeventtype", b"riskstate", b"risklevel"}), 0.95),
    (frozenset({b"risklastupdateddatetime", b"riskstate", b"risklevel"}), 0.95),
    (frozenset({b"operationnamevalue", b"activitystatusvalue", b"timegenerated"}), 0.95),
    (frozenset({b"eventdataid", b"operationname", b"eventtimestamp"}), 0.95),
    (frozenset({b"category", b"operationname", b"properties", b"log"}), 0.6),
)
"""Field names, in lower case, that stand together in a shape of this format, and how surely they tell it."""


class Entra:
    """The format ``entra``."""

    name = "entra"
    title = "Microsoft Entra ID sign-in, audit and risk logs (Graph, Azure Monitor, Log Analytics), and Azure's activity log"
    rules: Sequence[tuple[str, str, str]] = (
        *(
            (f"sign-in result {code}", "auth.mfa_challenge" if each.mfa else "auth.login", each.reason or each.outcome)
            for code, each in CODES.items()
        ),
        *((name, rule.kind, rule.action) for name, rule in AUDIT_RULES.items()),
        *((f"{name}…", rule.kind, rule.action) for name, rule in AUDIT_PREFIXES if rule is not None),
        *((name, rule.kind, rule.action) for name, rule in ACTIVITY_RULES.items()),
        *((f"…{name}", rule.kind, rule.action) for name, rule in ACTIVITY_ENDINGS),
        *((f"storage: {name}", rule.kind, rule.action) for name, rule in STORAGE_RULES.items()),
        *((f"key vault: {name}", rule.kind, rule.action) for name, rule in VAULT_RULES.items()),
    )
    """(vendor event, kind, note), for the documentation."""
    ignored: Sequence[tuple[str, str, str]] = (
        *((name, "", "not security relevant") for name in sorted(AUDIT_IGNORED)),
        *((f"{name}…", "", "not security relevant") for name, rule in AUDIT_PREFIXES if rule is None),
        *((f"category {name}", "", "not security relevant") for name in sorted(IGNORED_CATEGORIES)),
    )

    def recognise(self, sample: bytes) -> float:
        """By field names that only stand together here, in any case."""
        if sample.lstrip(BOM + b" \t\r\n")[:1] not in {b"{", b"["} or _FOREIGN.search(sample):
            return 0.0
        keys = {key.lower() for key in _KEY.findall(sample)}
        return max((score for shape, score in _SHAPES if shape <= keys), default=0.0)

    def parser(self, context: Context) -> EntraParser:
        """A parser for one input."""
        return EntraParser(context)


FORMAT = Entra()
