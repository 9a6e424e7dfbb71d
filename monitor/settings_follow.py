"""What can be set of the files and the standard input that the live service reads."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from detectors.settings import Strict
from schemas.formats import FORMATS


def _check_format(name: str) -> str:
    if name not in FORMATS:
        raise ValueError(f"is no format; use one of {', '.join(sorted(FORMATS))}")
    return name


def _check_tenant(name: str) -> str:
    if not (name and name.isprintable()):
        raise ValueError("is empty, or has characters that cannot be printed; take them out")
    return name


LiveFormat = Annotated[str, AfterValidator(_check_format)]
"""Name of a format. A live input has no end to look at first, so ``auto`` is none of them."""
TenantName = Annotated[str, AfterValidator(_check_tenant)]


class FollowSettings(Strict):
    """One log file that is read as it grows."""

    path: Path = Field(description="The file; it may be rotated, truncated, or not there yet. Plain text, not compressed.")
    format: LiveFormat = Field(description="Format of its records.")
    tenant: TenantName | None = Field(default=None, description="Tenant of its records that name none.")
    start: Literal["beginning", "end"] = Field(
        default="beginning", description="Where to begin in a file that was never read before: with what it holds, or with what comes."
    )


class StandardInputSettings(Strict):
    """Records from standard input, until it ends."""

    format: LiveFormat = Field(description="Format of its records.")
    tenant: TenantName | None = Field(default=None, description="Tenant of its records that name none.")
