"""Plans (processor time), and with the real bot: the form of a ticket, and from the last approval to "applied"."""

from __future__ import annotations

import random
import statistics
import time
from datetime import timedelta

from advisor.core.model import Policy, PolicyKind
from advisor.core.offer import offer
from advisor.core.plan import make
from advisor.edges.catalogue import IamCatalogue
from benchmarks.figures import ROLES, Figure
from tests.removals import estate
from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.worlds import ago, allow, document

DOCUMENTS = 40
ORDINARY = 1000
TICKETS = 10


def measure() -> list[Figure]:
    """Plans first, then tickets one after the other."""
    return [*_plans(), *_tickets()]


def _inline(name: str, entries: list[str]) -> Policy:
    return Policy(name, PolicyKind.INLINE, document(allow(*entries)))


def _plans() -> list[Figure]:
    catalogue = IamCatalogue()
    every = [f"{s}:{a}" for s in sorted(catalogue.services()) for a in catalogue.actions(s)]
    odd = random.Random(3)
    used = {s: ago(days=3) for s in odd.sample(sorted(catalogue.services()), 60)}
    large = estate(*(_inline(f"p{n:02}", every[n::DOCUMENTS]) for n in range(DOCUMENTS)), used=used)
    began = time.process_time()
    offered = offer(large.report, large.snapshot, large.summary, catalogue)
    keys = {c.key for c in offered.candidates if c.ticked}
    make(offered, keys, large.standing, large.report, catalogue, 1)
    whole = time.process_time() - began
    names = sorted(catalogue.services())
    small = [
        estate(
            *(_inline(f"p{n}", [f"{s}:*" for s in odd.sample(names, 12)]) for n in range(2)),
            used={s: ago(days=5) for s in odd.sample(names, 200)},
        )
        for _ in range(ORDINARY)
    ]
    began = time.process_time()
    for each in small:
        offered = offer(each.report, each.snapshot, each.summary, catalogue)
        keys = {c.key for c in offered.candidates if c.ticked}
        make(offered, keys, each.standing, each.report, catalogue, 1)
    ordinary = time.process_time() - began
    return [
        Figure(
            f"a plan: {len(names)} services, {DOCUMENTS} documents, {len(every):,} actions", whole, "s", 1
        ),
        Figure(f"{ORDINARY:,} plans of two documents and 24 services", ordinary, "s", 10),
    ]


def _tickets() -> list[Figure]:
    forms, changes, waits = [], [], []
    with Demo() as demo:
        demo.start_bot()
        for n in range(TICKETS):
            form, change, waited = _ticket(demo, f"bench-{n}")
            forms.append(form)
            changes.append(change)
            waits.append(waited)
    return [
        Figure(f"the form of a ticket, filled, slowest of {TICKETS}", max(forms), "s", 1),
        Figure(f"approve to applied, three steps, median of {TICKETS}", statistics.median(changes), "s"),
        Figure(f"the same beyond AWS's own time, slowest of {TICKETS}", max(waits), "s", 5),
    ]


def _ticket(demo: Demo, name: str) -> tuple[float, float, float]:
    """A role of its own with three documents to cut; AWS's own time is what its calls took at the gate."""
    iam = demo.aws.client("iam", story.PROD)
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    role = next(r for r in demo.aws.backend(story.PROD).roles.values() if r.name == name)
    role.create_date = demo.aws.clock() - timedelta(days=900)
    for policy, service in (("a", "athena"), ("b", "dax"), ("c", "redshift")):
        text = document(allow("s3:*", f"{service}:*"))
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=text)
    demo.aws.use(story.PROD, arn, "s3", demo.aws.clock() - timedelta(days=3))
    slack, channel = demo.slack, story.SECURITY
    assert slack.command(story.ALICE, channel, f"role {name} account=prod").ok
    slack.wait(lambda: _last(demo) == ("iam_audit.audit", "done"), 60)
    began = time.perf_counter()
    slack.click(story.ALICE, channel, "audit.ticket", ts=slack.messages(channel)[-1]["ts"])
    slack.wait(lambda: (slack.view(story.ALICE) or {}).get("submit"), 30)
    form = time.perf_counter() - began
    slack.submit(story.ALICE, {"reason": {"value": "measured"}})
    slack.wait(lambda: _last(demo) == ("iam_audit.ticket", "open"), 30)
    calls = len(demo.aws.calls)
    began = time.perf_counter()
    slack.click(story.CAROL, channel, "ticket.approve", ts=slack.messages(channel)[-1]["ts"])
    slack.wait(lambda: _last(demo) == ("iam_audit.ticket", "applied"), 60)
    change = time.perf_counter() - began
    each = _one_call(demo)
    return form, change, max(0.0, change - each * (len(demo.aws.calls) - calls))


def _one_call(demo: Demo) -> float:
    """What a call to this AWS takes by itself."""
    iam = demo.aws.client("iam", story.PROD)
    began = time.perf_counter()
    for _ in range(20):
        iam.get_role(RoleName=ROLES[0])
    return (time.perf_counter() - began) / 20


def _last(demo: Demo) -> tuple[str, str]:
    """What the newest card of the channel is, and its state."""
    cards = demo.slack.messages(story.SECURITY)
    told = (cards[-1].get("metadata") if cards else None) or {}
    return str(told.get("event_type")), str((told.get("event_payload") or {}).get("state"))
