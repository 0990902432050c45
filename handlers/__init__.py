"""Slack's words. Every command, shortcut, button, form and type-ahead of the app stands in one table here.

Imports the advisor; never boto3, sqlite_utils or apscheduler.
"""

from __future__ import annotations

import re

from slack_bolt import App

from handlers.actions import FOLLOWUPS, Listeners
from handlers.asking import BUTTONS, EXPORT, RETRY, QuestionListeners
from handlers.digest_presses import ACTIONS as DIGEST_ACTIONS
from handlers.digest_presses import VIEWS as DIGEST_VIEWS
from handlers.digest_presses import DigestListeners
from handlers.homes import HOME, HomeListeners
from handlers.presses import FORMS, VERBS, TicketListeners
from handlers.sweep_presses import SweepListeners

COMMAND = "/iam-audit"
VIEWS = ("audit.new", "ticket.new", *FORMS, *DIGEST_VIEWS)
SWEEP_OPTIONS = ("sweep.audit", "sweep.ticket")
OPTIONS = ("audit.new.entity", "audit.breakdown", "ticket.keep.services", *SWEEP_OPTIONS)
ACTIONS = (
    "audit.breakdown",
    "audit.choose",
    "audit.ticket",
    "ticket.replan",
    "ticket.diff",
    "ticket.giveback",
    *FOLLOWUPS,
    *VERBS,
    *FORMS,
    *DIGEST_ACTIONS,
    "sweep.cancel",
    "sweep.export",
    "sweep.off",
    *SWEEP_OPTIONS,
    *HOME,
    *BUTTONS,
)


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
    of = TicketListeners(on)
    app.action("audit.ticket")(of.on_open)
    app.action("ticket.replan")(of.on_replan)
    app.action("ticket.diff")(of.on_diff)
    app.action("ticket.giveback")(of.on_give_back)
    app.view("ticket.new")(of.on_new)
    app.options("ticket.keep.services")(of.on_keep_options)
    for action_id in VERBS:
        app.action(action_id)(of.on_verb)
    for action_id in FORMS:
        app.action(action_id)(of.on_form)
        app.view(action_id)(of.on_form_sent)
    with_digests = DigestListeners(on)
    for action_id, listener in (
        ("digest.audit", with_digests.on_audit),
        ("digest.ticket", with_digests.on_ticket),
        ("digest.tickets", with_digests.on_several),
        ("digest.keep", with_digests.on_keep),
        ("digest.approve", with_digests.on_approve),
        ("digest.edit", with_digests.on_edit),
        ("digest.off", with_digests.on_off),
    ):
        app.action(action_id)(listener)
    app.view("digest.new")(with_digests.on_form)
    app.view("digest.keep")(with_digests.on_keep_sent)
    app.view("digest.tickets")(with_digests.on_several_sent)
    sweep = SweepListeners(on, of)
    app.action("sweep.cancel")(sweep.on_cancel)
    app.action("sweep.export")(sweep.on_export)
    app.action("sweep.off")(sweep.on_off)
    app.action("sweep.audit")(sweep.on_audit)
    app.action("sweep.ticket")(sweep.on_ticket)
    for action_id in SWEEP_OPTIONS:
        app.options(action_id)(sweep.on_options)
    home = HomeListeners(on, with_digests.open)
    app.event("app_home_opened")(home.on_opened)
    app.action("home.new")(on.on_shortcut)
    app.action("home.refresh")(home.on_refresh)
    app.action(re.compile(r"home\.ticket\.\d+"))(home.on_ticket)
    app.action(re.compile(r"home\.audit\.\d+"))(home.on_audit)
    app.action(re.compile(r"home\.keep_end\.\d+"))(home.on_keep_end)
    app.action(re.compile(r"home\.digest(_new|\.\d+)"))(home.on_digest)
    asked = QuestionListeners(on)
    app.action(EXPORT)(asked.on_export)
    app.action(RETRY)(asked.on_retry)
    app.action(re.compile(r".*"))(on.on_unknown_button)
