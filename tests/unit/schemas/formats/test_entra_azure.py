"""What Azure logs beside Entra: the activity log, storage accounts, key vaults, Microsoft Graph and clusters."""

from typing import Any

import orjson
import pytest

from schemas.event import Event
from schemas.formats.base import Context, Memory
from schemas.formats.entra import FORMAT

AT = "2026-01-01T10:00:00Z"
UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"


def record(operation: str, category: str | None = "Administrative", **fields: Any) -> dict[str, Any]:
    return {
        "time": AT,
        "category": category,
        "operationName": operation,
        "resourceId": "/SUBSCRIPTIONS/S/x",
        "resultType": "Success",
        "callerIpAddress": "192.0.2.1",
        **fields,
    }


def events(document: Any) -> list[Event]:
    return list(FORMAT.parser(Context(Memory())).parse(orjson.dumps(document)))


def one(document: Any) -> Event:
    (event,) = events(document)
    return event


@pytest.mark.parametrize(
    ("operation", "kind", "action"),
    [
        ("MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE", "admin.action", "role.grant"),
        ("Microsoft.Authorization/elevateAccess/action", "admin.action", "role.grant"),
        ("Microsoft.Insights/diagnosticSettings/delete", "audit.log_change", "log.delete"),
        ("Microsoft.Insights/metricAlerts/delete", "audit.log_change", "alerting.disable"),
        ("Microsoft.Security/alertsSuppressionRules/write", "audit.log_change", "alerting.disable"),
        ("Microsoft.Storage/storageAccounts/listKeys/action", "data.export", "secret.read"),
        ("Microsoft.Storage/storageAccounts/regenerateKey/action", "credential.change", "credential.add"),
        ("Microsoft.Compute/disks/beginGetAccess/action", "data.export", "disk.share"),
        ("Microsoft.Compute/virtualMachines/runCommand/action", "admin.action", "command.run"),
        ("Microsoft.Network/virtualNetworks/read", "api.request", "microsoft.network/virtualnetworks/read"),
        ("Microsoft.Web/sites/write", "admin.action", "microsoft.web/sites/write"),
        ("Microsoft.Authorization/policies/audit/action", "authz.decision", "policy.audit"),
    ],
)
def test_an_operation_of_the_activity_log(operation: str, kind: str, action: str) -> None:
    event = one(record(operation))
    assert (event.kind, event.action, event.outcome, event.target) == (kind, action, "success", "resource:/subscriptions/s/x")


@pytest.mark.parametrize("state", ["Start", "Started", "Accepted", "Accept"])
def test_an_operation_that_goes_on_is_not_yet_an_event(state: str) -> None:
    assert events(record("Microsoft.Web/sites/write", resultType=state)) == []


def test_a_refused_operation_is_a_decision() -> None:
    event = one(record("Microsoft.Web/sites/write", resultType="Failure", resultSignature="Failed.Forbidden"))
    assert (event.kind, event.outcome, event.reason) == ("authz.decision", "failure", "forbidden")


@pytest.mark.parametrize(
    ("identity", "actor", "actor_type"),
    [
        ({"claims": {UPN: "Alice@example.com", "appid": "p"}}, "alice@example.com", "user"),
        ({"claims": {"name": "alice@example.com"}}, "alice@example.com", "user"),
        ({"claims": {"appid": "p1"}}, "p1", "service"),
        ({"claims": {"appid": "p1"}, "authorization": {"evidence": {"principalType": "ServicePrincipal"}}}, "p1", "service"),
        (None, None, None),
        ("Alice", None, None),
    ],
)
def test_the_claims_say_who_called(identity: Any, actor: str | None, actor_type: str | None) -> None:
    event = one(record("Microsoft.Web/sites/write", identity=identity))
    assert (event.actor, event.actor_type) == (actor, actor_type)


def test_a_row_of_the_activity_table_is_read() -> None:
    row = {
        "TimeGenerated": AT,
        "CategoryValue": "Administrative",
        "OperationName": "Delete role assignment",
        "OperationNameValue": "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/DELETE",
        "ActivityStatusValue": "Success",
        "Caller": "alice@example.com",
        "CallerIpAddress": "192.0.2.1",
        "EventDataId": "e1",
    }
    event = one(row)
    assert (event.kind, event.action, event.id) == ("admin.action", "role.revoke", "e1")
    assert (event.actor, event.ip, event.outcome) == ("alice@example.com", "192.0.2.1", "success")


def blob(operation: str, **fields: Any) -> dict[str, Any]:
    properties = {"objectKey": "/acc/c/f.zip", "metricResponseType": "Success", "responseBodySize": 500, "userAgentHeader": "azcopy"}
    given, category = fields.pop("properties", {}), fields.pop("category", "StorageRead")
    return record(operation, category, callerIpAddress="192.0.2.1:50100", resultType=None, properties=properties | given, **fields)


@pytest.mark.parametrize(
    ("document", "kind", "action", "outcome", "records"),
    [
        (blob("GetBlob", statusCode=200), "data.export", "object.read", "success", 1),
        (blob("getblob", category=None), "data.export", "object.read", "success", 1),
        (blob("DeleteBlob"), "api.request", "object.delete", "success", 0),
        (blob("GetBlobServiceProperties"), "api.request", "getblobserviceproperties", "success", 0),
        (blob("GetBlob", properties={"metricResponseType": "AuthorizationFailure"}), "authz.decision", "object.read", "failure", 0),
        (blob("GetBlob", statusCode=403, properties={"metricResponseType": ""}), "authz.decision", "object.read", "failure", 0),
        (
            blob("GetBlob", statusCode=404, properties={"metricResponseType": "ClientOtherError"}),
            "data.export",
            "object.read",
            "failure",
            0,
        ),
    ],
)
def test_a_request_to_a_storage_account(document: Any, kind: str, action: str, outcome: str, records: int) -> None:
    event = one(document)
    assert (event.kind, event.action, event.outcome, event.records) == (kind, action, outcome, records)
    assert (event.ip, event.target, event.user_agent) == ("192.0.2.1", "object:/acc/c/f.zip", "azcopy")


@pytest.mark.parametrize(
    ("identity", "actor", "actor_type"),
    [
        ({"type": "SAS", "tokenHash": "key1(X)"}, None, "api_key"),
        ({"type": "AccountKey"}, None, "api_key"),
        ({"type": "Anonymous"}, None, "anonymous"),
        ({"type": "OAuth", "requester": {"upn": "Alice@example.com"}}, "alice@example.com", "user"),
        ({"type": "OAuth", "requester": {"objectId": "o1"}}, "o1", "service"),
    ],
)
def test_the_key_that_opened_it_says_who_asked(identity: Any, actor: str | None, actor_type: str) -> None:
    event = one(blob("GetBlob", identity=identity))
    assert (event.actor, event.actor_type) == (actor, actor_type)


def test_the_signature_in_an_address_is_not_kept() -> None:
    event = one(blob("GetBlob", uri="https://acc.example.com/c/f.zip?sig=Xq7Secret", identity={"type": "SAS", "tokenHash": "Xq7Secret"}))
    assert "Xq7Secret" not in repr(event)


@pytest.mark.parametrize(
    ("operation", "status", "kind", "action"),
    [
        ("SecretGet", 200, "data.export", "secret.read"),
        ("SecretGet", 403, "authz.decision", "secret.read"),
        ("SecretDelete", 200, "credential.change", "credential.remove"),
        ("VaultGet", 200, "api.request", "vaultget"),
    ],
)
def test_a_request_to_a_key_vault(operation: str, status: int, kind: str, action: str) -> None:
    properties = {"httpStatusCode": status, "id": "https://v.example.com/secrets/s", "clientInfo": "sdk"}
    event = one(record(operation, "AuditEvent", identity={"claim": {UPN: "a@example.com"}}, properties=properties))
    assert (event.kind, event.action, event.status, event.actor) == (kind, action, status, "a@example.com")


def test_a_graph_call_keeps_no_query_and_templates_its_route() -> None:
    uri = "https://graph.example.com/v1.0/users/alice@example.com/messages?$filter=Xq7Secret"
    call = {"requestId": "r1", "requestMethod": "get", "requestUri": uri, "responseStatusCode": 200, "userId": "u1", "responseSizeBytes": 9}
    event = one(record("Microsoft Graph Activity", "MicrosoftGraphActivityLogs", properties=call))
    assert (event.id, event.kind, event.method, event.route, event.bytes) == ("r1", "api.request", "GET", "/v1.0/users/{id}/messages", 9)
    assert "Xq7Secret" not in repr(event)


def cluster(
    verb: str, resource: str, part: str | None = None, code: int = 200, user: str = "dev@example.com", **fields: Any
) -> dict[str, Any]:
    log = {
        "verb": verb,
        "user": {"username": user},
        "sourceIPs": ["192.0.2.1", "10.0.0.1"],
        "objectRef": {"resource": resource, "subresource": part, "namespace": "prod", "name": "x"},
        "responseStatus": {"code": code},
        **fields,
    }
    return record("read", "kube-audit", resultType=None, callerIpAddress=None, properties={"log": orjson.dumps(log).decode()})


@pytest.mark.parametrize(
    ("document", "kind", "action", "actor_type"),
    [
        (cluster("get", "secrets"), "data.export", "get.secrets", "user"),
        (cluster("get", "secrets", code=401), "authz.decision", "get.secrets", "user"),
        (cluster("get", "pods", "exec", 101), "admin.action", "get.pods/exec", "user"),
        (cluster("create", "clusterroles", code=201), "admin.action", "create.clusterroles", "user"),
        (cluster("create", "certificatesigningrequests", code=201), "credential.change", "create.certificatesigningrequests", "user"),
        (cluster("get", "pods", user="system:anonymous"), "api.request", "get.pods", "anonymous"),
        (cluster("watch", "pods", user="system:node:a"), "api.request", "watch.pods", "service"),
    ],
)
def test_a_request_to_a_cluster(document: Any, kind: str, action: str, actor_type: str) -> None:
    event = one(document)
    assert (event.kind, event.action, event.actor_type, event.ip) == (kind, action, actor_type, "192.0.2.1")


def test_a_request_to_a_cluster_counts_once_of_its_two_stages() -> None:
    assert events(cluster("get", "pods", stage="RequestReceived")) == []
    assert len(events(cluster("get", "pods", stage="ResponseComplete"))) == 1
