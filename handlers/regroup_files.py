"""The files of `/iam-audit regroup`: who is in which group, the whole answer, and the policies. Pure: values to bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from advisor.core.model import Kind
from advisor.core.regrouped import Regrouped, Side
from handlers.files import File, neutral

COLUMNS = ("account", "kind", "member", "group", "services", "outside")
"""One row a member and group, or one row with an empty group. `services` are the group's, `outside` stay own."""

NOT_READ = "not read"
"""Stands as the group of whoever has no report."""


def files(found: Regrouped, row: int) -> list[File]:
    """All three. Their names are ours: nothing untrusted stands in them."""
    stem, title = f"iam-audit-regroup-{row}", f"IAM Audit, groups {row}"
    return [
        File(f"{stem}.csv", f"{title} (CSV)", as_csv(found)),
        File(f"{stem}.json", f"{title} (JSON)", _bytes(as_json(found))),
        File(f"{stem}-policies.json", f"{title}, policies (JSON)", _bytes(policies(found))),
    ]


def as_csv(found: Regrouped) -> bytes:
    """Comma-separated, UTF-8 with a mark so that spreadsheets read it right."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for side in (found.users, found.roles):
        writer.writerows([neutral(cell) for cell in (found.account, *row)] for row in rows(side))
    return out.getvalue().encode("utf-8-sig", "backslashreplace")


def rows(side: Side) -> Iterator[tuple[str, ...]]:
    """Everyone: by name, then by group."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for group in side.grouping.groups:
        for member in group.members:
            groups.setdefault(member, []).append((group.number, " ".join(group.services)))
    own = {o.name: " ".join(o.services) for o in side.grouping.own} | dict.fromkeys(side.grouping.idle, "")
    for name in sorted([*own, *side.unread]):
        if name not in own:
            yield side.kind.value, name, NOT_READ, "", ""
            continue
        for number, services in groups.get(name, [(0, "")]):
            yield side.kind.value, name, str(number or ""), services, own[name]


def as_json(found: Regrouped) -> str:
    """The answer for a program."""
    return _json(
        {
            "account": found.account,
            "days": found.days,
            "made_at": found.made_at.isoformat(),
            "partial": found.partial,
            "users": _side(found.users),
            "roles": _side(found.roles),
        }
    )


def _side(side: Side) -> dict[str, object]:
    grouping = side.grouping
    return {
        "read": grouping.people,
        "different_sets": grouping.distinct,
        "partial": grouping.partial,
        "groups": [asdict(g) for g in grouping.groups],
        "outside": {o.name: o.services for o in grouping.own},
        "used_nothing": grouping.idle,
        "not_read": side.unread,
        "left_out": side.left_out,
        "merges": [asdict(m) for m in side.merges],
    }


def policies(found: Regrouped) -> str:
    """For each group its documents, what they do not grant that somebody has today, and why there is none."""
    return _json({"account": found.account, "users": _policies(found.users), "roles": _policies(found.roles)})


def _policies(side: Side) -> Iterable[dict[str, object]]:
    return [
        {
            "group": group.number,
            "attach_to": "an IAM group with these members"
            if side.kind is Kind.USER
            else "each of these roles",
            "members": group.members,
            "services": group.services,
            "documents": [json.loads(d) for d in proposal.documents],
            "services_without_a_common_action": proposal.empty,
            "not_granted_though_allowed_today": [asdict(m) for m in proposal.missing],
            "policies_not_kept_of": proposal.unread,
            "keep_the_deny_of": proposal.denied,
        }
        for group, proposal in zip(side.grouping.groups, side.proposals, strict=True)
    ]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
