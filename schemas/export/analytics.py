"""What is said of a detector in other schemas: an alert has only its name, for its sentences are made elsewhere."""

from typing import Literal

import msgspec

How = Literal["rule", "behavioural", "statistical", "learned"]


class Analytic(msgspec.Struct, frozen=True):
    """One detector."""

    category: str
    """Value of ``event.category`` in ECS that the watched events belong to."""
    how: How
    """How it comes to its conclusion: fixed limits, a habit of the account, or a model."""
    description: str


ANALYTICS: dict[str, Analytic] = {
    "failed_login_burst": Analytic("authentication", "rule", "Many failed logins within minutes."),
    "slow_brute_force": Analytic("authentication", "rule", "Failed logins that go on below what a burst would show."),
    "password_spray": Analytic("authentication", "rule", "One address that fails to log in as several actors."),
    "credential_stuffing": Analytic("authentication", "rule", "Many accounts tried once or twice each, mostly in vain."),
    "success_after_failures": Analytic("authentication", "rule", "A login that works after many that failed."),
    "mfa_fatigue": Analytic("authentication", "rule", "Requests for a second factor refused or ignored again and again."),
    "mfa_change": Analytic("iam", "rule", "A second factor that was added, reset or removed."),
    "password_reset_abuse": Analytic("iam", "rule", "Password resets that look like a takeover."),
    "impossible_travel": Analytic("authentication", "rule", "Logins or requests from places too far apart for the time between them."),
    "new_geography": Analytic("authentication", "behavioural", "A login from a country new to the account."),
    "session_hijack": Analytic("session", "behavioural", "A session used from where its owner is not."),
    "dormant_account": Analytic("authentication", "behavioural", "An account used again after a long time."),
    "authorization_failure_burst": Analytic("api", "rule", "Many refused requests within minutes."),
    "object_enumeration": Analytic("api", "rule", "Objects asked for one after another."),
    "privilege_change": Analytic("iam", "rule", "Rights that were granted or raised."),
    "api_key_abuse": Analytic("api", "behavioural", "An API key used in a way that is new to it."),
    "bulk_export": Analytic("file", "rule", "Unusually much data leaving through one account."),
    "unusual_query": Analytic("database", "behavioural", "A query unlike what the account asks for."),
    "audit_log_tampering": Analytic("configuration", "rule", "Audit logging that was switched off, cut or deleted."),
    "source_silence": Analytic("configuration", "statistical", "A source that has fallen silent."),
    "api_volume_anomaly": Analytic("api", "learned", "More requests than the model expects."),
    "off_hours_activity": Analytic(
        "authentication", "learned", "Activity at hours at which the account and those like it never are active."
    ),
    "behaviour_anomaly": Analytic(
        "iam", "learned", "Several kinds of action within an hour that are new to the account and rare among its colleagues."
    ),
}
"""By detector."""
UNKNOWN = Analytic("api", "rule", "")
"""For a detector that is not in the table."""


def analytic_of(detector: str) -> Analytic:
    """What is said of this detector.

    >>> analytic_of("password_spray").category
    'authentication'
    """
    return ANALYTICS.get(detector, UNKNOWN)


def rule_name(title: str) -> str:
    """The detector's own words in the title of an alert, which ends in whom it is about.

    >>> rule_name("Password spraying: 192.0.2.1")
    'Password spraying'
    """
    return title.partition(": ")[0]
