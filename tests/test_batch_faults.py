"""What a batch withstands, at the wire: every entity ends as read, as a failure by name, or is handed back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from advisor.core.model import Entity, Failure, Granularity, Kind
from advisor.edges.aws import Raw, pacer
from advisor.edges.aws.authorization import list_account
from advisor.edges.aws.batch import Batch, BatchResult, Outcome, run
from advisor.edges.aws.sessions import Access
from tests.sandbox import world as story
from tests.sandbox.aws import Aws, Fault

Seeded = tuple[Aws, story.World]
GENERATE, GET = "GenerateServiceLastAccessedDetails", "GetServiceLastAccessedDetails"
ROLES = (
    "DBAdminRole",
    "etl-nightly",
    "db-backup",
    "TestRole-DeleteLater",
    "lake-admin",
    "athena-query",
    "lake-reader-1",
    "lake-reader-2",
    "report-writer",
    "deploy-service-01",
    "deploy-service-02",
    "deploy-service-03",
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit here lasts a moment."""
    monkeypatch.setattr(pacer, "START", 200.0)
    monkeypatch.setattr(pacer, "LEAST", 30.0)


@pytest.fixture
def access(aws: Aws, seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> Access:
    for name, value in seeded[1].bot.items():
        monkeypatch.setenv(name, value)
    aws.knobs.job_polls = 0
    return Access(story.PROD, story.PROD, "aws", story.READ_ROLE, patience=5)


def role(name: str, account: str = story.PROD) -> Entity:
    return Entity(account, Kind.ROLE, name, f"arn:aws:iam::{account}:role/{name}", f"AROA{name}")


def of(access: Access, *names: str, **more: object) -> Batch:
    entities = tuple(role(n, access.account) for n in names or ROLES)
    quick = {"looks_after": 0.05, "looks_every": 0.02}  # the sandbox makes its reports at once
    return Batch(access, entities, **quick | more)  # type: ignore[arg-type]


def kinds(result: BatchResult) -> list[str]:
    """`read`, a failure's code, or `left` for each entity."""
    return [_kind(o) for o in result.outcomes]


def _kind(outcome: Outcome) -> str:
    return "left" if outcome is None else "read" if isinstance(outcome, Raw) else outcome.code


def test_two_calls_an_entity(aws: Aws, access: Access) -> None:
    """Each job is begun once and read once, with the largest pages; what it says is what the bot's own read says."""
    result = run(of(access))
    assert kinds(result) == ["read"] * len(ROLES)
    assert (aws.operations().count(GENERATE), aws.operations().count(GET)) == (len(ROLES), len(ROLES))
    assert {c.params["MaxItems"] for c in aws.calls if c.operation == GET} == {"1000"}
    assert (result.calls, result.throttles, result.stopped) == (2 * len(ROLES), 0, None)


@pytest.mark.parametrize("granularity", list(Granularity))
def test_small_pages_give_the_whole_report(aws: Aws, access: Access, granularity: Granularity) -> None:
    whole = run(of(access, granularity=granularity))
    aws.knobs.page_size = 3
    paged = run(of(access, granularity=granularity))
    for one, other in zip(whole.outcomes, paged.outcomes, strict=True):
        assert isinstance(one, Raw)
        assert isinstance(other, Raw)
        assert one.services == other.services
    assert paged.calls > whole.calls


@pytest.mark.parametrize(("knob", "code"), [("fail", "report_failed"), ("stick", "stuck")])
def test_jobs_that_fail_or_stick_are_failures_of_their_entities_alone(
    aws: Aws, access: Access, knob: str, code: str
) -> None:
    aws.knobs.job_result, aws.knobs.job_every = knob, 5
    result = run(of(access, job_seconds=0.3))
    assert sorted(set(kinds(result))) == ["read", code]
    failures = [o for o in result.outcomes if isinstance(o, Failure)]
    assert len(failures) == 3  # of twelve, every fifth
    assert {(f.call, f.account) for f in failures} == {(f"iam:{GET}", story.PROD)}


def test_nothing_is_lost_while_aws_limits_the_rate(aws: Aws, access: Access) -> None:
    """Each refused call is made again; the next batch begins at the rate that was found."""
    for operation in (GENERATE, GET):
        aws.fail(operation, error="Throttling", times=9)
    result = run(of(access))
    assert kinds(result) == ["read"] * len(ROLES)
    assert (result.throttles, result.calls) == (18, 18 + 2 * len(ROLES))
    assert result.rate < 100


def test_credentials_that_end_in_the_middle_hand_back_the_rest(
    aws: Aws, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read stays read, and another batch enters anew and reads what is left."""
    monkeypatch.setattr(pacer, "START", 8.0)  # one call after the other
    monkeypatch.setattr(pacer, "FASTER", 0.0)
    there = replace(access, account=story.DEV)
    found = [s.entity for s in list_account(there).snapshots()]
    first = Batch(there, tuple(found), looks_after=0.05, looks_every=0.02)
    gets = iter(range(100))

    def after_two(operation: str, phase: str) -> Fault | None:
        if operation == GET and phase == "before" and next(gets) == 2:
            aws.expire_sessions()
        return None

    aws.hook = after_two
    result = run(first)
    aws.hook = None
    assert result.stopped
    assert result.stopped.code == "expired"
    assert set(kinds(result)) == {"read", "left"}
    left = tuple(e for e, o in zip(first.entities, result.outcomes, strict=True) if o is None)
    assert kinds(run(replace(first, entities=left))) == ["read"] * len(left)


def test_an_entity_that_went_meanwhile_is_gone(aws: Aws, access: Access) -> None:
    """Its neighbours are read."""
    assert kinds(run(of(access, "DBAdminRole", "never-was", "etl-nightly"))) == ["read", "gone", "read"]


def test_a_job_that_the_session_cannot_read_is_begun_again(aws: Aws, access: Access) -> None:
    """The first reading finds none of the jobs."""
    _losing_jobs(aws, times=1)
    result = run(of(access))
    assert kinds(result) == ["read"] * len(ROLES)
    assert aws.operations().count(GENERATE) > len(ROLES)


def test_a_job_that_can_never_be_read_is_lost_after_four_starts(aws: Aws, access: Access) -> None:
    _losing_jobs(aws, times=99)
    result = run(of(access, "DBAdminRole"))
    assert kinds(result) == ["lost"]
    assert aws.operations().count(GENERATE) == 4


def test_an_entity_that_went_with_its_job_is_gone(aws: Aws, access: Access) -> None:
    """Told by beginning the report again."""
    iam = aws.client("iam", story.PROD)
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName="short-lived", AssumeRolePolicyDocument=trust)

    def delete() -> None:
        iam.delete_role(RoleName="short-lived")

    _losing_jobs(aws, times=1, then=delete)
    assert kinds(run(of(access, "short-lived"))) == ["gone"]


def _losing_jobs(aws: Aws, times: int, then: Callable[[], None] = lambda: None) -> None:
    """Before each first reading, so many times, every job there is is forgotten, as another session's would be."""
    seen: set[str] = set()
    done = iter(range(times))
    lock = threading.Lock()

    def hook(operation: str, phase: str) -> Fault | None:
        if operation == GET and phase == "before":
            with lock:
                fresh = set(aws.jobs) - seen
                if fresh and next(done, None) is not None:
                    aws.jobs.clear()
                    then()
                seen.update(aws.jobs)
        return None

    aws.hook = hook


@pytest.mark.parametrize(
    "fault", [{"drop": "before"}, {"drop": "after"}, {"truncate": True}, {"error": "ServiceFailure"}]
)
def test_a_call_without_an_answer_is_made_again(aws: Aws, access: Access, fault: dict[str, object]) -> None:
    for operation in (GENERATE, GET):
        aws.fail(operation, times=2, **fault)
    assert kinds(run(of(access))) == ["read"] * len(ROLES)


def test_an_endpoint_that_hangs_is_a_failure_for_each(aws: Aws, access: Access) -> None:
    """With the call that had no answer; the rest of a long batch is not even tried."""
    with aws.hanging(story.PROD):
        result = run(of(replace(access, patience=0.2), *(f"role-{n}" for n in range(200))))
    assert set(kinds(result)) == {"unreachable"}
    assert result.calls < 150
    assert result.stopped
    assert result.stopped.call == f"iam:{GENERATE}"


def test_an_endpoint_that_nobody_answers_at_is_a_failure_for_each(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = run(of(access))
    assert set(kinds(result)) == {"unreachable"}
    listing = list_account(replace(access, account=story.DEV))
    assert listing.failure
    assert listing.failure.code == "unreachable"


def test_keys_that_aws_does_not_know_are_a_refusal_for_each(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODYS")
    assert set(kinds(run(of(access)))) == {"refused"}


def test_no_credentials_at_all_stop_a_batch_before_it_begins(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    result = run(of(access))
    assert result.stopped
    assert (result.stopped.code, set(kinds(result))) == ("refused", {"left"})


def test_a_batch_that_has_no_time_left_hands_back_what_is_not_read(aws: Aws, access: Access) -> None:
    """Nothing is begun that could not be read in time."""
    aws.knobs.job_result, aws.knobs.job_every = "stick", 5
    result = run(of(access, ends_in=1.0))
    assert set(kinds(result)) == {"read", "left"}
    assert result.stopped is None
    aws.calls.clear()
    assert set(kinds(run(of(access, ends_in=0.0)))) == {"left"}
    assert aws.operations() == []


def test_a_person_who_asks_goes_first(aws: Aws, access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the board says that somebody waits, the batch makes no call; then it goes on."""
    monkeypatch.setattr(pacer, "_posted", [])
    monkeypatch.setattr(pacer, "QUIET", 0.5)
    board = pacer.Board([0.0] * 2048)
    pacer.post(board)
    board.asked(story.PROD)
    begun = datetime.now(UTC)
    result = run(of(access, "DBAdminRole"))
    assert kinds(result) == ["read"]
    assert (datetime.now(UTC) - begun).total_seconds() > 0.4  # it waited, at the least as long as that
