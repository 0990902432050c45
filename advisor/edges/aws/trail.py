"""CloudTrail's event history: what an account's principals called in the last 90 days, as far as it is logged.

LookupEvents answers for one Region and one attribute, newest first, 50 events a page, and takes two calls a second per
account and Region (CloudTrail API Reference, LookupEvents). Regions are read side by side, each at that pace, within a
box of time; what was read when it ends is handed over with how far it reaches.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from advisor.core.errors import AwsError, Refused, Throttled, Unreachable
from advisor.core.replay import Gap, Look, pathless
from advisor.core.watch import By, denier
from advisor.edges.aws.errors import call
from advisor.edges.aws.sessions import Keys, Sessions

log = logging.getLogger(__name__)

PERMISSION = "cloudtrail:LookupEvents"

PACE = 0.5
"""Seconds from one call to the next, per account and Region: two calls a second (the same page)."""

PAGE = 50
"""Events a page at most (the same page)."""

HOME = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
"""Where the events of global services are (CloudTrail User Guide, "Global service events")."""

_HANDS = 16
"""Regions that are read at a time."""

_PIECE = 2_000
"""Events after which what was read so far is handed over, where the store can join the pieces."""

_TIRED = 2
"""Calls in a row without an answer, after which a Region is left alone until the next look."""

_DENIED = ("AccessDenied", "Unauthorized", "AuthorizationError", "NotAuthorized")
"""What the errorCode of a denied call holds: AccessDenied, AccessDeniedException, Client.UnauthorizedOperation, …"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A look and the stretch of time to be read for it, both ends included.

    `pieces`: it may be handed over in pieces, newest first, because each joins what is known already.
    """

    look: Look
    since: datetime
    until: datetime
    pieces: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """One call as CloudTrail has it. Of who made it only the principal and the session's name are kept."""

    id: str
    at: datetime
    principal: str  # an ARN without a path
    source: str
    name: str
    denied: bool
    session: str = ""
    by: By = By.UNSAID  # what denied it, and the ARN of the policy where AWS names it
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """A piece of what was read: every event from `since` to `until`, both ends included."""

    look: Look
    since: datetime
    until: datetime
    events: tuple[Event, ...]


class Trail:
    """Reads event history; one reading an account at a time, so that the next one finds what this one has kept."""

    def __init__(self, sessions: Sessions, pace: float = PACE) -> None:
        self._sessions = sessions
        self._pace = pace
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._next: dict[tuple[str, str], float] = {}

    @contextmanager
    def turn(self, account: str, seconds: float) -> Iterator[bool]:
        """Wait so long at most for whoever reads this account now; whether it is our turn."""
        with self._lock:
            lock = self._turns.setdefault(account, threading.Lock())
        mine = lock.acquire(timeout=seconds)
        try:
            yield mine
        finally:
            if mine:
                lock.release()

    def home(self) -> str:
        """The Region of global services. Raises AwsError where AWS does not say who the bot is."""
        return HOME.get(self._sessions.identity().partition, HOME["aws"])

    def regions(self, account: str) -> tuple[str, ...]:
        """The Regions that an account has enabled (EC2 API Reference, DescribeRegions)."""
        client = self._client("ec2", self._sessions.keys(account), "")
        answer = call(client.describe_regions, "ec2:DescribeRegions", account)
        return tuple(sorted(str(r["RegionName"]) for r in answer.get("Regions", [])))

    def probe(self, account: str) -> None:
        """The cheapest call that tells whether event history may be asked."""
        client = self._client("cloudtrail", self._sessions.keys(account), "")
        call(client.lookup_events, PERMISSION, account, MaxResults=1)

    def read(
        self, account: str, stretches: Sequence[Stretch], seconds: float, keep: Callable[[Read], None]
    ) -> tuple[Gap, ...]:
        """Read what is asked for within so many seconds; `keep` gets each answer, from several threads.

        Says what has no whole answer. Raises Refused where no Region may be asked, and none was before.
        """
        ends_at = time.monotonic() + seconds
        keys = self._sessions.keys(account)
        rooms: dict[str, list[Stretch]] = {}
        for stretch in stretches:
            rooms.setdefault(stretch.look.region, []).append(stretch)
        if not rooms:
            return ()
        readers = {r: _Region(self, account, r, tuple(s), ends_at, keep) for r, s in rooms.items()}
        hands = ThreadPoolExecutor(max_workers=min(len(rooms), _HANDS), thread_name_prefix=f"trail {account}")
        futures: list[Future[None]] = []
        for region, reader in readers.items():
            client = self._client("cloudtrail", keys, region)
            futures.append(hands.submit(reader.run, client))
        done, _ = wait(futures, timeout=max(0.0, ends_at - time.monotonic()))
        hands.shutdown(wait=False, cancel_futures=True)
        for reader in readers.values():
            reader.over()
        for future in done:
            if not future.cancelled():
                future.result()  # a fault of ours comes out here
        if all(r.refused and not r.heard for r in readers.values()):
            raise next(r.refused for r in readers.values() if r.refused)
        return tuple(g for r in sorted(readers) if (g := readers[r].gap()))

    def _client(self, service: str, keys: Keys, region: str) -> Any:
        return self._sessions.client(
            service,
            region=region,
            once=True,
            aws_access_key_id=keys.id,
            aws_secret_access_key=keys.secret,
            aws_session_token=keys.token or None,
        )

    def take_turn(self, account: str, region: str) -> float:
        """When the next call may go, by `time.monotonic`; it is taken."""
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next.get((account, region), 0.0))
            self._next[(account, region)] = at + self._pace
            return at


class _Region:
    """The reading of one Region."""

    def __init__(
        self,
        trail: Trail,
        account: str,
        region: str,
        stretches: tuple[Stretch, ...],
        ends_at: float,
        keep: Callable[[Read], None],
    ) -> None:
        self._trail = trail
        self._account = account
        self._region = region
        self._stretches = stretches
        self._ends_at = ends_at
        self._keep = keep
        self._handing = threading.Lock()
        self._whole = 0
        self._why = "time"
        self._over = False
        self.refused: Refused | None = None

    def run(self, client: Any) -> None:
        """Every stretch, one after another, until the time is over."""
        try:
            for stretch in self._stretches:
                if not self._one(client, stretch):
                    return
        except AwsError as error:
            self._why = error.code
            self.refused = error if isinstance(error, Refused) else None
            log.warning("trail.stopped account=%s region=%s why=%s", self._account, self._region, error.code)

    def over(self) -> None:
        """Nothing more is handed over: whoever asked goes on with what there is."""
        with self._handing:
            self._over = True

    @property
    def heard(self) -> bool:
        """Whether anything was answered before it was refused."""
        return self._whole > 0

    def gap(self) -> Gap | None:
        """What has no whole answer."""
        looks = len(self._stretches) - self._whole
        return Gap(self._region, looks, self._why) if looks else None

    def _one(self, client: Any, stretch: Stretch) -> bool:
        """One stretch; False where the time ended before it did."""
        events: list[Event] = []
        since = until = stretch.until
        token, more = "", True
        try:
            while more:
                page = self._page(client, stretch, token)
                if page is None:
                    break
                found = page.get("Events", [])
                events += [e for raw in found if (e := _event(raw)) is not None]
                since = min([since, *(_utc(raw["EventTime"]) for raw in found if raw.get("EventTime"))])
                token = str(page.get("NextToken") or "")
                more = bool(token)
                if more and stretch.pieces and len(events) >= _PIECE:
                    self._hand(Read(stretch.look, since, until, tuple(events)))
                    events, until = [], since
        finally:
            if since < until or not more:
                self._hand(Read(stretch.look, since if more else stretch.since, until, tuple(events)))
        self._whole += not more
        return not more

    def _hand(self, read: Read) -> None:
        with self._handing:
            if not self._over:
                self._keep(read)

    def _page(self, client: Any, stretch: Stretch, token: str) -> Mapping[str, Any] | None:
        """One page, however often AWS limits the rate; None where the time is over."""
        pause, silent = self._trail._pace or 0.01, 0  # noqa: SLF001  # of one piece with it
        more = {"NextToken": token} if token else {}
        while True:
            at = self._trail.take_turn(self._account, self._region)
            if at >= self._ends_at or self._over:
                return None
            time.sleep(max(0.0, at - time.monotonic()))
            try:
                return call(
                    client.lookup_events,
                    PERMISSION,
                    self._account,
                    LookupAttributes=[
                        {"AttributeKey": stretch.look.key, "AttributeValue": stretch.look.value}
                    ],
                    StartTime=stretch.since,
                    EndTime=stretch.until,
                    MaxResults=PAGE,
                    **more,
                )
            except Throttled:  # somebody else asks this account, too
                time.sleep(min(pause, max(0.0, self._ends_at - time.monotonic())))
                pause *= 2
            except Unreachable:
                silent += 1
                if silent >= _TIRED:
                    raise


def _event(raw: Mapping[str, Any]) -> Event | None:
    """One event; None where nobody of this account's IAM made it, or it cannot be read."""
    try:
        record = json.loads(str(raw.get("CloudTrailEvent") or "{}"))
    except (ValueError, RecursionError):
        return None
    at = raw.get("EventTime")
    if not isinstance(record, dict) or not isinstance(at, datetime):
        return None
    return event_of(record, str(raw.get("EventId") or ""), _utc(at))


def event_of(record: Mapping[str, Any], event_id: str, at: datetime) -> Event | None:
    """What is kept of CloudTrail's record of one call; None where nobody of IAM made it.

    Source: CloudTrail User Guide, "CloudTrail record contents" and "userIdentity element".
    """
    said = record.get("userIdentity")
    identity: Mapping[str, Any] = said if isinstance(said, dict) else {}
    arn = _principal(identity)
    name, source = str(record.get("eventName") or ""), str(record.get("eventSource") or "")
    if not arn or not name or not source:
        return None
    code = str(record.get("errorCode") or "")
    denied = any(word in code for word in _DENIED)
    by, policy = denier(str(record.get("errorMessage") or "")) if denied else (By.UNSAID, "")
    return Event(
        id=event_id or str(record.get("eventID") or ""),
        at=at,
        principal=pathless(arn),
        source=source[:128],
        name=name[:128],
        denied=denied,
        session=_session(identity),
        by=by,
        policy=policy,
    )


def _principal(identity: Mapping[str, Any]) -> str:
    """Whose policies were asked: a session's issuer (role, or user of a federated one), a user, or nobody."""
    context = identity.get("sessionContext")
    issuer = context.get("sessionIssuer") if isinstance(context, dict) else None
    arn = str((issuer or {}).get("arn") or "") if isinstance(issuer, dict) else ""
    arn = arn or str(identity.get("arn") or "")
    return arn if any(word in arn for word in (":role/", ":user/", ":assumed-role/")) else ""


def _session(identity: Mapping[str, Any]) -> str:
    """The name of the session, from the ARN of an assumed role; 64 characters at most (STS, AssumeRole)."""
    _, found, rest = str(identity.get("arn") or "").partition(":assumed-role/")
    return rest.partition("/")[2][:64] if found else ""


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
