"""What requests say."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """A request's body: of the types that the description names, and with nothing else in it."""

    model_config = ConfigDict(extra="forbid", strict=True)
