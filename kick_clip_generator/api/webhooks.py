"""Webhooks: who is told when a job ends."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from kick_clip_generator.api.body import Body
from kick_clip_generator.api.context import Context, RowId
from kick_clip_generator.api.problems import PROBLEMS
from kick_clip_generator.service.webhooks import add_webhook


class NewWebhook(Body):
    url: str = Field(min_length=1, max_length=2000, description="An http or https address.")


class WebhookOut(BaseModel):
    id: int
    url: str
    created_at: float = Field(description="UNIX seconds.")


class MadeWebhook(WebhookOut):
    secret: str = Field(description="Shown this once; checks `webhook-signature`, see standardwebhooks.com.")


class Webhooks(BaseModel):
    webhooks: list[WebhookOut]


def webhooks_router(context: Context) -> APIRouter:
    """The routes under `/api/webhooks`."""
    router = APIRouter(prefix="/api/webhooks", tags=["jobs"], responses=PROBLEMS)

    @router.get("")
    def list_webhooks() -> Webhooks:
        """All webhooks."""
        return Webhooks(
            webhooks=[
                WebhookOut(id=hook.id, url=hook.url, created_at=hook.created_at) for hook in context.library.webhooks()
            ]
        )

    @router.post("", status_code=201)
    def make_webhook(body: NewWebhook) -> MadeWebhook:
        """Tell an address of every job that ends from now on, by a signed POST; a known one gets a new secret."""
        hook = add_webhook(context.library, body.url)
        return MadeWebhook(id=hook.id, url=hook.url, created_at=hook.created_at, secret=hook.secret)

    @router.delete("/{webhook_id:int}", status_code=204)
    def remove_webhook(webhook_id: RowId) -> Response:
        """Tell it no more."""
        context.library.remove_webhook(webhook_id)
        return Response(status_code=204)

    return router
