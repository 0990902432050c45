"""Watches on lanes: what is due is read and judged, what is new is said; and the queue of denied calls, read by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from advisor import replays, watches
from advisor.core.errors import AwsError
from advisor.desk import Desk
from advisor.edges.aws import WAIT

log = logging.getLogger(__name__)

JUDGING = "watch"

REFUSED_FOR, SILENT_FOR = 60.0, 5.0
"""Seconds after which a queue is asked again that may not be read or is not there, and one that gives no answer."""


def beat(desk: Desk) -> list[datetime]:
    """Hand out what is due of watches; says when there is more."""
    store, now = desk.store.watches, desk.clock()

    def submit(lane: str, task: tuple[str, int | str], work: Callable[[], None]) -> None:
        desk.lanes.submit(lane, task, work, desk.store.work)

    for account in store.due(now):
        submit(f"watch {account}", ("watch", account), partial(watches.look, desk, account))
    for account in store.unweighed():
        submit(JUDGING, ("weigh", account), partial(watches.weigh, desk, account))
    for ticket_id in watches.to_say(desk):
        submit(JUDGING, ("denied", ticket_id), partial(watches.say, desk, ticket_id))
    return [t for t in (store.next_at(now), watches.say_at(desk)) if t and t > now]


@dataclass(slots=True)
class Listening:
    """The queue of denied calls. `beat` waits for a message, so it has a thread of its own and nothing waits for it."""

    desk: Desk
    wait: int = WAIT
    _state: str = field(default="")

    def beat(self) -> float | None:
        """Hear what is there, keep it, then let the queue forget it; says in how many seconds to ask again."""
        url = self.desk.config.iam_audit_denied_queue
        if not url:
            return None
        try:
            received = self.desk.aws.denials.receive(url, self.wait)
            new = replays.keep_heard(self.desk, received.heard)
            if received.handles:
                self.desk.aws.denials.delete(url, received.handles)
        except AwsError as error:
            self._is(f"{error.call} {error.code}", error.message)
            return SILENT_FOR if error.code in {"unreachable", "throttled", "expired"} else REFUSED_FOR
        self._is("heard")
        if received.garbage:
            log.warning("denied.garbage messages=%d", received.garbage)
        if new:
            log.info("denied.heard new=%d of=%d", new, len(received.heard))
        return 0.0

    def _is(self, state: str, why: str = "") -> None:
        """Log a change of state, once."""
        if state == self._state:
            return
        self._state = state
        if state == "heard":
            log.info("denied.listening")
        else:
            log.warning("denied.deaf what=%s why=%s", state, why[:200])
