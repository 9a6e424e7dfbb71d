"""What each Okta rule of the Panther collection is about, in this product's kinds. A set where the rule's cases hold several event types."""

KINDS: dict[str, set[str]] = {
    "Okta.Support.Access": {"admin.action", "auth.login"},  # support may impersonate; beside an ordinary login
    "Okta.Global.MFA.Disabled": {"auth.mfa_change", "auth.login"},
    "Okta.APIKeyCreated": {"credential.change"},
    "Okta.Login.Without.Push.Marker": {"api.request"},  # a rate limit warning stands for "any event"
    "Okta.New.Behavior.Accessing.Admin.Console": {"authz.decision"},
    "Okta.Org2org.Creation.Modification": {"admin.action", "authz.decision"},
    "Okta.PasswordAccess": {"data.export"},
    "Okta.PotentiallyStolenSession": {"auth.login"},
    "Okta.SSO.to.AWS": {"auth.session"},
    "Okta.Support.Reset": {"auth.password_reset"},
    "Standard.BruteForceByIP": {"auth.login"},
    "Standard.BruteForceByUser": {"auth.login"},
    "Standard.SignInFromRogueState": {"auth.login", "auth.session"},
}
NO_EVENTS = frozenset({"Standard.GreyNoiseV3.MaliciousIP", "Standard.OTX.MaliciousIndicator"})
"""Rules whose cases are but an address with an enrichment: no record of the vendor."""
