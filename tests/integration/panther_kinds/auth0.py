"""What each Auth0 rule of the Panther collection is about, in this product's kinds. A set where the rule's cases hold several calls."""

KINDS: dict[str, set[str]] = {
    "Auth0.AttackProtection.Disabled": {"admin.action"},
    "Auth0.CIC.Credential.Stuffing": {"auth.login"},
    "Auth0.Custom.Role.Created": {"admin.action", "auth.mfa_change"},  # the other call is about the risk assessment of MFA
    "Auth0.FraudRisk.Volume": {"account.change", "auth.mfa_change"},  # a sign-up; the other call as above
    "Auth0.Leaked.Password.Login.Attempt": {"auth.login"},
    "Auth0.MFA.Policy.Disabled": {"auth.mfa_change"},
    "Auth0.MFA.Policy.Enabled": {"auth.mfa_change"},
    "Auth0.MFA.Risk.Assessment.Disabled": {"auth.mfa_change"},
    "Auth0.Rapid.DynamicClient.Creation": {"admin.action"},
    "Auth0.User.Invitation.Created": {"admin.action"},
    "Auth0.User.Joined.Tenant": {"admin.action"},
}
NO_EVENTS: frozenset[str] = frozenset()
