"""How fast one account is asked, per operation, where AWS publishes no limit; and how audits that people wait for go first.

`Bucket` is pure: time is an argument. `Pacer` waits. `Board` is what the bot's process and those of the pool see of
each other: a few numbers in shared memory, without a lock.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import MutableSequence
from dataclasses import dataclass, field
from multiprocessing.context import BaseContext

START = 10.0
"""Calls a second that an operation of an unknown account begins with. The nearest limits that anybody measured are 15
to 40 a second (Steampipe's of its AWS plugin, per account)."""

LEAST = 0.5
"""Calls a second that are always tried: how it is noticed that a limit has eased."""

MOST = 1000.0
"""Calls a second at most: more than any process makes."""

FASTER, CREEP = 32.0, 0.25
"""What one good answer adds to the rate: before AWS ever limited it, and after (a quarter more a second)."""

OVERSHOT = 8
"""By what the rate is divided when the first limit is met: it grew so fast that it is far beyond it."""

BURST = 0.25
"""Seconds of the rate that may be saved up while nobody asks."""

HEAD_ROOM = 0.8
"""The share of a rate that is used where interactive audits cannot be seen (another machine)."""

QUIET = 1.0
"""Seconds without a call for a person after which a sweep goes on."""

PATIENT = 5.0
"""Seconds that a sweep stands back at most, and then goes on for as long: people never stop it."""


@dataclass(slots=True)
class Bucket:
    """A token bucket whose rate finds the limit: it grows with each answer, and halves when AWS says Throttling."""

    rate: float
    known: bool = False  # a limit was met, or the rate comes from an earlier batch: from now on it creeps
    share: float = 1.0  # what is used of it
    tokens: float = 1.0
    at: float = 0.0
    cut_at: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until a call may go; 0: now."""
        rate = self.rate * self.share
        self.tokens = min(max(1.0, rate * BURST), self.tokens + max(0.0, now - self.at) * rate)
        self.at = now
        return 0.0 if self.tokens >= 1 else (1 - self.tokens) / rate

    def begin_like(self, other: Bucket) -> None:
        """Before a first call: where another operation of the account got far without a limit, begin nearer to it."""
        if not self.at and not other.known:
            self.rate = max(self.rate, other.rate / 4)

    def take(self) -> None:
        """A call goes."""
        self.tokens -= 1

    def answered(self) -> None:
        """AWS took a call."""
        self.rate = min(MOST, self.rate + (CREEP if self.known else FASTER))

    def throttled(self, sent_at: float, now: float) -> None:
        """AWS refused a call for its rate. Calls that were under way when the rate was cut say nothing new."""
        if sent_at < self.cut_at:
            return
        self.rate = max(LEAST, self.rate / (2 if self.known else OVERSHOT))
        self.known = True
        self.tokens = min(self.tokens, 0.0)
        self.cut_at = now


@dataclass(slots=True)
class Courtesy:
    """Whether a sweep stands back for a person: while they ask and for a second after, five seconds at most in a row."""

    since: float | None = None

    def wait(self, asked_at: float, now: float) -> float:
        """Seconds to stand back; `asked_at` is when a call was last made for a person."""
        left = asked_at + QUIET - now
        if left <= 0:
            self.since = None
            return 0.0
        if self.since is None or now - self.since >= 2 * PATIENT:
            self.since = now
        held = now - self.since
        return min(left, PATIENT - held) if held < PATIENT else 0.0


_SLOTS = 1024


class Board:
    """When each account was last asked for a person, and last limited a person's call. Times are `time.monotonic`.

    Each is one double, written whole; two accounts in one slot slow each other's sweep a little, and nothing else.
    """

    def __init__(self, cells: MutableSequence[float]) -> None:
        self._cells = cells

    @classmethod
    def shared(cls, context: BaseContext) -> Board:
        """A board that is handed to processes when they start."""
        return cls(context.RawArray("d", 2 * _SLOTS))

    def asked(self, account: str) -> None:
        """A call is made that a person waits for."""
        self._cells[_slot(account)] = time.monotonic()

    def limited(self, account: str) -> None:
        """AWS limits the rate of the calls made for people: what else asks this account gives way."""
        self._cells[_slot(account) + 1] = time.monotonic()

    def asked_at(self, account: str) -> float:
        """When a call was last made for a person; 0 for never."""
        return self._cells[_slot(account)]

    def limited_at(self, account: str) -> float:
        """When such a call was last refused for its rate; 0 for never."""
        return self._cells[_slot(account) + 1]


def _slot(account: str) -> int:
    return zlib.crc32(account.encode()) % _SLOTS * 2


_posted: list[Board] = []
"""This process's board: shared memory can be handed over only when a process starts, never with a batch."""


def post(board: Board) -> None:
    """Let the batches of this process see a board."""
    _posted[:] = [board]


def posted() -> Board | None:
    """The board of this process, if it has one."""
    return _posted[0] if _posted else None


@dataclass(slots=True)
class Pacer:
    """Lets the calls of one operation in one account go, one after another in the order they came."""

    account: str
    bucket: Bucket
    board: Board | None
    refused: int = 0
    _courtesy: Courtesy = field(default_factory=Courtesy)
    _limited_at: float = field(default_factory=time.monotonic)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def turn(self) -> None:
        """Wait until a call may go."""
        async with self._turn:
            while (wait := self._wait(time.monotonic())) > 0:  # noqa: ASYNC110  # a time, no event
                await asyncio.sleep(min(wait, 0.05))  # the rate may have changed meanwhile
            self.bucket.take()

    def _wait(self, now: float) -> float:
        if self.board is None:
            return self.bucket.wait(now)
        limited_at = self.board.limited_at(self.account)
        if limited_at > self._limited_at:
            self._limited_at = limited_at
            self.bucket.throttled(now, now)
        return max(self.bucket.wait(now), self._courtesy.wait(self.board.asked_at(self.account), now))

    def answered(self) -> None:
        """A call was taken."""
        self.bucket.answered()

    def throttled(self, sent_at: float) -> None:
        """A call was refused for its rate; it is made again."""
        self.refused += 1
        self.bucket.throttled(sent_at, time.monotonic())


def pacer(account: str, rate: float) -> Pacer:
    """A pacer that begins with a rate known from before, or low (0)."""
    board = posted()
    bucket = Bucket(rate or START, known=rate > 0, share=HEAD_ROOM if board is None else 1.0)
    return Pacer(account, bucket, board)
