"""Slack's words. Every command, shortcut, button, form and type-ahead of the app stands in one table here.

Imports the advisor; never boto3, sqlite_utils or apscheduler.
"""

from __future__ import annotations

import re

from slack_bolt import App

from handlers.actions import FOLLOWUPS, Listeners

COMMAND = "/iam-audit"
VIEWS = ("audit.new",)
OPTIONS = ("audit.new.entity", "audit.breakdown")
ACTIONS = ("audit.breakdown", "audit.choose", *FOLLOWUPS)


def register(app: App, on: Listeners) -> None:
    """Id -> function. An id, once shipped, keeps working or answers what to do instead."""
    app.middleware(on.gate)
    app.error(on.on_error)
    app.command(COMMAND)(on.on_command)
    app.global_shortcut("audit.new")(on.on_shortcut)
    app.view("audit.new")(on.on_form)
    app.options("audit.new.entity")(on.on_entity_options)
    app.options("audit.breakdown")(on.on_service_options)
    app.action("audit.breakdown")(on.on_breakdown)
    app.action(re.compile(r"audit\.choose(\.\d+)?"))(on.on_choose)
    for action_id in FOLLOWUPS:
        app.action(action_id)(on.on_followup)
    app.action(re.compile(r".*"))(on.on_unknown_button)
