"""What was done to the made-up world, so that what is found can be compared with it."""

import msgspec


class Truth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attack, as a line of the truth file."""

    scenario: str
    detectors: tuple[str, ...]
    """Those that should see it; the first one is what it was made for."""
    entities: tuple[str, ...]
    """What alerts of those detectors are about, as ``type:value``; one of them is enough for each."""
    involved: tuple[str, ...]
    """All accounts, addresses and sessions it touched: an alert about one of them at that time is no false one."""
    start: float
    end: float
    """First and last event of the attack, Unix seconds."""
    intensity: str
    """``low``, ``medium`` or ``high``, or the strength as a number in words."""
    tenant: str | None = None
    strength: float | None = None
    """The intensity as a number: 1 low, 2 medium, 3 high; below 1 it is less than that."""
    spread: int | None = None
    """Addresses of the attacker; ``None`` where it came from the victim's own."""
    events: int | None = None
    """How many it consists of."""
    traffic: tuple[float, float] | None = None
    """First and last moment of the traffic it is part of, Unix seconds: false alerts are counted for each day of it."""

    def line(self) -> bytes:
        """As JSON, with its line end."""
        return msgspec.json.encode(self) + b"\n"
