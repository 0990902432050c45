"""The knobs of the page's World drawer: what can go wrong on either side, and what somebody does behind a ticket's back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.sandbox import denials, trail
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.sandbox.slack import Slack

NEWEST = "newest ticket’s"
_WAITING = ("open", "approved", "applying", "needs_human", "applied")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ticket as the bot's database has it."""

    id: int
    account: str
    kind: str
    name: str
    arn: str
    services: tuple[str, ...]


_DENYING = ("held", "applied", "rolling_back", "needs_human")


def newest(path: Path, states: Sequence[str] = _WAITING) -> Waiting | None:
    """The newest ticket that can still be disturbed; one that waits comes before one that is carried out."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        sql = (
            "SELECT t.id, e.account, e.kind, e.name, e.arn, t.plan FROM ticket t JOIN entity e ON e.id = t.entity_id "
            "WHERE t.state = ? ORDER BY t.id DESC LIMIT 1"
        )
        row = next((r for state in states for r in db.execute(sql, [state])), None)
    return row and Waiting(*row[:5], tuple(json.loads(row[5])["services"]))


class Behind:
    """What an administrator, or whoever has the role, does behind a ticket's back."""

    def __init__(self, aws: Aws, path: Path, settings: Mapping[str, str] | None = None) -> None:
        self.aws, self.path, self.settings = aws, path, settings or {}
        self.role = NEWEST

    def roles(self) -> list[str]:
        """Roles of production that have an inline policy to edit."""
        found = self.aws.backend(story.PROD).roles.values()
        return [NEWEST, *sorted(r.name for r in found if r.policies and not r.name.startswith("iam-audit"))]

    def edit(self, _value: object) -> str:
        """Edit the first inline policy of the role."""
        account, name = story.PROD, self.role
        if name == NEWEST:
            ticket = newest(self.path)
            if ticket is None or ticket.kind != "role":
                raise ValueError("there is no ticket on a role; choose a role")
            account, name = ticket.account, ticket.name
        if not self.aws.backend(account).get_role(name).policies:
            raise ValueError(f"{name} has no inline policy to edit")
        sid = self.aws.meddle(account, name)
        return f"A statement {sid} was added to a policy of {name}"

    def use(self, _value: object) -> str:
        """Use a service that the newest ticket takes away."""
        ticket = newest(self.path)
        if ticket is None or not ticket.services:
            raise ValueError("there is no ticket that takes a service away")
        service = ticket.services[0]
        self.aws.use(ticket.account, ticket.arn, service, datetime.now(UTC))
        return f"{ticket.name} has just used {service}, which ticket {ticket.id} takes away"

    def call(self, _value: object) -> str:
        """Call something of what the newest ticket takes away, as its role; IAM's own sentence where it is denied."""
        ticket = newest(self.path, _DENYING) or newest(self.path)
        if ticket is None or not ticket.services or ticket.kind not in {"role", "user"}:
            raise ValueError("there is no ticket that takes a service from a role or user")
        calls = ((s, trail.usual(s)) for s in ticket.services)
        service, name = next((s, name) for s, name in calls if name)
        url = self.settings.get("IAM_AUDIT_DENIED_QUEUE", "")
        said = denials.attempt(self.aws, ticket.account, ticket.arn, f"{service}:{name}", url=url)
        return said or f"{ticket.name} has just called {service}:{name}, and may"


def _attribute(holder: Any, name: str) -> dict[str, Any]:
    return {"get": lambda: getattr(holder, name), "set": lambda value: setattr(holder, name, value)}


def _does(do: Callable[[Any], Any]) -> dict[str, Any]:
    return {"kind": "button", "get": lambda: False, "set": do}


def knobs(aws: Aws, slack: Slack, path: Path, settings: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the page's World drawer can change. `path` is the bot's database, read to find the newest ticket."""
    behind = Behind(aws, path, settings)

    def post(**fault: Any) -> dict[str, Any]:
        return _does(lambda _value: slack.fail("chat.postMessage", **fault))

    def write(said: str, **fault: Any) -> dict[str, Any]:
        def fail(_value: object) -> str:
            aws.fail("write", **fault)
            return said

        return _does(fail)

    return [
        {"id": "throttle", "label": "AWS limits the rate", "help": "Every call is refused", "kind": "toggle", **_attribute(aws.knobs, "throttle")},
        {"id": "polls", "label": "Polls a report takes", "help": "1 is quick", "kind": "number", **_attribute(aws.knobs, "job_polls")},
        {"id": "page", "label": "Rows a page", "help": "Small pages", "kind": "number", **_attribute(aws.knobs, "page_size")},
        {"id": "role", "label": "Role to edit", "help": "For the next one", "kind": "choice", "options": behind.roles, **_attribute(behind, "role")},
        {"id": "meddle", "label": "Edit a policy behind its back", "help": "An administrator adds a statement by hand", **_does(behind.edit)},
        {"id": "use", "label": "Use a service now", "help": "One that the newest ticket takes away", **_does(behind.use)},
        {"id": "call", "label": "Call what is gone", "help": "As the role of the newest ticket; denied where it holds or took it", **_does(behind.call)},
        {"id": "stale", "label": "Reads that lag", "help": "So many reads after a write do not see it yet", "kind": "number", **_attribute(aws.knobs, "stale_reads")},
        {"id": "denied", "label": "Next write: refused", "help": "AWS answers AccessDenied once", **write("The next write is refused", error="AccessDenied")},
        {"id": "lost", "label": "Next write: answer lost", "help": "AWS does it, but the answer never comes", **write("The answer to the next write is lost", drop="after")},
        {"id": "files", "label": "Files are allowed", "help": "Uploads", "kind": "toggle", **_attribute(slack.state, "files_allowed")},
        {"id": "post429", "label": "Next post: 429", "help": "Slack limits the rate once", **post(retry_after=5)},
        {"id": "postlost", "label": "Next post: answer lost", "help": "It is there, but the answer never comes", **post(drop="after")},
        {"id": "socket", "label": "Drop the socket", "help": "The connection is reset", **_does(lambda _value: slack.drop_socket("rst"))},
    ]  # fmt: skip
