"""The hash chain of the log: each row's hash covers the one before, so that no row can be changed or left out. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A row of the log with the hash of the row before it, so that it can be checked without that row."""

    id: int
    at: str
    actor: str
    verb: str
    subject: str
    detail: str
    hash: str
    previous: str

    @property
    def holds(self) -> bool:
        """Whether the row is the one that was hashed."""
        return self.hash == chained(self.previous, self.at, self.actor, self.verb, self.subject, self.detail)


def chained(previous: str, *fields: str) -> str:
    """The hash of a row: SHA-256 over the one before and the row's own fields, as one JSON list."""
    return hashlib.sha256(json.dumps([previous, *fields], ensure_ascii=False).encode()).hexdigest()
