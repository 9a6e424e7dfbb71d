"""The input formats, by name, and which of them an input is written in."""

from collections.abc import Mapping

from schemas.formats.auth0 import FORMAT as AUTH0
from schemas.formats.base import Format
from schemas.formats.cloudtrail import FORMAT as CLOUDTRAIL
from schemas.formats.ecs import FORMAT as ECS
from schemas.formats.entra import FORMAT as ENTRA
from schemas.formats.github import FORMAT as GITHUB
from schemas.formats.google_workspace import FORMAT as GOOGLE_WORKSPACE
from schemas.formats.microsoft365 import FORMAT as MICROSOFT365
from schemas.formats.native import FORMAT as NATIVE
from schemas.formats.ocsf import FORMAT as OCSF
from schemas.formats.okta import FORMAT as OKTA
from schemas.formats.sshd import FORMAT as SSHD
from schemas.formats.web_access import FORMAT as WEB_ACCESS

FORMATS: dict[str, Format] = {
    each.name: each
    for each in (NATIVE, SSHD, WEB_ACCESS, CLOUDTRAIL, OCSF, ECS, ENTRA, MICROSOFT365, OKTA, AUTH0, GOOGLE_WORKSPACE, GITHUB)
}
"""Every format ``--format`` accepts besides ``auto``."""

SURE_ENOUGH = 0.5
"""``recognise`` below this is a guess, and a guess is no format."""


def detect(sample: bytes, formats: Mapping[str, Format] = FORMATS) -> tuple[str | None, dict[str, float]]:
    """Tell which format the first bytes of an input (up to 64 KiB) are written in, and how sure each format is of them.

    The name is ``None`` when no format reaches ``SURE_ENOUGH``; of equally sure ones the first listed is taken.

    >>> detect(b'{"time": 1767225600, "kind": "auth.login"}')[0]
    'native'
    """
    shares = {name: each.recognise(sample) for name, each in formats.items()}
    best = max(shares, key=shares.__getitem__)
    return (best if shares[best] >= SURE_ENOUGH else None), shares
