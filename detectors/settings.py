"""Settings of detectors: limits with units and ranges, and who they differ for."""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

L = TypeVar("L")

MAX_CHOSEN = 50_000
"""Keys whose chosen limits are kept; beyond that the choice is made anew."""

Seconds = Annotated[float, Field(ge=1, le=366 * 86_400)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


class Strict(BaseModel):
    """A model that refuses unknown keys and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Override(Strict):
    """Other limits for some tenants or entities. The first override that matches wins."""

    tenant: str | None = Field(default=None, description="Tenant the override is for; `*` and `?` match. Absent: every tenant.")
    entity: str | None = Field(
        default=None,
        description="Actor or address it is for; `*` and `?` match, an address may be a network such as 192.0.2.0/24. Absent: everyone.",
    )
    set: Mapping[str, Any] = Field(description="The settings of this detector that differ.")

    def matches(self, tenant: str | None, entity: str) -> bool:
        """Whether this override is for that tenant and entity."""
        if self.tenant is not None and not fnmatch.fnmatchcase(tenant or "", self.tenant):
            return False
        return self.entity is None or matches_entity(self.entity, entity)


def matches_entity(pattern: str, entity: str) -> bool:
    """Whether ``entity`` is meant by ``pattern``: a network, a glob, or the name itself.

    >>> matches_entity("192.0.2.0/24", "192.0.2.9"), matches_entity("svc-*", "svc-backup"), matches_entity("192.0.2.0/24", "bob")
    (True, True, False)
    """
    if "/" in pattern:
        try:
            return ip_address(entity) in ip_network(pattern, strict=False)
        except ValueError:
            pass
    return fnmatch.fnmatchcase(entity, pattern)


class Overrides(Generic[L]):
    """The limits of one detector variant for every key. Choosing is cached, in a bounded memory."""

    def __init__(self, default: L, rules: Sequence[tuple[Override, L]]) -> None:
        self.default = default
        self.rules = tuple(rules)
        self._chosen: dict[tuple[str | None, str], L] = {}

    def of(self, tenant: str | None, entity: str) -> L:
        """The limits of this tenant's entity."""
        limits = self._chosen.get((tenant, entity))
        if limits is None:
            limits = next((limits for rule, limits in self.rules if rule.matches(tenant, entity)), self.default)
            if len(self._chosen) >= MAX_CHOSEN:
                self._chosen.clear()
            self._chosen[tenant, entity] = limits
        return limits

    def all(self) -> Iterator[L]:
        """Every set of limits that may be chosen."""
        yield self.default
        yield from (limits for _, limits in self.rules)


class DetectorSettings(Strict):
    """What every detector can be told. A subclass adds its limits: flat, or one field of limits for each variant."""

    enabled: bool = Field(default=True, description="Whether it runs.")
    max_keys: int = Field(
        default=100_000,
        ge=1_000,
        le=10_000_000,
        description="Keys (actors, addresses) it remembers at most for each variant; beyond that the least recently seen are forgotten, and counted.",
    )
    overrides: tuple[Override, ...] = Field(
        default=(), description="Other limits for some tenants or entities; the first that matches wins."
    )

    variant_fields: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that hold the limits of one variant each; empty when the limits are flat."""

    @model_validator(mode="before")
    @classmethod
    def _over_defaults(cls, given: object) -> object:
        """Put what is given of a variant over that variant's own defaults, which differ from those of the class of its limits."""
        if not isinstance(given, Mapping):
            return given
        defaults = {name: cls.model_fields[name].default for name in cls.variant_fields if isinstance(given.get(name), Mapping)}
        return {**given, **{name: {**default.model_dump(), **given[name]} for name, default in defaults.items()}}

    @cached_property
    def _overridden(self) -> tuple[tuple[Override, Self], ...]:
        plain = self.model_dump(exclude={"overrides"})
        return tuple((rule, type(self).model_validate(_merge(plain, rule.set))) for rule in self.overrides)

    @model_validator(mode="after")
    def _check_overrides(self) -> Self:
        for number, rule in enumerate(self.overrides):
            refused = {"enabled", "max_keys", "overrides"} & rule.set.keys()
            if refused:
                raise ValueError(
                    f"overrides.{number}.set: {', '.join(sorted(refused))} cannot differ by entity; use the allow-list to silence one"
                )
        _ = self._overridden  # raises what is wrong in them
        return self

    def limits_of(self, variant: str) -> Any:
        """The limits of one variant: the field of that name, or these settings themselves where the limits are flat."""
        return getattr(self, variant) if self.variant_fields else self

    def overrides_of(self, variant: str) -> Overrides[Any]:
        """The limits of one variant, for everyone."""
        return Overrides(self.limits_of(variant), [(rule, other.limits_of(variant)) for rule, other in self._overridden])


def _merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in change.items():
        old = merged.get(name)
        merged[name] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
