"""Forms: opened at once as loading, inside the listener; filled by a worker, with a refusal where it must be one."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from advisor.desk import Desk
from handlers.access import NoAnswer
from handlers.blocks import answers, ticket_form
from handlers.blocks.kit import Json
from handlers.intake import FRONT

log = logging.getLogger(__name__)


def open_form(
    desk: Desk,
    client: WebClient,
    body: dict[str, Any],
    callback: str,
    row: str,
    filled: Callable[[], Json],
) -> None:
    """Open a form as loading (in the place of one whose button was pressed) and let a worker fill it."""
    loading = ticket_form.loading(callback, row)
    shown = body.get("view") or {}
    view_id = (
        str(shown.get("id") or "") if shown.get("type") == "modal" else ""
    )  # a Home is no form to replace
    if view_id:
        client.views_update(view_id=view_id, view=loading)
    else:
        opened = client.views_open(trigger_id=str(body["trigger_id"]), view=loading)
        view_id = str(opened["view"]["id"])

    def fill() -> None:
        try:
            view = filled()
        except NoAnswer:
            view = ticket_form.turned_away(callback, row, answers.refused("unknown"))
        except Exception:  # whatever fails, the person sees that it did, with a number for the operator
            reference = f"e-{secrets.token_hex(2)}"
            log.exception("form.failed ref=%s", reference)
            view = ticket_form.broken(callback, row, reference)
        _show(client, view_id, view)

    desk.lanes.submit(FRONT, ("form", view_id), fill, desk.store.work)


def _show(client: WebClient, view_id: str, view: Json) -> None:
    """Fill a form; a Slack that knows no alert block gets the same words as a section."""
    try:
        client.views_update(view_id=view_id, view=view)
    except SlackApiError as error:
        if error.response.get("error") not in {
            "invalid_blocks",
            "invalid_arguments",
            "invalid_blocks_format",
        }:
            log.warning("form.lost error=%s", error.response.get("error"))
            return
        client.views_update(view_id=view_id, view=ticket_form.without_alerts(view))
