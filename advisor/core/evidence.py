"""The evidence of a ticket, for an auditor: what it rested on, who decided, what was written; and how that is checked. Pure.

Everything is checked from the files of the bundle alone. What a bundle cannot prove by itself is that it is the one the
bot made: for that its SHA-256 stands in the bot's log, and its rows of the log in every export of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from advisor.core import testimony
from advisor.core.chain import Link
from advisor.core.hold import held_since, held_until
from advisor.core.model import TRACKED_DAYS, Entity, Report, ServiceRow
from advisor.core.policy import Catalogue
from advisor.core.removal import Approval, Edit, Entry, Plan, Ticket
from advisor.core.replay import Replay
from advisor.core.standing import fingerprinted
from advisor.core.watch import Hit
from advisor.core.writes import Check, Tree, carried_out

FORMAT = "iam-audit.evidence/1"
EVIDENCE, PLAN, LOG, MANIFEST = "evidence.json", "plan.json", "log.json", "MANIFEST.json"
NEEDED = frozenset({EVIDENCE, PLAN, LOG, MANIFEST})


@dataclass(frozen=True, slots=True)
class Witness:
    """What somebody else than the rewriter said of a plan. `agrees` is None where nobody was asked, and `said` says why."""

    name: str
    agrees: bool | None
    said: str
    request_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a ticket at one time."""

    ticket: Ticket
    plan: Plan
    entity: Entity
    made_at: datetime
    made_by: str
    needed: int  # approvals
    owner_tag: tuple[str, str]  # key, value as written
    report: Report | None  # that the plan rests on; without rows where they are not kept any more
    looked: Report | None  # that was made before the first write
    approvals: tuple[Approval, ...]
    entries: tuple[Entry, ...]
    links: tuple[Link, ...]  # the rows of the log about the ticket
    log_end: tuple[int, str]  # how many rows the whole log has, and its last hash
    witnesses: tuple[Witness, ...] = ()
    hits: tuple[Hit, ...] = ()  # what was denied because of it
    history: Replay | None = None  # what CloudTrail said last; None where it was turned off


# -- making --------------------------------------------------------------------------------------------------------


def files(of: Evidence) -> dict[str, bytes]:
    """The files of a bundle, without the diffs and the manifest."""
    return {
        EVIDENCE: _bytes(tree(of)),
        PLAN: fingerprinted(of.plan.basis, of.plan.steps, of.plan.hold).encode(),
        LOG: _bytes(_log(of)),
    }


def manifest(found: Mapping[str, bytes]) -> bytes:
    """The SHA-256 of every other file."""
    return _bytes({"format": FORMAT, "sha256": {name: digest(found[name]) for name in sorted(found)}})


def digest(content: bytes) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(content).hexdigest()


def _bytes(tree_: Tree) -> bytes:
    return (json.dumps(tree_, indent=1, sort_keys=True, default=_plain) + "\n").encode()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(type(value).__name__)  # pragma: no cover


def tree(of: Evidence) -> Tree:
    """Everything as one JSON object."""
    ticket, plan = of.ticket, of.plan
    return {
        "format": FORMAT,
        "made": {"at": of.made_at, "by": of.made_by},
        "ticket": {
            "id": ticket.id,
            "state": ticket.state.value,
            "advice": ticket.advice,
            "requesters": ticket.requesters,
            "reason": ticket.reason,
            "created_at": ticket.created_at,
            "changed_at": ticket.changed_at,
            "changed_by": ticket.by,
            "their_words": ticket.words,
            "expires_at": ticket.expires_at,
            "given_back": ticket.given,
            "replaced_by": ticket.other_id,
            "moved": [asdict(m) for m in ticket.moved],
            "failure": asdict(ticket.failure) if ticket.failure else None,
        },
        "entity": {
            "account": of.entity.account,
            "kind": of.entity.kind.value,
            "name": of.entity.name,
            "arn": of.entity.arn,
            "unique_id": of.entity.unique_id,
            "created_at": of.entity.created_at,
            "owner_tag": {"key": of.owner_tag[0], "value": of.owner_tag[1]},
            "owner": ticket.owner,
        },
        "data": _data(of),
        "witnesses": [asdict(w) for w in of.witnesses],
        "event_history": testimony.tree(of.history),
        "approvals": {
            "needed": of.needed,
            "given": [{"user": a.user, "at": a.at, "fingerprint": a.fingerprint} for a in of.approvals],
        },
        "plan": {
            "fingerprint": plan.fingerprint,
            "ticked": ticket.keys,
            "services": plan.services,
            "actions": plan.actions,
            "services_of_the_report": plan.granted,
            "stays": [
                {
                    "service": f.service,
                    "action": f.action,
                    "usage": f.usage.value,
                    "why": f.why.value,
                    "detail": f.detail,
                }
                for f in plan.stays
            ],
            "left": [{"what": x.what, "policy": x.policy, "why": x.why.value} for x in plan.left],
            "a_person_decided": [c.key for c in plan.asked],
        },
        "hold": _hold(of),
        "denied_since": [_denied(h) for h in of.hits],
        "documents": [_document(e, plan) for e in plan.edits],
        "steps": [_entry(e) for e in of.entries],
    }


def _data(of: Evidence) -> Tree:
    found: Tree = {
        "source": "IAM Access Advisor: GenerateServiceLastAccessedDetails, GetServiceLastAccessedDetails",
        "window_days": of.ticket.days,
        "tracked_days_at_most": TRACKED_DAYS,
        "report": _report(of.report, of.plan),
        "report_before_the_first_write": _report(of.looked, of.plan),
    }
    return found


def _report(report: Report | None, plan: Plan) -> Tree | None:
    if report is None:
        return None
    return {
        "id": report.id,
        "granularity": report.granularity.value,
        "made_at": report.created_at,
        "completed_at": report.completed_at,
        "services": [_service(s) for s in report.services if s.namespace in plan.affected],
        "rows_are_kept": bool(report.services),
    }


def _service(row: ServiceRow) -> Tree:
    actions = None if row.actions is None else [{"name": a.name, "last_at": a.last_at} for a in row.actions]
    return {
        "service": row.namespace,
        "last_at": row.last_at,
        "last_by": row.last_by,
        "region": row.region,
        "entities": row.entities,
        "actions": actions,
    }


def _document(edit: Edit, plan: Plan) -> Tree:
    policy = plan.basis.policy(edit.arn) if edit.arn else None
    before = edit.before if edit.before is not None or policy is None else policy.default.text
    return {
        "policy": edit.policy,
        "arn": edit.arn,
        "treatment": edit.treatment.value,
        "services_out": edit.out,
        "actions_out": edit.actions,
        "instead": edit.instead,
        "before": before,
        "before_sha256": None if before is None else digest(_utf8(before)),
        "after": edit.after,
        "after_sha256": None if edit.after is None else digest(_utf8(edit.after)),
    }


def _hold(of: Evidence) -> Tree | None:
    hold = of.plan.hold
    if hold is None:
        return None
    return {
        "policy": hold.name,
        "arn": hold.arn,
        "days": hold.days,
        "denied": hold.denied,
        "stood_from": held_since(of.plan, of.entries),
        "until_at_the_latest": held_until(of.plan, of.entries),
    }


def _denied(hit: Hit) -> Tree:
    return {
        "principal": hit.principal,
        "actions": hit.actions,
        "cause": hit.cause.value,
        "first": hit.first,
        "last": hit.last,
        "count": hit.count,
        "sessions": hit.sessions,
        "closed_at": hit.closed_at,
    }


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _entry(entry: Entry) -> Tree:
    return {
        "run": entry.run,
        "place": entry.place,
        "way_back": entry.back,
        "step": asdict(entry.step),
        "state": entry.state.value,
        "tries": entry.tries,
        "begun_at": entry.begun_at,
        "settled_at": entry.settled_at,
        "made": entry.made,
        "aws_request_id": entry.request_id,
        "failure": asdict(entry.failure) if entry.failure else None,
    }


def _log(of: Evidence) -> Tree:
    rows, last = of.log_end
    return {"rows": [asdict(x) for x in of.links], "whole_log": {"rows": rows, "last_hash": last}}


# -- checking ------------------------------------------------------------------------------------------------------


def check(found: Mapping[str, bytes], catalogue: Catalogue) -> tuple[Check, ...]:
    """Everything that the files of a bundle can be checked for, in the order in which an auditor asks."""
    missing = sorted(NEEDED - found.keys())
    if missing:
        return (Check(holds=False, said=f"not a bundle of evidence: {', '.join(missing)} is missing"),)
    try:
        told, plan, log, sums = (json.loads(found[n]) for n in (EVIDENCE, PLAN, LOG, MANIFEST))
        if told["format"] != FORMAT:
            return (Check(holds=False, said=f"a bundle of another release: {str(told['format'])[:60]!r}"),)
        return (
            _sums(found, sums["sha256"]),
            _fingerprint(found[PLAN], told),
            _approvals(told, log["rows"]),
            _documents(told, plan),
            carried_out(told, plan, catalogue),
            *_history(told["event_history"], log["rows"]),
            _chain(log["rows"], f"ticket {told['ticket']['id']}", log["whole_log"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return (Check(holds=False, said=f"a file of the bundle cannot be read: {type(error).__name__}"),)


def _sums(found: Mapping[str, bytes], sums: Mapping[str, str]) -> Check:
    others = {n: c for n, c in found.items() if n != MANIFEST}
    wrong = sorted({n for n, c in others.items() if sums.get(n) != digest(c)} | (sums.keys() - others.keys()))
    if wrong:
        return Check(
            holds=False, said=f"files are not what {MANIFEST} says: {', '.join(n[:60] for n in wrong)}"
        )
    return Check(holds=True, said=f"{len(others)} files are what {MANIFEST} says (SHA-256 of each)")


def _fingerprint(plan: bytes, told: Tree) -> Check:
    stated, own = str(told["plan"]["fingerprint"]), digest(plan)
    if own != stated:
        return Check(
            holds=False,
            said=f"the plan is not the one of the fingerprint {stated[:16]}…: it hashes to {own[:16]}…",
        )
    return Check(holds=True, said=f"the plan has the fingerprint {own}")


def _approvals(told: Tree, rows: list[Tree]) -> Check:
    """Each approval was for this plan and is in the log; the log's opening was of this plan too."""
    stated, given = told["plan"]["fingerprint"], told["approvals"]["given"]
    other = [a["user"] for a in given if a["fingerprint"] != stated]
    if other:
        return Check(holds=False, said=f"approvals of another plan: {', '.join(other)}")
    opened = [json.loads(r["detail"]).get("fingerprint") for r in rows if r["verb"] == "ticket.open"]
    if opened and stated not in opened:
        return Check(holds=False, said="the ticket was opened with another plan")
    logged = {(r["actor"], r["at"][:19]) for r in rows if r["verb"] == "ticket.approve"}
    absent = [a["user"] for a in given if (a["user"], a["at"][:19]) not in logged]
    if absent:
        return Check(holds=False, said=f"approvals that the log does not have: {', '.join(absent)}")
    return Check(
        holds=True,
        said=f"{len(given)} of {told['approvals']['needed']} approvals, each of this very plan and in the log",
    )


def _documents(told: Tree, plan: Tree) -> Check:
    """What stood before is what the plan rests on, what stands after is what its steps write."""
    stood = {text for _, text in plan["inline"]}
    stood |= {v["text"] for m in plan["managed"] for v in m["versions"]}
    written = {s["after"] for s in plan["steps"] if s["after"] is not None}
    for document in told["documents"]:
        before, after = document["before"], document["after"]
        sums = ((before, document["before_sha256"]), (after, document["after_sha256"]))
        summed = all((t is None and s is None) or (t is not None and digest(_utf8(t)) == s) for t, s in sums)
        attached = document["treatment"] in _NOT_WRITTEN
        if not summed or (before is not None and before not in stood and not attached):
            return Check(
                holds=False,
                said=f"a document is not the one of the plan: {document['policy'][:64]!r}, before",
            )
        if after is not None and after not in written and not attached:
            return Check(
                holds=False, said=f"a document is not the one of the plan: {document['policy'][:64]!r}, after"
            )
    return Check(
        holds=True, said=f"{len(told['documents'])} documents are those of the plan, before and after"
    )


_NOT_WRITTEN = {"quarantine", "swap"}
"""Treatments whose document is AWS's own: it is attached, not written."""


def _history(told: Tree, rows: Iterable[Tree]) -> tuple[Check, ...]:
    """CloudTrail's words are those that the log has the hash of; nothing to check where it was never asked."""
    hashes = [json.loads(r["detail"])["sha256"] for r in rows if r["verb"] == testimony.VERB]
    if not hashes and told["not_asked"] == testimony.OFF:
        return ()
    if testimony.sha256(told) not in hashes[-1:]:
        return (Check(holds=False, said="what CloudTrail's event history said is not what the log has"),)
    return (
        Check(holds=True, said=f"CloudTrail's event history, as the log has it: {testimony.summary(told)}"),
    )


def _chain(rows: Iterable[Tree], subject: str, whole: Tree) -> Check:
    links = [Link(**row) for row in rows]
    for link in links:
        if not link.holds or link.subject != subject:
            return Check(holds=False, said=f"row {link.id} of the log is not the one that was hashed")
    for before, after in pairwise(links):
        if after.id <= before.id or (after.id == before.id + 1 and after.previous != before.hash):
            return Check(holds=False, said=f"row {after.id} of the log does not fit the row before it")
    last = links[-1] if links else None
    if last and last.id == whole["rows"] and last.hash != whole["last_hash"]:
        return Check(holds=False, said="the end of the log is another")
    where = f"rows {links[0].id} to {links[-1].id}, " if links else ""
    return Check(
        holds=True,
        said=f"{len(links)} rows of the log hold ({where}of {whole['rows']}; last hash then {whole['last_hash'] or 'none'})",
    )


def against(found: Mapping[str, bytes], exported: Iterable[Mapping[str, Any]]) -> Check:
    """Whether an exported log has every row of the bundle, letter by letter."""
    rows = {int(r["id"]): str(r["hash"]) for r in exported}
    log = json.loads(found[LOG])
    for row in log["rows"]:
        if rows.get(int(row["id"])) != row["hash"]:
            return Check(holds=False, said=f"the log has no row {row['id']} with this hash")
    end = log["whole_log"]
    if end["rows"] and rows.get(int(end["rows"])) != end["last_hash"]:
        return Check(holds=False, said=f"the log has another row {end['rows']} than when the bundle was made")
    return Check(
        holds=True, said=f"the log has all {len(log['rows'])} rows of the bundle, with the same hashes"
    )
