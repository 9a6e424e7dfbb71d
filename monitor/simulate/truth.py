"""What was done to the made-up world, so that what is found can be compared with it."""

import msgspec


class Truth(msgspec.Struct, frozen=True, kw_only=True):
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
    tenant: str

    def line(self) -> bytes:
        """As JSON, with its line end."""
        return msgspec.json.encode(self) + b"\n"
