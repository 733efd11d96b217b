"""Live links: those that have tokens and wait for nobody; the conditions that statements share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.storage.tables import links

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from bot.domain.request import OrganizationKey

IS_LIVE = (links.c.sealed_tokens.is_not(None), links.c.waits_since.is_(None))


def live_in(key: OrganizationKey) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of the live links to an organization from one workspace or grid."""
    return (
        links.c.organization_id == key.organization_id,
        links.c.base_url == key.base_url,
        links.c.owner.startswith(f"{key.tenant}:", autoescape=True),
        *IS_LIVE,
    )
