"""The files of a sweep: CSV and JSON of every service of every entity, written as they are read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from advisor.core.model import Account, Entity, Summary
from handlers.blocks import words
from handlers.files import COLUMNS, neutral

NOT_READ = "not_read"
"""The usage of an entity that could not be read: nothing is known of it, which is not “unused”."""


@dataclass(frozen=True, slots=True)
class Written:
    """Files in a folder, and how much is in them."""

    paths: tuple[Path, ...]
    rows: int
    entities: int


def rows(account: Account, entity: Entity, summary: Summary) -> list[dict[str, str]]:
    """One row a service."""
    return [
        _row(
            account.id,
            entity.arn,
            f.service,
            f.last_at.isoformat() if f.last_at else "",
            f.usage.value,
            f.verdict.value,
            words.why(f),
        )
        for f in summary.findings
    ]


def unread(entity: Entity, why: str) -> dict[str, str]:
    """The row of an entity that could not be read."""
    return _row(entity.account, entity.arn, "", "", NOT_READ, "", why)


def unread_account(account: Account, why: str) -> dict[str, str]:
    """The row of an account that could not be read to its end."""
    return _row(account.id, "", "", "", NOT_READ, "", why)


def _row(
    account: str, arn: str, service: str, last: str, usage: str, verdict: str, why: str
) -> dict[str, str]:
    return dict(zip(COLUMNS, (account, arn, service, "", last, usage, verdict, why), strict=True))


def write(folder: Path, stem: str, tables: Iterable[list[dict[str, str]]]) -> Written:
    """Both files at once, an entity's rows at a time; the JSON is one list, an object a line."""
    paths = (folder / f"{stem}.csv", folder / f"{stem}.json")
    count = entities = 0
    with (
        paths[0].open("w", encoding="utf-8-sig", newline="") as as_csv,
        paths[1].open("w", encoding="utf-8") as as_json,
    ):
        out = csv.writer(as_csv)
        out.writerow(COLUMNS)
        as_json.write("[")
        for table in tables:
            entities += 1
            for row in table:
                out.writerow([neutral(row[c]) for c in COLUMNS])
                as_json.write((",\n" if count else "\n") + json.dumps(row, ensure_ascii=False))
                count += 1
        as_json.write("\n]\n")
    return Written(paths, count, entities)
