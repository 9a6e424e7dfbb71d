"""Every detector there is."""

from collections.abc import Iterator
from typing import Any

from detectors.api_key_abuse import ApiKeyAbuse
from detectors.audit_log_tampering import AuditLogTampering
from detectors.authorization_failure_burst import AuthorizationFailureBurst
from detectors.base import BaseDetector
from detectors.bulk_export import BulkExport
from detectors.credential_stuffing import CredentialStuffing
from detectors.dormant_account import DormantAccount
from detectors.failed_login_burst import FailedLoginBurst
from detectors.impossible_travel import ImpossibleTravel
from detectors.learned.api_volume_anomaly import ApiVolumeAnomaly
from detectors.learned.behaviour_anomaly import BehaviourAnomaly
from detectors.learned.off_hours_activity import OffHoursActivity
from detectors.mfa_change import MfaChange
from detectors.mfa_fatigue import MfaFatigue
from detectors.new_geography import NewGeography
from detectors.object_enumeration import ObjectEnumeration
from detectors.password_reset_abuse import PasswordResetAbuse
from detectors.password_spray import PasswordSpray
from detectors.privilege_change import PrivilegeChange
from detectors.session_hijack import SessionHijack
from detectors.settings import DetectorSettings
from detectors.slow_brute_force import SlowBruteForce
from detectors.source_silence import SourceSilence
from detectors.success_after_failures import SuccessAfterFailures
from detectors.unusual_query import UnusualQuery

DetectorClass = type[BaseDetector[Any, Any]]

DETECTORS: dict[str, DetectorClass] = {
    cls.name: cls
    for cls in (
        FailedLoginBurst,
        SlowBruteForce,
        PasswordSpray,
        CredentialStuffing,
        SuccessAfterFailures,
        MfaFatigue,
        MfaChange,
        PasswordResetAbuse,
        ImpossibleTravel,
        NewGeography,
        SessionHijack,
        DormantAccount,
        AuthorizationFailureBurst,
        ObjectEnumeration,
        PrivilegeChange,
        ApiKeyAbuse,
        BulkExport,
        UnusualQuery,
        AuditLogTampering,
        SourceSilence,
        ApiVolumeAnomaly,
        OffHoursActivity,
        BehaviourAnomaly,
    )
}


def build(name: str, settings: DetectorSettings) -> Iterator[Any]:
    """The instances of one detector: one for each way it is keyed."""
    cls = DETECTORS[name]
    for variant in cls.variants:
        yield cls(variant, settings)
