"""Tokens for programs that use the API."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from kick_clip_generator.api.body import Body
from kick_clip_generator.api.context import Context, RowId
from kick_clip_generator.api.problems import PROBLEMS


class TokenName(Body):
    name: str = Field(min_length=1, max_length=100, description="For people, to know it again in the list.")


class Token(BaseModel):
    id: int
    name: str
    created_at: float = Field(description="UNIX seconds.")
    last_used_at: float | None = None


class MadeToken(BaseModel):
    id: int
    name: str
    token: str = Field(description="Shown this once: the library keeps only a hash.")


class Tokens(BaseModel):
    tokens: list[Token]


def tokens_router(context: Context) -> APIRouter:
    """The routes under `/api/tokens`."""
    router = APIRouter(prefix="/api/tokens", tags=["access"], responses=PROBLEMS)

    @router.get("")
    def list_tokens() -> Tokens:
        """All tokens; their texts are not kept."""
        return Tokens(
            tokens=[
                Token(id=row.id, name=row.name, created_at=row.created_at, last_used_at=row.last_used_at)
                for row in context.library.tokens()
            ]
        )

    @router.post("", status_code=201)
    def add_token(body: TokenName) -> MadeToken:
        """A new token, to be sent as `Authorization: Bearer …`."""
        made = context.door.add_token(body.name)
        return MadeToken(id=made.id, name=made.name, token=made.token)

    @router.delete("/{token_id:int}", status_code=204)
    def remove_token(token_id: RowId) -> Response:
        """Take a token away; whoever has it is kept out within seconds."""
        context.door.remove_token(token_id)
        return Response(status_code=204)

    return router
