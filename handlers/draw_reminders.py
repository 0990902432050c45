"""Reminders drawn late: what was to be said and still holds, for whoever may still decide, and never into their night."""

from __future__ import annotations

from dataclasses import dataclass, replace

from advisor import readings, reminders
from advisor.core import reminders as core
from advisor.core.home import HomeView, Reader
from advisor.core.model import Notice
from advisor.core.reminders import About, Line, Waiting
from advisor.desk import Desk
from handlers.access import People
from handlers.blocks import reminder
from handlers.blocks.home_lines import Page
from handlers.blocks.kit import Message
from handlers.blocks.reminder import ReminderView
from handlers.draw_home import DrawHome
from handlers.reminder_work import audience

SURFACE = "reminder"


@dataclass(frozen=True, slots=True)
class DrawReminders:
    """Draws the notices of reminders. `homes` knows the addresses of cards."""

    desk: Desk
    people: People
    homes: DrawHome

    def message(self, notice: Notice) -> Message | None:
        """What is left of a reminder; None where that is nothing, or it is quiet where its reader is.

        Raises NoAnswer where Slack does not say who they are.
        """
        store, now = self.desk.store, self.desk.clock()
        made = store.reminders.get(notice.row_id)
        if made is None or self.people.refusal(made.user) not in {"", "auditor"}:
            return None
        who, _ = audience(self.desk, self.people, made.user)
        rules = reminders.rules(self.desk)
        if notice.kind == "post" and rules.quiet.covers(now, who.zone):
            return None  # it was held up until now: what waits is said when they are awake
        ids = [line.ticket for line in made.lines]
        tickets = [self._named(t) for t in store.reminders.waiting(ids)]
        holds = core.concerns(tickets, who, rules)
        left = [line for line in made.lines if line in holds]
        return reminder.reminder(self._view(made.user, left, tickets)) if left else None

    def _named(self, ticket: Waiting) -> Waiting:
        """A ticket with those who cannot be reached as far as the settings of now still name them."""
        config = self.desk.config
        named = self.people.named((*config.iam_audit_approvers, *config.iam_audit_escalate))
        return replace(ticket, unreached=tuple(u for u in ticket.unreached if u.user in named))

    def _view(self, user: str, lines: list[Line], tickets: list[Waiting]) -> ReminderView:
        config = self.desk.config
        shown = sorted({i for about in About for i in _ids(lines, about)[: reminder.MOST]})
        found = {t.id: t for t in self.desk.store.homes.ticket_lines(shown)}
        view = HomeView(
            Reader(user),
            self.desk.clock(),
            needed=config.iam_audit_approvals,
            known=readings.accounts(self.desk),
        )
        links = dict(self.homes.linked(t.card for t in found.values()))
        return ReminderView(
            page=Page(view, links),
            tickets=found,
            about={about: tuple(_ids(lines, about)) for about in About},
            unreached={t.id: t.unreached for t in tickets},
        )


def _ids(lines: list[Line], about: About) -> list[int]:
    return [line.ticket for line in lines if line.about is about]
