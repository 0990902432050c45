"""A batch of a sweep, and the listing of an account, against the sandbox's IAM over real sockets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from advisor.core.model import Account, Entity, Kind, Snapshot
from advisor.edges.aws import Aws as Product
from advisor.edges.aws import Raw, pacer
from advisor.edges.aws.authorization import list_account
from advisor.edges.aws.batch import Batch, run
from advisor.edges.aws.sessions import Access
from tests.sandbox import world as story
from tests.sandbox.aws import Aws

Seeded = tuple[Aws, story.World]
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def access(aws: Aws, seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> Access:
    """How the bot's own user comes into production."""
    for name, value in seeded[1].bot.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(pacer, "START", 200.0)
    return Access(story.PROD, story.PROD, "aws", story.READ_ROLE, patience=5)


@pytest.fixture
def product(access: Access) -> Product:
    """The bot's own way into AWS."""
    named = (Account(story.PROD, "prod", own=True), Account(story.DEV, "dev"))
    return Product(
        boot="test",
        named=named,
        organization=False,
        read_role=story.READ_ROLE,
        clock=lambda: datetime.now(UTC),
        patience=5,
    )


def listed(access: Access) -> list[Snapshot]:
    """Every snapshot of an account."""
    listing = list_account(access)
    assert listing.failure is None
    found = list(listing.snapshots())
    assert len(found) == listing.count
    return found


def same(snapshot: Snapshot) -> Snapshot:
    """Without what differs between two readings: the time, and the order in which IAM lists policies."""
    policies = tuple(sorted(snapshot.policies, key=lambda p: (p.group, p.kind, p.name)))
    return replace(snapshot, read_at=NOW, policies=policies)


def batch_of(access: Access, *names: str, **more: object) -> Batch:
    """A batch of these roles, or of every entity."""
    found = [s for s in listed(access) if not names or s.entity.name in names]
    policies = tuple(s.policies for s in found)
    return Batch(access, tuple(s.entity for s in found), policies=policies, **more)  # type: ignore[arg-type]


def test_a_listing_says_what_a_snapshot_of_each_entity_says(access: Access, product: Product) -> None:
    """Policies with their raw texts, groups, members, holders, boundaries, tags and descriptions, for every entity."""
    found = {s.entity.arn: s for s in listed(access)}
    session = product.session(story.PROD)
    every = [e for e in product.listing(session) if not e.aws_managed]
    assert found.keys() == {e.arn for e in every}
    for entity in every:
        assert same(found[entity.arn]) == same(product.snapshot(session, entity))


def test_a_listing_of_another_account_is_read_by_its_role(access: Access) -> None:
    """Every page of it, though pages are small."""
    names = {s.entity.name for s in listed(replace(access, account=story.DEV))}
    assert {"DBAdminRole", "dev-deployer"} <= names


def test_a_listing_reads_every_page(aws: Aws, access: Access) -> None:
    """Holders and members stand on other pages than those who have them."""
    whole = {s.entity.arn: same(s) for s in listed(access)}
    aws.knobs.page_size = 3
    assert {s.entity.arn: same(s) for s in listed(access)} == whole


def test_an_account_that_cannot_be_entered_is_a_failure_by_name(access: Access) -> None:
    """For a listing and for a batch, with the role that was refused."""
    there = replace(access, account=story.DATA)
    listing = list_account(there)
    entity = Entity(story.DATA, Kind.ROLE, "any", f"arn:aws:iam::{story.DATA}:role/any", "AROA")
    result = run(Batch(there, (entity,)))
    for failure in (listing.failure, result.stopped):
        assert failure
        assert (failure.code, failure.call) == ("refused", "sts:AssumeRole")
        assert failure.role == f"arn:aws:iam::{story.DATA}:role/{story.READ_ROLE}"
    assert list(listing.snapshots()) == []


def test_what_grants_a_service_is_what_iam_says(access: Access, product: Product) -> None:
    """From the documents, as ListPoliciesGrantingServiceAccess answers for every service of every report."""
    session = product.session(story.PROD)
    batch = batch_of(access)
    result = run(batch)
    checked = 0
    for entity, outcome in zip(batch.entities, result.outcomes, strict=True):
        assert isinstance(outcome, Raw), (entity, outcome)
        if entity.kind is Kind.POLICY or not outcome.services:
            assert all(s.grants is None for s in outcome.services)
            continue
        told = product.grants(session, entity.arn, [s.namespace for s in outcome.services])
        assert {s.namespace: s.grants for s in outcome.services} == told, entity.arn
        checked += len(told)
    assert checked > 500
