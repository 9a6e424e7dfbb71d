"""Every detector there is."""

from collections.abc import Iterator
from typing import Any

from detectors.base import BaseDetector
from detectors.bulk_export import BulkExport
from detectors.credential_stuffing import CredentialStuffing
from detectors.failed_login_burst import FailedLoginBurst
from detectors.impossible_travel import ImpossibleTravel
from detectors.new_geography import NewGeography
from detectors.password_spray import PasswordSpray
from detectors.settings import DetectorSettings
from detectors.slow_brute_force import SlowBruteForce
from detectors.success_after_failures import SuccessAfterFailures

DetectorClass = type[BaseDetector[Any, Any]]

DETECTORS: dict[str, DetectorClass] = {
    cls.name: cls
    for cls in (
        FailedLoginBurst,
        SlowBruteForce,
        PasswordSpray,
        CredentialStuffing,
        SuccessAfterFailures,
        ImpossibleTravel,
        NewGeography,
        BulkExport,
    )
}


def build(name: str, settings: DetectorSettings) -> Iterator[Any]:
    """The instances of one detector: one for each way it is keyed."""
    cls = DETECTORS[name]
    for variant in cls.variants:
        yield cls(variant, settings)
