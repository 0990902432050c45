"""The story of removal tickets, told through the wire; whatever a step says was read from the world, not from the bot."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.sandbox import denials
from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.sandbox.iam_state import is_read
from tests.sandbox.knobs import Behind
from tests.sandbox.script_people import (
    audit,
    card_in,
    card_of,
    denied,
    differ,
    iam,
    inputs,
    number_of,
    open_form,
    press,
    refused,
    reply,
    services,
    state,
    text_with,
    told,
    verify,
    writes,
)
from tests.scenarios.stage import words

Json = dict[str, Any]
A, S = story.ALICE, story.SECURITY
DB, DEPLOY, LEFT_OVER = "DBAdminRole", "deploy-service-02", "TestRole-DeleteLater"
DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"
KEPT = "kms"
WHY = "Nobody has used these for a year; the database team knows"


class Tickets:
    """A method a step; its docstring is what happens, what it returns is what the world showed."""

    def __init__(self) -> None:
        self.before: Json = {}
        self.number = 0  # of the ticket that is told of
        self.taken: set[str] = set()
        self.job: Callable[..., str] = str  # what a nightly job does

    @property
    def steps(self) -> tuple[Callable[[Demo], str], ...]:
        """In this order."""
        return (
            self.form,
            self.opened,
            self.own_approval,
            self.carried_out,
            self.gone,
            self.rolled_back,
            self.is_back,
            self.drifted,
            self.used_again,
            self.quarantined,
            self.given_back,
            self.kept,
            self.lists,
            self.rejected,
            self.killed,
            self.denied,
            self.one_back,
            self.exported,
        )

    # -- the whole way and back ------------------------------------------------------------------------------------

    def form(self, demo: Demo) -> str:
        """alice presses “Open a ticket…” on the card of DBAdminRole: the form says what could go"""
        self.before = iam(demo)
        view = open_form(demo, A, "audit.ticket", audit(demo, DB))
        ticked = {
            b["label"]["text"]: [o["text"]["text"] for o in b["element"].get("initial_options", [])]
            for b in inputs(view)
            if b["block_id"] != "reason"
        }
        assert sum(map(len, ticked.values())) == 12, ticked
        assert demo.slack.submit(A, {}).body, "a ticket without a reason"
        return "\n".join(
            f"{label}: {', '.join(names) or 'nothing ticked'}" for label, names in ticked.items()
        )

    def opened(self, demo: Demo) -> str:
        """she gives a reason and sends it: a ticket stands, and nothing in AWS has changed"""
        assert demo.slack.submit(A, {"reason": {"value": WHY}}).body in ({}, None)
        card = card_in(demo, "open", after=self.number)
        self.number = number_of(card)
        assert WHY in words(card) and "remove 20 of 25 services" in words(card)
        assert iam(demo) == self.before
        asked = demo.slack.wait(lambda: demo.slack.dms(story.DAVE))[-1]
        assert "names you as its owner" in words(asked)
        return f"{card['text']}\nto dave: {asked['text']}"

    def own_approval(self, demo: Demo) -> str:
        """alice approves her own ticket: refused, and only she sees that"""
        said = refused(demo, A, "ticket.approve", self.number)
        assert state(demo, self.number) == "open" and iam(demo) == self.before
        return said

    def carried_out(self, demo: Demo) -> str:
        """carol approves: the change is made step by step, each read back"""
        done = len(demo.aws.calls)
        press(demo, story.CAROL, "ticket.approve", self.number)
        card = card_in(demo, "applied", self.number)
        after = iam(demo)
        assert differ(self.before, after) == {f"prod role/{DB}"}, differ(self.before, after)
        role, was = after[f"prod role/{DB}"], self.before[f"prod role/{DB}"]
        self.taken = services(was) - services(role)
        assert services(role) == {"dynamodb", "s3", "secretsmanager"}, role
        assert set(was["attached"]) - set(role["attached"]) == {"arn:aws:iam::aws:policy/AmazonRDSFullAccess"}
        assert not set(role["attached"]) - set(was["attached"])
        reply(demo, self.number, "Applied")
        return "\n".join([str(card["text"]), *writes(demo, done), *told(self.before, after)])

    def gone(self, demo: Demo) -> str:
        """the next audit no longer shows what was taken"""
        return text_with(demo, audit(demo, DB), "2 of 5 services used")

    def rolled_back(self, demo: Demo) -> str:
        """bob rolls it back by the form: every document is byte for byte what it was"""
        done = len(demo.aws.calls)
        self._back(demo, story.BOB, self.number, "the nightly job failed")
        assert iam(demo) == self.before, differ(self.before, iam(demo))
        text = self.before[f"prod role/{DB}"]["inline"]["db-admin-inline"]
        return "\n".join([*writes(demo, done), f"db-admin-inline has its {len(text)} characters back"])

    def is_back(self, demo: Demo) -> str:
        """the next audit shows it again"""
        return text_with(demo, audit(demo, DB), "2 of 25 services used")

    # -- what must not be carried out --------------------------------------------------------------------------------

    def drifted(self, demo: Demo) -> str:
        """bob asks for another role and may not approve it himself; somebody edits its policy by hand; carol approves: nothing is written"""
        number = self._new(demo, story.BOB, DEPLOY)
        turned_away = refused(demo, story.BOB, "ticket.approve", number)
        edited = Behind(demo.aws, demo.database).edit(None)
        assert DEPLOY in edited, edited
        moved, done = iam(demo), len(demo.aws.calls)
        press(demo, story.CAROL, "ticket.approve", number)
        card = card_in(demo, "drifted", number)
        assert "stopped before writing anything" in words(card), words(card)
        assert iam(demo) == moved and not writes(demo, done), writes(demo, done)
        return f"{turned_away}\n{edited}\n{card['text']}"

    def used_again(self, demo: Demo) -> str:
        """“Plan again…”; then the role uses a service that is to go; carol approves: nothing is written"""
        view = open_form(demo, story.BOB, "ticket.replan", card_of(demo, self.number)["ts"])
        assert view.get("submit")
        assert demo.slack.submit(story.BOB, {"reason": {"value": WHY}}).body in ({}, None)
        self.number = number_of(card_in(demo, "open", after=self.number))
        used = Behind(demo.aws, demo.database).use(None)
        assert f"{DEPLOY} has just used ecr" in used, used
        moved, done = iam(demo), len(demo.aws.calls)
        press(demo, story.CAROL, "ticket.approve", self.number)
        card = card_in(demo, "drifted", self.number)
        assert "ecr" in words(card) and iam(demo) == moved and not writes(demo, done)
        return f"{used}\n{card['text']}"

    # -- quarantine ------------------------------------------------------------------------------------------------

    def quarantined(self, demo: Demo) -> str:
        """TestRole-DeleteLater is quarantined: denied everything, its policies untouched"""
        self.before = iam(demo)
        number = self._new(demo, A, LEFT_OVER, scope="all")
        press(demo, story.BOB, "ticket.approve", number)
        card = card_in(demo, "applied", number)
        after = iam(demo)
        assert differ(self.before, after) == {f"prod role/{LEFT_OVER}"}
        role, was = after[f"prod role/{LEFT_OVER}"], self.before[f"prod role/{LEFT_OVER}"]
        assert role == {**was, "attached": sorted([*was["attached"], DENY_ALL])}, role
        return "\n".join([str(card["text"]), *told(self.before, after)])

    def given_back(self, demo: Demo) -> str:
        """carol takes it out of quarantine again"""
        self._back(demo, story.CAROL, self.number, "")
        assert iam(demo) == self.before
        return str(card_of(demo, self.number)["text"])

    # -- deciding otherwise ------------------------------------------------------------------------------------------

    def kept(self, demo: Demo) -> str:
        """dave owns DBAdminRole: “Keep, because…” takes kms out of the open ticket; a new one without it takes its place"""
        older = self._new(demo, A, DB)
        card = card_of(demo, older)
        view = open_form(demo, story.DAVE, "ticket.keep", card["ts"])
        found = demo.slack.suggest(story.DAVE, view["id"], "ticket.keep.services", KEPT).body or {}
        option = next(o for o in found["options"] if o["text"]["text"] == KEPT)
        values = {"services": {"selected_options": [option]}, "reason": {"value": "The yearly key ceremony"}}
        assert demo.slack.submit(story.DAVE, values).body in ({}, None)
        closed = card_in(demo, "superseded", older)
        fresh = card_in(demo, "open", after=older)
        self.number = number_of(fresh)
        assert "remove 19 of 25 services" in words(fresh), words(fresh)
        assert iam(demo) == self.before
        return f"{closed['text']}\n{fresh['text']}"

    def lists(self, demo: Demo) -> str:
        """tickets, ticket N, keeps and whoami, each answered privately"""
        asked = {
            "tickets": "1 ticket is not finished",
            f"ticket {self.number}": f"Ticket {self.number}",
            "keeps": KEPT,
            "whoami": "pprove",
        }
        said = []
        for command, wanted in asked.items():
            heard = len(demo.slack.ephemerals(A))
            assert demo.slack.command(A, S, command).ok

            def answer(heard: int = heard, wanted: str = wanted) -> Any:
                fresh = demo.slack.ephemerals(A)[heard:]
                return next((e for e in fresh if wanted in words(e) + e["text"]), None)

            said.append(f"{command}: {demo.slack.wait(answer)['text']}")
        return "\n".join(said)

    def rejected(self, demo: Demo) -> str:
        """carol rejects the new one and says why"""
        open_form(demo, story.CAROL, "ticket.reject", card_of(demo, self.number)["ts"])
        why = "Not before the audit of December"
        assert demo.slack.submit(story.CAROL, {"reason": {"value": why}}).body in ({}, None)
        card = card_in(demo, "rejected", self.number)
        assert why in words(card) and iam(demo) == self.before
        return f"{card['text']} “{why}”"

    # -- the worst moment --------------------------------------------------------------------------------------------

    def killed(self, demo: Demo) -> str:
        """kill -9 between a write and its answer; started again, the bot looks, and finishes without writing twice"""
        number = self._new(demo, A, DB)
        done = len(demo.aws.calls)
        running = demo.bot
        assert running is not None

        def die(operation: str, phase: str) -> None:
            if phase == "after" and operation.endswith("RolePolicy") and not is_read(operation):
                demo.aws.hook = None
                os.kill(running.pid, signal.SIGKILL)

        demo.aws.hook = die
        press(demo, story.CAROL, "ticket.approve", number)
        demo.slack.wait(lambda: running.poll() is not None, 15)
        half = writes(demo, done)
        assert len(half) == 1, half
        assert state(demo, number) in {"open", "approved", "applying"}
        demo.stop_bot(kill=True)
        demo.start_bot()
        card = card_in(demo, "applied", number, seconds=30)
        after, wrote = iam(demo), writes(demo, done)
        assert len(wrote) == len(set(wrote)) == 2, wrote
        assert services(after[f"prod role/{DB}"]) == {"dynamodb", "s3", "secretsmanager", KEPT}
        return "\n".join([f"dead after: {half[0]}", f"then: {wrote[1]}", str(card["text"])])

    # -- somebody is hurt --------------------------------------------------------------------------------------------

    def denied(self, demo: Demo) -> str:
        """a nightly job calls redshift as DBAdminRole, and AWS denies it: within seconds dave hears it, with the call and a button"""
        url = demo.settings["IAM_AUDIT_DENIED_QUEUE"]
        self.job = partial(
            denials.attempt,
            demo.aws,
            story.PROD,
            f"arn:aws:iam::{story.PROD}:role/{DB}",
            "redshift:DescribeClusters",
        )
        time.sleep(1.1)  # CloudTrail tells whole seconds, and the change was a moment ago
        said = self.job(session="export-nightly", url=url)
        assert "no identity-based policy allows" in said, said
        told = demo.slack.wait(lambda: denied(demo.slack.dms(story.DAVE)), 30)[-1]
        assert "session export-nightly" in words(told), words(told)
        return f"{said}\nto dave: {told['text']}"

    def one_back(self, demo: Demo) -> str:
        """carol presses “Give back redshift”: that alone is there again, and is kept for 90 days with the call as its reason"""
        before = services(iam(demo)[f"prod role/{DB}"])
        ts = card_of(demo, self.number)["ts"]
        post = demo.slack.wait(lambda: denied(demo.slack.thread(S, ts)))[-1]
        assert demo.slack.click(story.CAROL, S, "ticket.giveback", ts=post["ts"]).ok
        reply(demo, self.number, "Partly back")
        assert services(iam(demo)[f"prod role/{DB}"]) == before | {"redshift"}
        assert not self.job(), "the nightly job works again"
        heard = len(demo.slack.ephemerals(A))
        assert demo.slack.command(A, S, "keeps").ok
        keeps = demo.slack.wait(lambda: demo.slack.ephemerals(A)[heard:])[0]
        assert f"given back by ticket {self.number}" in words(keeps), words(keeps)
        return str(keeps["text"])

    # -- the log -------------------------------------------------------------------------------------------------------

    def exported(self, demo: Demo) -> str:
        """erin, the admin, exports the log; `bot.py verify` finds it whole, and broken once a row of it is changed"""
        assert demo.slack.command(story.ERIN, S, "log export").ok

        def files() -> Any:
            dm = demo.slack.dm_of(story.ERIN)
            return [f for m in demo.slack.state.messages.get(dm, []) for f in m.get("files") or []]

        (told,) = demo.slack.wait(files, 15)
        content = demo.slack.state.files[told["id"]]["content"]
        path = demo.database.with_name("log.jsonl")
        path.write_bytes(content)
        code, said = verify(path)
        assert code == 0 and "whole" in said, said
        assert str(WHY) in content.decode()
        path.write_bytes(content.replace(WHY.encode(), b"Somebody else said so", 1))
        broken, where = verify(path)
        assert broken == 1, where
        return f"{told['name']}: {said}\nwith one word changed: {where}"

    # -- of several steps ------------------------------------------------------------------------------------------------

    def _new(self, demo: Demo, user: str, role: str, scope: str = "") -> int:
        """Audit, open the form, send it with what is ticked by itself."""
        view = open_form(demo, user, "audit.ticket", audit(demo, role, user))
        values: dict[str, Json] = {"reason": {"value": WHY}}
        if scope:
            field = next(b for b in inputs(view) if b["block_id"] == "scope")
            chosen = next(o for o in field["element"]["options"] if o["value"] == scope)
            values["scope"] = {"selected_option": chosen}
        assert demo.slack.submit(user, values).body in ({}, None)
        self.number = number_of(card_in(demo, "open", after=self.number))
        return self.number

    def _back(self, demo: Demo, user: str, number: int, why: str) -> None:
        view = open_form(demo, user, "ticket.rollback", card_of(demo, number)["ts"])
        assert "This writes to AWS" in str(view["blocks"])
        assert demo.slack.submit(user, {"reason": {"value": why}}).body in ({}, None)
        card_in(demo, "rolled_back", number)
