"""Listeners: commands, buttons, forms, type-aheads. Each writes a row and answers; everything else is a worker's.

A request is committed before it is acknowledged, and `delivery` remembers the answer in the same transaction, so that
the same envelope twice has one effect and one answer.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from slack_bolt import Ack, BoltResponse
from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient

from advisor import audits, jobs, questions, readings
from advisor.core.model import (
    TRACKED_DAYS,
    Asked,
    Entity,
    FollowupKind,
    Granularity,
    Kind,
    Request,
    RequestState,
    Usage,
)
from advisor.desk import Desk
from handlers import commands, digest_commands, estate_words, sweep_commands
from handlers.access import People
from handlers.blocks import answers, forms
from handlers.blocks.kit import Json, Message
from handlers.deliver import Deliver
from handlers.draw import Draw
from handlers.intake import FRONT, Intake

log = logging.getLogger(__name__)

Body = dict[str, Any]

_YOUNG_LISTING = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Listeners:
    """One method a thing that a person can do in Slack; `handlers/__init__.py` has the table."""

    desk: Desk
    people: People
    drawing: Draw
    deliver: Deliver
    intake: Intake

    # -- middleware and faults -----------------------------------------------------------------------------------

    def gate(self, body: Body, next: Callable[[], BoltResponse]) -> BoltResponse:  # Bolt's own name
        """Turn away what the payload itself shows: people of another workspace."""
        if not self.people.foreign(body):
            return next()
        message = answers.refused("foreign")
        who = str((body.get("user") or {}).get("id") or body.get("user_id") or "")
        self.desk.store.log.add(
            who, "refused", str(body.get("type") or "command"), self.desk.clock(), why="foreign"
        )
        if body.get("command"):
            return BoltResponse(status=200, body=message.answer())
        if body.get("type") == "block_suggestion":
            return BoltResponse(
                status=200, body=forms.hint_option("Not for people of another company", "Nothing is shown")
            )
        user = str((body.get("user") or {}).get("id") or "")
        channel = str((body.get("channel") or {}).get("id") or "")
        if user and channel:
            self.privately("refused", channel, user, why="foreign")
        return BoltResponse(status=200, body="")

    def on_error(self, error: Exception, body: Body) -> BoltResponse:
        """A fault of ours: the person gets a number, the operator the stack under it."""
        reference = f"e-{secrets.token_hex(2)}"
        log.error("listener.failed ref=%s", reference, exc_info=error)
        message = answers.broken(reference)
        if body.get("command"):
            return BoltResponse(status=200, body=message.answer())
        if body.get("type") == "view_submission":
            fields = [b["block_id"] for b in body["view"].get("blocks", []) if b["type"] == "input"]
            errors = {fields[-1] if fields else "reason": message.text[:150]}
            return BoltResponse(status=200, body={"response_action": "errors", "errors": errors})
        if body.get("type") == "block_suggestion":
            return BoltResponse(
                status=200, body=forms.hint_option("No names can be shown now", f"Reference {reference}")
            )
        self._say_at_once(str(body.get("response_url") or ""), message)
        return BoltResponse(status=200, body="")

    @staticmethod
    def _say_at_once(url: str, message: Message) -> None:
        """Answer a press through its own URL: the outbox may be what is broken."""
        try:
            if url:
                answer = {**message.answer(), "replace_original": False}
                WebhookClient(url, timeout=2).send_dict(answer)
        except (OSError, ValueError) as error:  # nothing is left to be tried
            log.warning("listener.unsaid why=%s", type(error).__name__)

    def privately(self, surface: str, channel: str, user: str, row_id: int = 0, **detail: str) -> None:
        """Leave an answer that only this person sees."""
        self.desk.store.outbox.add(
            "ephemeral", surface, row_id, channel=channel, user=user, now=self.desk.clock(), detail=detail
        )

    def once(self, key: str, effect: Callable[[], Json]) -> Json:
        """Do something once a delivery, and give the same answer to every repeat of it."""
        store = self.desk.store
        with store.transaction():
            earlier = store.deliveries.answer(key)
            if earlier is not None:
                return earlier
            answer = effect()
            store.deliveries.record(key, answer, self.desk.clock())
        return answer

    # -- the command ---------------------------------------------------------------------------------------------

    def on_command(self, ack: Ack, body: Body, client: WebClient) -> None:
        """/iam-audit"""
        parsed = commands.parse(str(body.get("text") or ""), self.desk.config.iam_audit_window_days)
        match parsed:
            case commands.Form():
                self._open_form(client, str(body["trigger_id"]), str(body["user_id"]))
                ack()
            case commands.Lone(word="help"):
                ack(answers.help_().answer())
            case commands.Lone(word=word):
                self._ask_about(word, body)
                ack()
            case commands.Tickets(which, of):
                self._list_tickets(which, of, body)
                ack()
            case commands.Numbered("ticket", number):
                self._answer_to(body, "ticket.one", number)
                ack()
            case commands.Numbered(_, number):
                self.once(f"trigger:{body['trigger_id']}", lambda: self._order("keep.end", number, body))
                ack()
            case commands.UsageError(typed, wrong, hint, near):
                ack(answers.usage(typed, wrong, hint, near).answer())
            case Asked():
                answer = self.once(f"trigger:{body['trigger_id']}", lambda: self._ask(parsed, body))
                self.deliver.remember(int(answer["request"]), str(body.get("response_url") or ""))
                ack()
            case _:
                self._of_the_estate(parsed, body, client)
                ack()

    def _of_the_estate(self, asked: estate_words.Estate, body: Body, client: WebClient) -> None:
        """What concerns whole accounts: each is committed here, and a worker's after that."""
        key = f"trigger:{body['trigger_id']}"
        match asked:
            case estate_words.DigestEvery() | estate_words.DigestWord():
                digest_commands.on_command(self, body, client, asked)
            case estate_words.SweepNow() | estate_words.SweepEvery() | estate_words.SweepOff():
                sweep_commands.on_command(self, body, asked)
            case estate_words.History() | estate_words.Org() | estate_words.Regroup() | estate_words.Why():
                answer = self.once(key, lambda: self._question(asked, body))
                url = str(body.get("response_url") or "")
                self.deliver.remember(int(answer["question"]), url, "question")

    def _ask(self, asked: Asked, body: Body) -> Json:
        request = self.desk.store.requests.add(
            str(body["user_id"]),
            str(body["channel_id"]),
            str(body.get("text") or ""),
            asked,
            self.desk.clock(),
        )
        return {"request": request}

    def _question(
        self,
        asked: estate_words.History | estate_words.Org | estate_words.Regroup | estate_words.Why,
        body: Body,
    ) -> Json:
        kind, words = estate_words.question(asked)
        user, channel = str(body["user_id"]), str(body["channel_id"])
        return {"question": questions.ask(self.desk, kind, user, channel, words)}

    def _order(self, verb: str, number: int, body: Body) -> Json:
        user, channel = str(body["user_id"]), str(body["channel_id"])
        self.desk.store.orders.add(verb, user, channel, number, {}, self.desk.clock())
        return {}

    def _ask_about(self, word: str, body: Body) -> None:
        """whoami, accounts, keeps and log export ask Slack or AWS, so they are answered by a worker."""
        user, channel = str(body["user_id"]), str(body["channel_id"])
        if word == "keeps":
            self._answer_to(body, "keeps")
            return
        if word == "log export":
            self.once(f"trigger:{body['trigger_id']}", lambda: self._order("log.export", 0, body))
            return
        key = secrets.randbits(40)
        self.deliver.remember(-key, str(body.get("response_url") or ""))
        if word == "whoami":
            self.privately("whoami", channel, user, key)
            return
        store = self.desk.store
        self.desk.lanes.submit(
            FRONT, ("accounts", key), lambda: self.intake.accounts(key, user, channel), store.work
        )

    def _answer_to(self, body: Body, surface: str, row_id: int = 0, **detail: str) -> None:
        """A private answer to a command, drawn by a worker."""
        self.privately(surface, str(body["channel_id"]), str(body["user_id"]), row_id, **detail)

    def _list_tickets(self, which: str, of: Asked | None, body: Body) -> None:
        entity_id = 0
        if of is not None:
            accounts = [a.id for a in readings.accounts(self.desk) if not of.account or a.matches(of.account)]
            known = self.desk.store.entities.named(
                None if of.name.startswith("arn:") else of.kind, of.name, accounts
            )
            entity_id = known[0].id if known else -1  # nobody of that name was ever audited: an empty list
        self._answer_to(body, "tickets", which=which, entity=str(entity_id))

    # -- the form ------------------------------------------------------------------------------------------------

    def on_shortcut(self, ack: Ack, body: Body, client: WebClient) -> None:
        """The global shortcut opens the same form."""
        self._open_form(client, str(body["trigger_id"]), str(body["user"]["id"]))
        ack()

    def _open_form(self, client: WebClient, trigger_id: str, user: str) -> None:
        opened = client.views_open(trigger_id=trigger_id, view=forms.loading())
        view_id = str(opened["view"]["id"])
        self.desk.lanes.submit(
            FRONT, ("form", view_id), lambda: self._fill_form(client, view_id, user), self.desk.store.work
        )

    def _fill_form(self, client: WebClient, view_id: str, user: str) -> None:
        refusal = self.people.refusal(user)
        config = self.desk.config
        view = (
            forms.turned_away(answers.refused(refusal))
            if refusal
            else forms.new_audit(config.iam_audit_window_days, config.iam_audit_cache_hours)
        )
        client.views_update(view_id=view_id, view=view)
        if not refusal:
            audits.refresh_listings(self.desk, _YOUNG_LISTING)

    def on_form(self, ack: Ack, body: Body) -> None:
        """The form of a new audit was sent."""
        values = body["view"]["state"]["values"]
        asked, entity_id, errors = self._read_form(values)
        if errors or asked is None:
            ack(response_action="errors", errors=errors)
            return
        channel = str(
            values["channel"]["audit.new.channel"].get("selected_conversation") or body["user"]["id"]
        )
        user = str(body["user"]["id"])

        def effect() -> Json:
            request = self.desk.store.requests.add(user, channel, "form", asked, self.desk.clock(), entity_id)
            return {"request": request}

        self.once(f"view:{body['view']['id']}:{body['view'].get('hash', '')}", effect)
        ack()

    def _read_form(self, values: Json) -> tuple[Asked | None, int | None, dict[str, str]]:
        option = values["entity"]["audit.new.entity"].get("selected_option") or {}
        typed = str(values["arn"]["audit.new.arn"].get("value") or "").strip()
        picked = str(option.get("value") or "")
        level = (values["level"]["audit.new.level"].get("selected_option") or {}).get("value")
        days = str(values["days"]["audit.new.days"].get("value") or "")
        fresh = bool(values["fresh"]["audit.new.fresh"].get("selected_options"))
        window = row_of(days) or 0
        if not 1 <= window <= TRACKED_DAYS:
            return None, None, {"days": f"A number from 1 to {TRACKED_DAYS}."}
        granularity = Granularity.ACTION if level == "action" else Granularity.SERVICE
        if typed:
            parsed = commands.parse(typed if " " in typed or typed.startswith("arn:") else f"role {typed}")
            if not isinstance(parsed, Asked):
                return (
                    None,
                    None,
                    {"arn": "A role’s name, a kind and a name such as “user alice”, or an ARN."},
                )
            return Asked(parsed.kind, parsed.name, parsed.account, granularity, window, fresh), None, {}
        entity = self._entity(picked)
        if entity is None:
            return None, None, {"arn": "Pick an entity above, or write its name or ARN here."}
        asked = Asked(entity.kind, entity.name, entity.account, granularity, window, fresh)
        return asked, entity.id, {}

    def on_entity_options(self, ack: Ack, body: Body) -> None:
        """Type-ahead over the entities of all accounts; never an empty list."""
        user = str(body["user"]["id"])
        refusal = self.people.known_refusal(user)
        if refusal is None:
            self.ask_who(ack, user, "Type one more letter")
            return
        if refusal:
            ack(**forms.hint_option("You may not audit", "Nothing is shown"))
            return
        typed = str(body.get("value") or "").strip()
        store = self.desk.store
        known = {a: readings.account(self.desk, a) for a in store.entities.listings()}
        found = store.entities.search(typed, list(known), 100) if known else []
        times = store.reports.newest_times([e.id for e in found]) if found else {}
        rows = [(e, known[e.account], *times.get(e.id, (None, 0))) for e in found]
        ack(**forms.entity_options(rows, typed))

    def ask_who(self, ack: Ack, user: str, again: str) -> None:
        """A list for somebody who is not known yet: a worker asks Slack, the list says what to do meanwhile."""

        def know() -> None:
            self.people.refusal(user)

        self.desk.lanes.submit(FRONT, ("know", user), know, self.desk.store.work)
        ack(**forms.hint_option("Checking who you are", again))

    # -- buttons of the audit card -------------------------------------------------------------------------------

    def on_service_options(self, ack: Ack, body: Body) -> None:
        """The services of a card's report; the card's row stands in the block id."""
        request = self.request_of(str(body.get("block_id") or "").split(":"))
        user = str(body["user"]["id"])
        refusal = self.people.known_refusal(user)
        if refusal is None:
            self.ask_who(ack, user, "Open the list again")
            return
        if refusal or request is None or request.report_id is None:
            ack(**forms.hint_option("Nothing to pick from", "Press Refresh, or ask again"))
            return
        reading = readings.read(self.desk, request.report_id, request.asked.days)
        if reading is None:
            ack(**forms.hint_option("This result is not kept any more", "Press Refresh for a new one"))
            return
        rows = {s.namespace: s.id for s in reading.report.services}
        found = [(f, rows[f.service]) for f in reading.summary.findings if f.usage is not Usage.UNTRACKED]
        ack(**forms.service_options(found, str(body.get("value") or "")))

    def request_of(self, words: list[str]) -> Request | None:
        """The request whose row is the second word of a block id."""
        row = row_of(words[1]) if len(words) > 1 else None
        return None if row is None else self.desk.store.requests.get(row)

    def _entity(self, picked: str) -> Entity | None:
        row = row_of(picked)
        return None if row is None else self.desk.store.entities.get(row)

    def on_breakdown(self, ack: Ack, body: Body) -> None:
        """Who used a service: the picked option is a service row of the report."""
        action = body["actions"][0]
        picked = str((action.get("selected_option") or {}).get("value") or action.get("value") or "")
        if picked == forms.HINT:
            ack()
            return
        row = row_of(picked)
        found = None if row is None else self.desk.store.reports.service(row)
        request = self.request_of(str(action.get("block_id") or "").split(":"))
        if found is None or request is None:
            self.press(body, lambda: self.say(body, "old_service" if request else "old_card"))
        else:
            report_id, service = found
            self.press(
                body,
                lambda: self._follow(body, request, FollowupKind.BREAKDOWN, report_id, service.namespace),
            )
        ack()

    def on_followup(self, ack: Ack, body: Body) -> None:
        """Action level, What grants it, History, Chart, Export, Refresh, Retry: the value is the request's row."""
        action = body["actions"][0]
        kind = _VERBS[str(action["action_id"])]
        request = self.request_of(["", str(action.get("value") or "")])
        self.press(body, lambda: self._pressed(body, request, kind))
        ack()

    def _pressed(self, body: Body, request: Request | None, kind: FollowupKind) -> None:
        if request is None:
            self.say(body, "old_card")
            return
        live = request.state in {RequestState.QUEUED, RequestState.RUNNING}
        if kind in {FollowupKind.REFRESH, FollowupKind.RETRY}:
            if live:
                self.say(body, "running")
                return
        elif kind is not FollowupKind.HISTORY and request.report_id is None:
            self.say(body, "no_result")
            return
        self._follow(body, request, kind, request.report_id)

    def _follow(
        self, body: Body, request: Request, kind: FollowupKind, report_id: int | None, service: str = ""
    ) -> None:
        now = self.desk.clock()
        self.desk.store.followups.add(
            request.id,
            kind,
            str(body["user"]["id"]),
            now,
            now + jobs.deadline(self.desk),
            report_id=report_id,
            service=service,
        )

    def press(self, body: Body, effect: Callable[[], None]) -> None:
        """The effect of a pressed button, once."""

        def once() -> Json:
            effect()
            return {}

        action = body["actions"][0]
        self.once(
            f"trigger:{body.get('trigger_id')}:{action.get('action_id')}:{action.get('action_ts')}", once
        )

    def say(self, body: Body, what: str) -> None:
        """A short private answer to a press."""
        channel = str((body.get("channel") or {}).get("id") or body["user"]["id"])
        self.privately("say", channel, str(body["user"]["id"]), what=what)

    def on_choose(self, ack: Ack, body: Body) -> None:
        """One of several entities of a name: the same asking, for this very one."""
        action = body["actions"][0]
        request = self.request_of(str(action.get("block_id") or "").split(":"))
        picked = str(action.get("value") or "")
        entity = self._entity(picked)
        if request is None or entity is None:
            self.press(body, lambda: self.say(body, "old_card"))
            ack()
            return
        asked = request.asked
        chosen = Asked(
            Kind(entity.kind), entity.name, entity.account, asked.granularity, asked.days, asked.fresh
        )
        user, now = str(body["user"]["id"]), self.desk.clock()

        def effect() -> None:
            self.desk.store.requests.add(user, request.channel, "choice", chosen, now, entity.id)

        self.press(body, effect)
        ack()

    def on_unknown_button(self, ack: Ack, body: Body) -> None:
        """A button of another release: say what to do instead."""
        self.press(body, lambda: self.say(body, "unknown_button"))
        ack()


def row_of(text: str) -> int | None:
    """A row's id from a payload; None where it is none: `isdigit` takes superscripts, and SQLite ends at 19 digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else None


_DIGITS = 19


_VERBS = {
    "audit.actions": FollowupKind.ACTIONS,
    "audit.policies": FollowupKind.POLICIES,
    "audit.history": FollowupKind.HISTORY,
    "audit.picture": FollowupKind.PICTURE,
    "audit.export": FollowupKind.EXPORT,
    "audit.refresh": FollowupKind.REFRESH,
    "audit.retry": FollowupKind.RETRY,
}
FOLLOWUPS = tuple(_VERBS)
