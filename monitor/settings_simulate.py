"""What can be set of the made-up traffic that the service can show itself with."""

from pydantic import Field

from detectors.settings import Strict


class SimulateSettings(Strict):
    """Made-up traffic: people at work, and now and then an attack."""

    rate: float = Field(default=50.0, ge=1, le=10_000, description="Events a second.")
    users: int = Field(default=60, ge=5, le=100_000, description="People who make them.")
    seed: int = Field(default=1, ge=0, le=2**31 - 1, description="The same seed makes the same people and attacks.")
