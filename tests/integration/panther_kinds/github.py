"""What each GitHub rule of the Panther collection looks for, in this product's kinds: for the cases the rule must find.

The other cases of a rule are any record at all, and need only be read.
"""

KINDS: dict[str, set[str]] = {
    "GitHub.Advanced.Security.Change": {"audit.log_change"},  # scanners switched off: nobody watches any more
    "GitHub.Org.AuthChange": {"admin.action", "auth.mfa_change"},
    "GitHub.Org.Moderators.Add": {"admin.action"},
    "GitHub.Org.Modified": {"admin.action"},
    "Github.Repo.CollaboratorChange": {"admin.action"},
    "GitHub.Repo.HookModified": {"admin.action"},
    "GitHub.Repo.RulesetModified": {"admin.action"},
    "GitHub.Secret.Scanning.Alert.Created": {"api.request"},
    "GitHub.SupplyChain.SuspiciousUserAgents": {"admin.action", "api.request"},  # any write, a push among them
    "GitHub.Team.Modified": {"admin.action"},
    "GitHub.Webhook.Modified": {"admin.action"},
    "GitHub.Workflow.DispatchByGitHubBot": {"api.request"},
    "Standard.AdminRoleAssigned": {"admin.action"},
}
NO_EVENTS: frozenset[str] = frozenset()
