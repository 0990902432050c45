"""Who is reminded, asked of Slack: groups once an hour, each person when something is due to them. Runs on a lane."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from advisor import jobs, reminders
from advisor.core.reminders import Audience
from advisor.desk import Desk
from advisor.edges.store.reminders import Look
from handlers.access import NoAnswer, People

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReminderWork:
    """Hands out what is due of reminders: one person at a time, so that hundreds stay within Slack's limits."""

    desk: Desk
    people: People

    def beat(self) -> list[datetime]:
        """Hand out what is due; says when there is more."""
        store, now = self.desk.store.reminders, self.desk.clock()
        if not self.desk.config.iam_audit_remind_hours or not store.any_waiting():
            return []
        if store.claim_round(now):
            self._submit(("reminders", 0), self.go_through)
        look = store.look(now)
        if look is not None:
            self._submit(("reminder", look.user), partial(self.look, look))
        return [t for t in (store.next_round(), store.next_at(now)) if t and t > now]

    def _submit(self, task: tuple[str, int | str], work: Callable[[], None]) -> None:
        self.desk.lanes.submit(reminders.LANE, task, work, self.desk.store.work)

    def go_through(self) -> None:
        """Everybody whom the settings of now name; where Slack is silent, a little later."""
        config = self.desk.config
        try:
            approvers = self.people.named(config.iam_audit_approvers)
            escalate = self.people.named(config.iam_audit_escalate)
        except NoAnswer as error:
            log.info("reminders.later why=%s", error)  # it is due again in a minute
            return
        reminders.go_through(self.desk, approvers, escalate)

    def look(self, look: Look) -> None:
        """Who this person is now, then what is due to them."""
        store, user = self.desk.store.reminders, look.user
        try:
            word = self.people.refusal(user)
            who, zone = audience(self.desk, self.people, user)
        except NoAnswer as error:
            log.info("reminder.later user=%s why=%s", user, error)
            pause = jobs.patience(f"reminder {user}", min(look.tries, 5))
            store.looked(user, self.desk.clock() + pause, tries=look.tries + 1)
            return
        if word in {"", "auditor"}:  # who decides need not be somebody who audits
            reminders.look(self.desk, who, zone)
        else:
            reminders.skip(self.desk, who, word, zone)


def audience(desk: Desk, people: People, user: str) -> tuple[Audience, str]:
    """A person by the settings of now, and the name of their zone. Raises NoAnswer where Slack does not say."""
    zone = people.zone(user)
    next_in_line = user in people.named(desk.config.iam_audit_escalate)
    return Audience(user, ZoneInfo(zone), people.approver(user), next_in_line), zone
