"""App Home of one person: what waits for them, what is theirs, and what they may do. Pure.

A view of a home takes 100 blocks (docs.slack.dev, Block Kit reference, views). Strangers' words stand in plain text and rich text.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from slack_sdk.models.blocks import Block, SectionBlock
from slack_sdk.models.blocks.basic_components import ConfirmObject, PlainTextObject
from slack_sdk.models.blocks.block_elements import ButtonElement

from advisor.core.home import DAYS, Few, HomeView, KeepLine, OwnedLine, TicketLine
from handlers.blocks import home_lines as lines
from handlers.blocks import kit, words
from handlers.blocks.home_lines import Page
from handlers.blocks.kit import Json, Message

MOST = 100
"""Blocks of a view."""


def home(page: Page) -> Json:
    """The home of somebody who may be here."""
    view = page.view
    blocks: list[Any] = [_buttons(page), *_waiting(page)]
    if view.empty:
        blocks += _welcome()
    blocks += [
        *_list(page, "My tickets", view.tickets, lines.ticket, "/iam-audit tickets mine"),
        *_audits(page),
        *_owned(page),
        *_schedules(page),
        *_keeps(page),
        *_accounts(page),
        kit.divider(),
        *([kit.small(_numbers(view))] if view.numbers else []),
        kit.small(_rights(view)),
        _drawn(view.now, _all(view)),
    ]
    return _view(blocks)


def minimal(page: Page) -> Json:
    """What is published where Slack refuses the full one: what waits, in words, and the button that asks again."""
    view = page.view
    return _view([_buttons(page), *_waiting(page), kit.small(_rights(view)), _drawn(view.now)])


def turned_away(message: Message, now: datetime) -> Json:
    """The home of somebody who may not: why, and whom to ask."""
    shown = [b for b in message.payload()["blocks"] if b["type"] != "context"]
    return _view([*shown, kit.actions(kit.button("Try again", "home.refresh", "home")), _drawn(now)])


def _view(blocks: Sequence[Block | Json]) -> Json:
    made = [b if isinstance(b, dict) else b.to_dict() for b in blocks]
    return {"type": "home", "callback_id": "home", "blocks": made[:MOST]}


def print_of(view: Json) -> str:
    """A view without the line that says when it was drawn: two that differ in nothing else are the same."""
    return repr(view["blocks"][:-1])


def _drawn(now: datetime, more: str = "") -> Any:
    return kit.context(kit.fixed(f"Drawn {kit.token(now)}{more}"))


def _buttons(page: Page) -> Any:
    made = []
    if page.view.reader.auditor:
        made.append(kit.button("New audit…", "home.new", "new", style="primary"))
        made.append(kit.button("New digest…", "home.digest_new", "new"))
    return kit.actions(*made, kit.button("Refresh", "home.refresh", "home"))


def beside(text: str, button: Any) -> Any:
    """A plain line with a button."""
    return SectionBlock(text=kit.plain(text), accessory=button)


def go(page: Page, line: TicketLine) -> Any:
    """The button that leads to a ticket's card."""
    return ButtonElement(
        text=PlainTextObject(text=f"Go to ticket {line.id}", emoji=False),
        action_id=f"home.ticket.{line.id}",
        value=str(line.id),
        url=page.link(line.card) or None,
    )


def _waiting(page: Page) -> list[Any]:
    few = page.view.waiting
    if not few.total:
        return [kit.header("Nothing waits for you")]
    shown = [beside(lines.waits(page, line), go(page, line)) for line in few.rows]
    return [
        kit.header(f"Waiting for you: {few.total:,}"),
        *shown,
        *_more(few, "/iam-audit tickets waiting"),
        kit.divider(),
    ]


def _more(few: Few[Any], command: str = "") -> list[Any]:
    if not few.more:
        return []
    tail = f": {command} lists all" if command else ""
    return [kit.small(f"{few.more:,} more{tail}.")]


def _bullets(made: Sequence[Any]) -> Any:
    return kit.rich(kit.bullets(made))


def _list(page: Page, title: str, few: Few[Any], line: Any, command: str) -> list[Any]:
    if not few.rows:
        return []
    return [kit.header(title), _bullets([line(page, r) for r in few.rows]), *_more(few, command)]


def _audits(page: Page) -> list[Any]:
    rows = page.view.audits
    return [kit.header("My audits"), _bullets([lines.audit(page, r) for r in rows])] if rows else []


def _owned(page: Page) -> list[Any]:
    few = page.view.owned
    if not few.rows:
        return []
    return [
        kit.header("Entities that name me as owner"),
        *(_mine(page, r) for r in few.rows),
        *_more(few),
    ]


def _mine(page: Page, line: OwnedLine) -> Any:
    text = lines.owned(page, line)
    if line.ticket is not None:
        return beside(text, go(page, line.ticket))
    if page.view.reader.auditor:
        return beside(text, kit.button("Audit", f"home.audit.{line.entity.id}", line.entity.id))
    return SectionBlock(text=kit.plain(text))


def _schedules(page: Page) -> list[Any]:
    view = page.view
    if not view.schedules.rows and not view.sweeps.rows:
        return []
    made: list[Any] = [kit.header("Schedules")]
    plain = []
    for row in view.schedules.rows:
        if row.what == "digest":
            text = f"{lines.scope(page, row)}: {lines.when(row)}, next {lines.next_day(row)}"
            made.append(beside(text, kit.button("Change…", f"home.digest.{row.id}", row.id)))
        else:
            plain.append(lines.schedule(page, row))
    plain += [lines.sweep(page, row) for row in view.sweeps.rows]
    if plain:
        made.append(_bullets(plain))
    return [*made, *_more(view.schedules), *_more(view.sweeps)]


def _keeps(page: Page) -> list[Any]:
    few = page.view.keeps
    if not few.rows:
        return []
    return [kit.header("Keeps"), *(_kept(page, row) for row in few.rows), *_more(few, "/iam-audit keeps")]


def _kept(page: Page, line: KeepLine) -> Any:
    name = kit.clip(line.entity.name, kit.NAME)
    ask = ConfirmObject(
        title=PlainTextObject(text="End this keep?", emoji=False),
        text=kit.plain(
            f"{lines.kept(line.keep)} of {name} may then be planned for removal. Nothing is removed now.", 300
        ),
        confirm=PlainTextObject(text="End the keep", emoji=False),
        deny=PlainTextObject(text="Leave it", emoji=False),
    )
    end = kit.button("End it", f"home.keep_end.{line.keep.id}", line.keep.id, confirm=ask)
    return beside(lines.keep(page, line.keep, line.entity), end)


def _accounts(page: Page) -> list[Any]:
    view, few = page.view, page.view.accounts
    if view.empty and not few.rows:
        return []
    how = "It changes AWS by approved tickets only." if view.may_write else "It never writes to AWS."
    told = [f"The bot audits {words.some(len(view.known), 'account')}. {how}" if view.known else how]
    if not few.rows:
        told.append("None was swept yet.")
    shown = [_bullets([lines.swept(page, row) for row in few.rows])] if few.rows else []
    return [kit.header("The bot and its accounts"), kit.small(" ".join(told)), *shown, *_more(few)]


def _welcome() -> list[Any]:
    lead = "IAM Audit shows which AWS permissions nobody uses, and takes them away after a person approves, with a way back."
    return [
        kit.rich(kit.section(kit.text(lead))),
        _bullets(
            [
                kit.section(
                    kit.text("Look: ", bold=True),
                    kit.text("New audit, or "),
                    kit.code("/iam-audit role NAME"),
                    kit.text(" in any channel. It changes nothing"),
                ),
                kit.labelled("Clean up: ", "open a ticket from an audit. Somebody else approves it"),
                kit.labelled("Stay informed: ", "a digest in a channel says what changed"),
            ]
        ),
    ]


def _numbers(view: HomeView) -> str:
    """What the bot did in all accounts, and how much of it came back."""
    return f"Permissions in {DAYS} days: {words.numbers(view.numbers)}."


def _rights(view: HomeView) -> str:
    """You may audit, approve and roll back. Not your own tickets: they need 2 other approvers."""
    reader = view.reader
    if not reader.approver:
        return "You may audit. You may not approve: ask your operator (IAM_AUDIT_APPROVERS)."
    if not view.may_write:
        return "You may audit. This installation never writes to AWS: tickets are advice, and nobody approves them."
    may = "You may audit, approve and roll back." if reader.auditor else "You may approve and roll back."
    if view.self_approval:
        return f"{may} Your own tickets too: a change needs {words.some(view.needed, 'approval')}."
    return f"{may} Not your own tickets: they need {words.some(view.needed, 'other approver')}."


def _all(view: HomeView) -> str:
    """How to list all, where something is not shown."""
    if view.empty:
        return ""
    return ". Showing the latest 5 of each list; /iam-audit tickets and /iam-audit keeps list all."
