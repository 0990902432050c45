"""A request from its words to its entity: who bears this name, in which account, and what if nobody or several do."""

from __future__ import annotations

import difflib
import logging
from concurrent.futures import wait
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from advisor import jobs
from advisor.core.arn import Arn, parse
from advisor.core.errors import AwsError, Invalid, Missing, Throttled, Transient, Unreachable
from advisor.core.model import Account, Entity, Failure, Kind, Request
from advisor.desk import Desk

log = logging.getLogger(__name__)

FRONT = "front"
"""The lane of admissions."""

_PROMPT = 2.0
"""Seconds after which the card is posted although the name is not resolved yet."""

_PATIENT = 3.0
"""Seconds that all accounts together get to say whether they know a name; who is later is named on the card."""


@dataclass(frozen=True, slots=True)
class Found:
    """Who bears a name, and which accounts could not be asked."""

    entities: tuple[Entity, ...]
    errors: tuple[tuple[Account, AwsError], ...] = ()
    asked: int = 1


def resolve(desk: Desk, request: Request) -> None:
    """Find the entity that a request means and begin its audit, or end the request saying why not."""
    try:
        if request.entity_id is not None:
            found = _by_row(desk, request)
        else:
            found = _known(desk, request) or _search(desk, request)
    except Transient as error:
        _later(desk, request, error)
        return
    except AwsError as error:
        end(desk, request, error.failure(request.tries + 1))
        return
    _decide(desk, request, found)


def _decide(desk: Desk, request: Request, found: Found) -> None:
    if len(found.entities) == 1:
        not_asked = tuple(f"{a.alias or a.id}: {_short(e)}" for a, e in found.errors)
        jobs.begin(desk, request, found.entities[0], not_asked)
        return
    if found.entities:
        _ask_back(desk, request, found.entities)
        return
    if not found.errors:
        end(
            desk,
            request,
            Failure("not_found", message=_nearest(desk, request), account=request.asked.account),
        )
        return
    answered = len(found.errors) < found.asked
    passing = [e for _, e in found.errors if isinstance(e, Transient)]
    if passing:
        _later(desk, request, passing[0])
        return
    if answered:  # nobody who could be asked knows the name; who could not is said
        silent = ", ".join(f"{a.alias or a.id} ({_short(e)})" for a, e in found.errors)
        end(
            desk,
            request,
            Failure("not_found", message=_nearest(desk, request), account=request.asked.account, role=silent),
        )
        return
    end(desk, request, found.errors[0][1].failure(request.tries + 1))


def _short(error: AwsError) -> str:
    return {"refused": "access denied", "throttled": "rate exceeded"}.get(error.code, "no answer")


def _by_row(desk: Desk, request: Request) -> Found:
    """The very entity of a form, a button or an earlier result; a namesake is not it."""
    entity = desk.store.entities.get(request.entity_id or 0)
    if entity is None:
        return Found(())
    try:
        now = desk.aws.identify(desk.aws.session(entity.account), entity)
    except Missing:
        desk.store.entities.gone(entity.id, desk.clock())
        if request.report_id is None:
            return Found(())
        raise
    return Found((replace(now, id=0),))


def lane(desk: Desk, request: Request) -> str:
    """Where a request is resolved: by itself with its account, where that is known from its words."""
    parsed = parse(request.asked.name) if request.asked.name.startswith("arn:") else None
    word = request.asked.account or (parsed.account if isinstance(parsed, Arn) else "")
    known = desk.aws.remembered(word) if word else ""
    return f"{FRONT} {known}" if known else FRONT


def _accounts(desk: Desk, request: Request) -> tuple[tuple[Account, ...], Kind, str, str]:
    """Where to look, for what kind of thing, by which name, and the ARN where one was given."""
    asked = request.asked
    parsed = parse(asked.name) if asked.name.startswith("arn:") else None
    if isinstance(parsed, str):
        raise Invalid("arn", parsed)
    kind, name = (parsed.kind, parsed.name) if parsed else (asked.kind or Kind.ROLE, asked.name)
    everywhere = desk.aws.accounts()
    if parsed and parsed.account != "aws":
        return (desk.aws.account(parsed.account),), kind, name, str(parsed)
    if asked.account:
        return (desk.aws.account(asked.account),), kind, name, str(parsed or "")
    if parsed:  # an AWS managed policy is looked at from one account: the bot's own, or the first
        home = next((a for a in everywhere if a.own), everywhere[0])
        return (home,), kind, name, str(parsed)
    return everywhere, kind, name, ""


def _known(desk: Desk, request: Request) -> Found | None:
    """The one entity of that name that a complete listing knows, where a young report of it can be shown at once."""
    if request.asked.fresh:
        return None
    accounts, kind, name, arn = _accounts(desk, request)
    listings = desk.store.entities.listings()
    if len(accounts) > 1 and any(a.id not in listings or listings[a.id][1] for a in accounts):
        return None
    known = desk.store.entities.named(None if arn else kind, arn or name, [a.id for a in accounts])
    if len(known) != 1 or (kind is Kind.POLICY and not arn):  # AWS's own policies are not all listed
        return None
    report = jobs.young_report(desk, known[0].id, request.asked.granularity)
    return Found((known[0],)) if report else None


def _search(desk: Desk, request: Request) -> Found:
    """Ask every account at once; one that refuses or hangs delays nobody else."""
    accounts, kind, name, arn = _accounts(desk, request)
    clogged = [a for a in accounts if len(accounts) > 1 and desk.lanes.clogged(a.id)]
    asked = {
        desk.lanes.call(a.id, partial(find, desk, a, kind, name, arn)): a
        for a in accounts
        if a not in clogged
    }
    _, late = wait(asked, timeout=_PROMPT)
    if late and request.card_id is None:
        with desk.store.transaction():
            jobs.redraw(desk, request)
    if late:
        _, late = wait(asked, timeout=_PATIENT)
    entities: list[Entity] = []
    # Nobody waits again for an account that still owes its answers to those who asked before.
    errors: list[tuple[Account, AwsError]] = [
        (a, Unreachable("iam:GetRole", "it answers nothing just now", account=a.id)) for a in clogged
    ]
    for future, account in asked.items():
        if future in late:
            errors.append((account, Unreachable("iam:GetRole", "no answer in time", account=account.id)))
            continue
        try:
            entities += future.result()
        except AwsError as error:
            errors.append((account, error))
    return Found(tuple(sorted(entities, key=lambda e: (e.account, e.arn))), tuple(errors), len(accounts))


def find(desk: Desk, account: Account, kind: Kind, name: str, arn: str) -> list[Entity]:
    """The entities of one account that bear a name, or (where `arn` is given) that ARN; asks AWS."""
    session = desk.aws.session(account.id)
    parsed = parse(arn) if arn else None
    if kind is Kind.POLICY and isinstance(parsed, Arn):
        try:
            return [desk.aws.identify(session, Entity(account.id, kind, name, arn, ""))]
        except Missing:  # a wrong path resolves by name
            pass
    found = desk.aws.find(session, kind, name)
    if isinstance(parsed, Arn):
        return [e for e in found if e.aws_managed == (parsed.account == "aws")]
    return found


def _later(desk: Desk, request: Request, error: Transient) -> None:
    now = desk.clock()
    overdue = now >= request.created_at + jobs.deadline(desk)
    if overdue or (request.tries + 1 >= jobs.TRIES and not isinstance(error, Throttled)):
        end(desk, request, error.failure(request.tries + 1))
        return
    desk.aws.forget_ended(error.account, error)
    with desk.store.transaction():
        desk.store.requests.wait(request.id, now + jobs.patience(f"request {request.id}", request.tries))
        jobs.redraw(desk, desk.store.requests.get(request.id) or request)


def _nearest(desk: Desk, request: Request) -> str:
    kind = request.asked.kind
    if kind is None:
        return ""
    names = desk.store.entities.names(kind, None)
    folded = {n.casefold(): n for n in names}
    near = difflib.get_close_matches(request.asked.name.casefold(), folded, n=3, cutoff=0.5)
    return "\n".join(folded[n] for n in near)


def _ask_back(desk: Desk, request: Request, entities: tuple[Entity, ...]) -> None:
    """Several bear the name: ask which, with a button each."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        ids = [store.entities.see(e, now).id for e in entities[:20]]
        failure = Failure("ambiguous", message=",".join(str(i) for i in ids))
        end(desk, request, failure)


def end(desk: Desk, request: Request, failure: Failure) -> None:
    """End a request without an audit: privately where no card stands yet, else on the card."""
    store = desk.store
    with store.transaction():
        fresh = store.requests.get(request.id) or request
        if fresh.card_id is not None or failure.code in {"throttled", "unreachable", "expired"}:
            if store.requests.fail(request.id, failure):
                jobs.redraw(desk, fresh)
        elif store.requests.close(request.id, failure):
            store.outbox.add(
                "ephemeral",
                "audit.answer",
                request.id,
                channel=fresh.channel,
                user=fresh.user,
                now=desk.clock(),
            )
    log.info("request.ended request=%d code=%s", request.id, failure.code)


def list_account(desk: Desk, account: str) -> None:
    """Read who is in an account, for the type-ahead and for "did you mean"."""
    began_at = desk.clock()
    try:
        entities = list(desk.aws.listing(desk.aws.session(account)))
    except AwsError as error:
        desk.store.entities.unlisted(account, error.code, desk.clock())
        log.warning("listing.failed account=%s call=%s code=%s", account, error.call, error.code)
        return
    desk.store.entities.listed(account, entities, began_at)
    log.info("listing.done account=%s entities=%d", account, len(entities))


def refresh_listings(desk: Desk, older_than: timedelta) -> None:
    """List every account whose listing is older than this, each on a lane of its own beside the audits."""
    try:
        accounts = desk.aws.accounts()
    except AwsError as error:
        log.warning("accounts.failed call=%s code=%s", error.call, error.code)
        return
    known, now = desk.store.entities.listings(), desk.clock()
    for account in accounts:
        if account.id in known and now - known[account.id][0] < older_than:
            continue
        desk.lanes.submit(
            f"listing {account.id}",
            ("listing", account.id),
            partial(list_account, desk, account.id),
            desk.store.work,
        )
