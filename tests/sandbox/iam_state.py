"""All that one account's IAM holds, to compare; and reads that lag behind writes, as IAM's do.

Source: IAM User Guide, "Changes that I make are not always immediately visible".
"""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from moto.iam.models import AWSManagedPolicy

Params = dict[str, str]

POOLS = {"role": "roles", "user": "users", "group": "groups", "policy": "managed_policies"}


def state(backend: Any) -> dict[str, object]:
    """Everything that a write of ours could harm, by "role/NAME", "user/NAME", "group/NAME" and "policy/ARN"."""
    found: dict[str, object] = {}
    for kind in ("role", "user", "group"):
        for holder in getattr(backend, POOLS[kind]).values():
            found[f"{kind}/{holder.name}"] = _holder(backend, kind, holder)
    for policy in backend.managed_policies.values():
        if not isinstance(policy, AWSManagedPolicy):
            found[f"policy/{policy.arn}"] = {
                "default": policy.default_version_id,
                "versions": {v.version_id: v.document for v in policy.versions},
                "tags": _tags(policy.tags.values()),
                "attached": policy.attachment_count,
                "bounds": policy.permissions_boundary_usage_count,
                "description": policy.description,
            }
    return found


def _holder(backend: Any, kind: str, holder: Any) -> dict[str, object]:
    row: dict[str, object] = {
        "arn": holder.arn,
        "inline": dict(holder.policies),
        "attached": sorted(holder.managed_policies),
        "boundary": getattr(holder, "permissions_boundary_arn", None),
    }
    if kind == "role":
        row |= {"trust": holder.assume_role_policy_document, "tags": _tags(holder.tags or [])}
    if kind == "user":
        row["groups"] = sorted(g.name for g in backend.groups.values() if holder in g.users)
        row["tags"] = _tags(holder.tags or [])
    if kind == "group":
        row["users"] = sorted(u.name for u in holder.users)
    return row


def _tags(rows: Any) -> dict[str, str]:
    return {row["Key"]: row["Value"] for row in rows}


def remember(backend: Any) -> Callable[[], None]:
    """All that IAM holds now; what it returns puts it back, as often as one likes."""
    pools = {pool: dict(getattr(backend, pool)) for pool in POOLS.values()}
    held = [(thing, _copied(thing)) for pool in pools.values() for thing in pool.values()]

    def put_back() -> None:
        for pool, things in pools.items():
            now = getattr(backend, pool)
            now.clear()
            now.update(things)
        for thing, attributes in held:
            thing.__dict__ = {
                k: copy.copy(v) if isinstance(v, dict | list) else v for k, v in attributes.items()
            }
            if "versions" in attributes:
                thing.versions = [copy.copy(v) for v in attributes["versions"]]

    return put_back


def _copied(thing: Any) -> dict[str, Any]:
    attributes = {k: copy.copy(v) if isinstance(v, dict | list) else v for k, v in vars(thing).items()}
    if "versions" in attributes:
        attributes["versions"] = [copy.copy(v) for v in attributes["versions"]]
    return attributes


# -- reads that lag ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Before:
    """One role, user, group or policy as it was; `thing` is None where there was none."""

    kind: str
    name: str
    key: str = ""
    thing: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Write:
    """What a write touched, and how long reads do not see it."""

    account: str
    subjects: list[_Before]
    reads: int
    until: float

    def is_over(self) -> bool:
        return self.reads <= 0 and time.monotonic() >= self.until

    def touches(self, named: set[tuple[str, str]]) -> bool:
        return any((s.kind, s.name) in named for s in self.subjects)


@dataclass(slots=True)
class Lag:
    """Requests one at a time, and for reads the world of before a write that they must not see yet."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    writes: list[_Write] = field(default_factory=list)

    def forget(self) -> None:
        self.writes.clear()

    def before(self, backend: Any, params: Params) -> list[_Before]:
        """Taken before a write."""
        return [_snapshot(backend, kind, name) for kind, name in sorted(_named(backend, params))]

    def written(self, account: str, subjects: list[_Before], reads: int, seconds: float) -> None:
        """The write has taken effect."""
        if subjects and (reads or seconds):
            self.writes.append(_Write(account, subjects, reads, time.monotonic() + seconds))

    @contextmanager
    def reading(self, backend: Any, operation: str, params: Params) -> Iterator[None]:
        """A read of a thing counts; a list of all things shows them as they were, too, and does not count."""
        self.writes = [w for w in self.writes if not w.is_over()]
        mine = [w for w in self.writes if w.account == backend.account_id]
        named = _named(backend, params)
        if named or not re.match(r"List|GetAccount", operation):
            mine = [w for w in mine if w.touches(named)]
            for write in mine:
                write.reads -= 1
        undo = [
            _put_back(backend, s) for w in reversed(mine) for s in w.subjects
        ]  # the oldest write comes last, so its before is what is seen
        try:
            yield
        finally:
            for pool, things, thing, attributes in reversed(undo):
                pool.clear()
                pool.update(things)
                if thing is not None:
                    thing.__dict__ = attributes


def is_read(operation: str) -> bool:
    return operation.startswith(("Get", "List", "Generate", "Simulate", "Lookup", "Describe"))


def _named(backend: Any, params: Params) -> set[tuple[str, str]]:
    found = {
        (k, params[f"{k.title()}Name"]) for k in ("role", "user", "group") if f"{k.title()}Name" in params
    }
    found |= {("policy", params[k]) for k in ("PolicyArn", "PermissionsBoundary") if k in params}
    if not found and "PolicyName" in params:  # CreatePolicy
        path = params.get("Path", "/")
        found.add(("policy", f"arn:aws:iam::{backend.account_id}:policy{path}{params['PolicyName']}"))
    return found


def _find(backend: Any, kind: str, name: str) -> tuple[str, Any]:
    pool = getattr(backend, POOLS[kind])
    rows = ((k, t) for k, t in pool.items() if (t.arn if kind == "policy" else t.name) == name)
    return next(rows, ("", None))


def _snapshot(backend: Any, kind: str, name: str) -> _Before:
    key, thing = _find(backend, kind, name)
    if thing is None:
        return _Before(kind, name)
    attributes = {k: copy.copy(v) for k, v in vars(thing).items() if isinstance(v, dict | list)}
    if kind == "policy":
        attributes["versions"] = [copy.copy(v) for v in thing.versions]
    return _Before(kind, name, key, thing, {**vars(thing), **attributes})


def _put_back(backend: Any, was: _Before) -> tuple[dict[str, Any], dict[str, Any], Any, dict[str, Any]]:
    """Show a thing as it was; what undoes that."""
    pool = getattr(backend, POOLS[was.kind])
    things = dict(pool)
    if was.thing is None:
        pool.pop(_find(backend, was.kind, was.name)[0], None)
        return pool, things, None, {}
    now = vars(was.thing)
    pool[was.key] = was.thing
    was.thing.__dict__ = was.attributes
    return pool, things, was.thing, now
