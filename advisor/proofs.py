"""What AWS says of a plan before its ticket opens, where the operator asks for it (`IAM_AUDIT_ACCESS_ANALYZER=on`).

A witness that is not allowed, or gives no answer, is said to be not asked; only one that says otherwise stops a ticket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from advisor.core.errors import AwsError, Refused
from advisor.core.evidence import Witness
from advisor.core.model import Granularity, Kind
from advisor.core.proof import (
    ANALYZER,
    Answer,
    Decision,
    Document,
    Proof,
    Source,
    batches,
    documents,
    effective,
    errors_added,
    simulated,
    takes,
    used,
)
from advisor.core.removal import Plan, Standing
from advisor.desk import Desk

OWN = "nothing new is allowed, nothing that stays is lost, what was chosen is gone"
"""What our own second evaluator said of every plan that became a ticket."""


def prove(desk: Desk, plan: Plan, standing: Standing) -> Proof | None:
    """Ask. None where nobody is to be asked, or the plan changes no document."""
    if desk.config.iam_audit_access_analyzer != "on" or plan.quarantine:
        return None
    asked = _Asking(desk, plan, standing)
    return Proof(desk.clock(), tuple(asked.answers()), asked.charged)


class _Asking:
    """One plan, asked about in its account."""

    def __init__(self, desk: Desk, plan: Plan, standing: Standing) -> None:
        self.desk, self.plan, self.standing = desk, plan, standing
        self.account = standing.entity.account
        self.charged = 0
        self._client: Any = None

    def answers(self) -> Iterator[Answer]:
        """Access Analyzer about each document, then the simulator about what is used."""
        found = documents(self.plan, self.desk.catalogue)
        for document in found:
            for source, ask in (
                (Source.VALIDATE, self._valid),
                (Source.NO_NEW_ACCESS, self._no_new),
                (Source.NOT_GRANTED, self._not_granted),
            ):
                yield self._asked(source, document.policy, partial(ask, document))
        yield self._asked(Source.SIMULATE, "", self._simulated)

    def _asked(self, source: Source, policy: str, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except Refused as error:
            return Answer(source, policy, None, f"not asked: {error.call} is not allowed")
        except AwsError as error:
            self.desk.aws.forget_ended(self.account, error)
            return Answer(source, policy, None, f"not asked: no answer to {error.call} ({error.code})")

    @property
    def client(self) -> Any:
        """Of Access Analyzer; made when it is first needed."""
        if self._client is None:
            self._client = self.desk.aws.analyzer.client(self.account)
        return self._client

    def _valid(self, of: Document) -> Answer:
        ask = self.desk.aws.analyzer.errors
        new = ask(self.client, self.account, of.after)
        added = errors_added(ask(self.client, self.account, of.before), new) if new else ()
        if added:
            return Answer(Source.VALIDATE, of.policy, agrees=False, said=f"says: {'; '.join(added)[:500]}")
        return Answer(Source.VALIDATE, of.policy, agrees=True, said="the new document has no new error")

    def _no_new(self, of: Document) -> Answer:
        said = self.desk.aws.analyzer.no_new_access(self.client, self.account, of.before, of.after)
        self.charged += 1
        words = "the new document allows nothing new" if said.passed else f"says: {said.words[:500]}"
        return Answer(Source.NO_NEW_ACCESS, of.policy, said.passed, words, (said.request_id,))

    def _not_granted(self, of: Document) -> Answer:
        if not of.removed:
            return Answer(
                Source.NOT_GRANTED, of.policy, None, "not asked: the catalogue knows no action of the cut"
            )
        requests: list[str] = []
        for actions in batches(of.removed):
            said = self.desk.aws.analyzer.not_granted(self.client, self.account, of.after, actions)
            self.charged += 1
            requests.append(said.request_id)
            if not said.passed:
                words = f"says: {said.words[:500]}"
                return Answer(
                    Source.NOT_GRANTED, of.policy, agrees=False, said=words, request_ids=tuple(requests)
                )
        words = f"none of {len(of.removed):,} removed actions is granted"
        return Answer(Source.NOT_GRANTED, of.policy, agrees=True, said=words, request_ids=tuple(requests))

    def _simulated(self) -> Answer:
        """The used actions: allowed now (all policies, boundary, SCPs), and with the documents of the plan."""
        standing, analyzer = self.standing, self.desk.aws.analyzer
        report = self.desk.store.reports.newest(standing.entity.id, Granularity.ACTION)
        actions = [a for a in used(report) if not takes(self.plan, a)]  # what a person ticks off is no loss
        if not actions:
            return Answer(
                Source.SIMULATE, "", None, "not asked: no action report says which actions are used"
            )
        session = self.desk.aws.session(self.account)
        boundary = self._boundary()
        now: dict[str, Decision] = {}
        then: dict[str, Decision] = {}
        for some in batches(actions):
            if standing.entity.kind is Kind.POLICY:
                now |= analyzer.simulate_custom(session, effective(standing), some)
            else:
                now |= analyzer.simulate_principal(session, standing.entity.arn, some)
            left = effective(standing, self.plan)
            if left:
                then |= analyzer.simulate_custom(session, left, some, boundary)
            else:  # no policy is left: nothing is allowed, and there is nothing to ask about
                then |= {a: Decision(allowed=False) for a in some}
        agrees, said = simulated(now, then)
        return Answer(Source.SIMULATE, "", agrees, said)

    def _boundary(self) -> str:
        """The text of its permissions boundary, where it has one."""
        arn = self.standing.boundary
        if not arn:
            return ""
        session = self.desk.aws.session(self.account)
        read = self.desk.aws.standing(session, self.standing.entity, frozenset({arn}))
        policy = read.policy(arn)
        return policy.default.text if policy else ""


def witnesses(proof: Proof | None) -> tuple[Witness, ...]:
    """Who said what of a plan, for the evidence."""
    own = Witness("second evaluator", agrees=True, said=OWN)
    if proof is None:
        return (
            own,
            Witness("IAM Access Analyzer", None, "not asked"),
            Witness("IAM policy simulator", None, "not asked"),
        )
    return (
        own,
        _witness("IAM Access Analyzer", proof, ANALYZER),
        _witness("IAM policy simulator", proof, {Source.SIMULATE}),
    )


def _witness(name: str, proof: Proof, sources: frozenset[Source] | set[Source]) -> Witness:
    answers = [a for a in proof.answers if a.source in sources]
    said = "; ".join(f"{a.source}{f' of {a.policy}' if a.policy else ''}: {a.said}" for a in answers)
    requests = tuple(r for a in answers for r in a.request_ids)
    return Witness(
        name, proof.of(sources), said or "not asked: the plan leaves no document to ask about", requests
    )
