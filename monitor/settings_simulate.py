"""What can be set of the made-up traffic that the service can show itself with."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from detectors.settings import Strict

Wait = Annotated[float, Field(ge=1, le=86_400)]


class SimulateSettings(Strict):
    """Made-up traffic: people at work, and now and then an attack."""

    rate: float = Field(default=50.0, ge=1, le=10_000, description="Ordinary events a second; those of the attacks come on top.")
    users: int = Field(default=80, ge=5, le=10_000, description="People who make them.")
    tenants: int = Field(default=3, ge=1, le=8, description="Customers they belong to.")
    seed: int = Field(default=1, ge=0, le=2**31 - 1, description="The same seed makes the same people and the same order of attacks.")
    attack_every_s: tuple[Wait, Wait] = Field(
        default=(20.0, 40.0), description="From the beginning of one attack to the next: least and most, in seconds."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.attack_every_s[0] > self.attack_every_s[1]:
            raise ValueError("attack_every_s: the least is more than the most; swap them")
        return self
