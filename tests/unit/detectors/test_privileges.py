"""Which words of which products mean a grant."""

import pytest

from detectors.privileges import gives_power, grantee, is_grant, is_self
from schemas.event import Event
from schemas.formats import auth0_api, cloudtrail_kinds, entra_kinds, github_table, google_table, ocsf_kinds, okta_kinds

OTHER_GRANTS = {"AddUserToGroup", "DeleteUserPermissionsBoundary", "DeleteRolePermissionsBoundary"}


@pytest.mark.parametrize(
    "action",
    [
        "role.grant",
        "role.eligible",
        "role.permission_add",
        "permission.grant",
        "app.grant",
        "delegation.grant",
        "mailbox.grant",
        "AttachUserPolicy",
        "AttachGroupPolicy",
        "PutRolePolicy",
        "CreatePolicyVersion",
        "UpdateAssumeRolePolicy",
        "AddRoleToInstanceProfile",
        "CreateLoginProfile",
        "ASSIGN_ROLE",
        "GRANT_DELEGATED_ADMIN_PRIVILEGES",
        "user.account.privilege.grant",
        "Add owner to application",
        "policy.attach",
        "elevate permissions",
    ],
)
def test_grants_are_known(action: str) -> None:
    assert gives_power(action)


@pytest.mark.parametrize(
    "action",
    [
        "",
        "role.revoke",
        "role.activate",
        "role.create",
        "role.update",
        "role.settings",
        "group.join",
        "group.member_add",
        "consent.grant",
        "DetachUserPolicy",
        "DeleteRolePolicy",
        "CreatePolicy",
        "PutBucketPolicy",
        "AttachVolume",
        "Remove member from role",
        "access.request.create",
        "ADD_GROUP_MEMBER",
        "sudo",
    ],
)
def test_other_actions_are_none(action: str) -> None:
    assert not gives_power(action)


def test_the_call_table_of_aws_is_covered() -> None:
    """Whatever of IAM attaches, writes or widens a policy is a grant; what takes away is none."""
    calls = {
        name.partition(":")[2] for name, rule in cloudtrail_kinds.RULES.items() if name.startswith("iam:") and rule.kind == "admin.action"
    }
    grants = {name for name in calls if gives_power(name)}
    assert grants == {
        "AttachUserPolicy",
        "AttachRolePolicy",
        "AttachGroupPolicy",
        "PutUserPolicy",
        "PutRolePolicy",
        "PutGroupPolicy",
        "CreatePolicyVersion",
        "SetDefaultPolicyVersion",
        "UpdateAssumeRolePolicy",
        "AddRoleToInstanceProfile",
        *OTHER_GRANTS,
    }


@pytest.mark.parametrize(
    "module", [auth0_api, entra_kinds, github_table, google_table, ocsf_kinds, okta_kinds], ids=lambda module: module.__name__
)
def test_every_table_has_grants_by_their_common_name(module: object) -> None:
    assert "role.grant" in str(vars(module))


@pytest.mark.parametrize(
    ("target", "grant"),
    [
        ("group:Domain Admins", True),
        ("group:wheel", True),
        ("group:sudo", True),
        ("group:Everyone", False),
        ("group:administration-lunch", False),
        ("user:admin", False),
        (None, False),
    ],
)
def test_joining_a_group_counts_when_it_is_one_of_administrators(target: str | None, grant: bool) -> None:  # noqa: FBT001 - a table
    assert is_grant(Event("admin.action", action="group.join", target=target)) is grant


@pytest.mark.parametrize(
    ("actor", "target", "own"),
    [
        ("bob", "user:bob", True),
        ("Bob@Example.com", "user:bob@example.com", True),
        ("bob", "user:alice", False),
        ("ops/bob", "role:ops", True),
        ("ops/bob", "role:other", False),
        ("ops", "role:ops", False),
        ("bob", "group:bob", False),
        (None, "user:bob", False),
        ("bob", None, False),
    ],
)
def test_what_went_to_oneself(actor: str | None, target: str | None, own: bool) -> None:  # noqa: FBT001 - a table
    assert is_self(Event("admin.action", actor=actor, target=target)) is own


def test_a_console_password_is_power_over_another_account_only() -> None:
    assert is_grant(Event("account.change", actor="bob", action="CreateLoginProfile", target="user:alice"))
    assert not is_grant(Event("account.change", actor="bob", action="CreateLoginProfile", target="user:bob"))


def test_only_an_account_is_a_grantee() -> None:
    assert [grantee(Event("admin.action", target=target)) for target in ("user:bob", "role:bob", "user:", None)] == [
        "bob",
        None,
        None,
        None,
    ]
