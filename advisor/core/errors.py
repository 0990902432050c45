"""What can go wrong, as a tree. An error carries data; those who draw write the prose.

AuditError
├── ConfigError            settings are wrong (every fault at once)
├── StoreError             the database cannot be used
│   ├── NewerDatabase      it was written by a newer release
│   └── Held               another process holds it
├── WorkerLost             the process that did a part of the work died: the part is to be done again
├── Unanswered             a question has no answer: why, as a failure
├── NotYet                 a question needs more time: when to look again
└── AwsError               a call to AWS gave no answer that can be used
    ├── Refused            not allowed: names the permission and who was refused
    ├── Missing            no such entity, or no such report job in this session
    ├── Invalid            AWS does not take the question
    ├── ReportFailed       the job ended as FAILED
    └── Transient          may work later
        ├── Throttled      AWS limits the rate
        ├── Expired        the credentials ended; a new session is needed
        ├── Busy           AWS is still at work on this very thing
        └── Unreachable    no answer, a broken answer, or a fault on AWS's side
"""

from __future__ import annotations

from datetime import timedelta

from advisor.core.model import Failure


class AuditError(Exception):
    """The root: everything that this program raises on purpose."""


class ConfigError(AuditError):
    """Settings are wrong; `faults` names each, never with its value."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class StoreError(AuditError):
    """The database file cannot be used as it is."""


class NewerDatabase(StoreError):
    """The database was written by a newer release and is left untouched."""


class Held(StoreError):
    """Another process holds the database."""


class WorkerLost(AuditError):
    """Another process, or a cluster, went away before it gave its answer."""


class Unanswered(AuditError):
    """A question has no answer, and asking again alone will not bring one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code)
        self.failure = failure


class NotYet(AuditError):
    """A question is to be looked at again after `pause`, knowing `notes`; at its deadline it failed by `late`."""

    def __init__(self, pause: timedelta, notes: dict[str, str], late: Failure) -> None:
        super().__init__(late.code)
        self.pause = pause
        self.notes = notes
        self.late = late


class AwsError(AuditError):
    """A call to AWS failed. `call` is the IAM permission's name, such as `iam:GetRole`."""

    code = "aws"

    def __init__(
        self, call: str, message: str = "", *, account: str = "", role: str = "", request_id: str = ""
    ) -> None:
        super().__init__(f"{call} in {account or 'the own account'}: {message}")
        self.call = call
        self.message = message
        self.account = account
        self.role = role
        self.request_id = request_id

    def failure(self, tries: int = 0) -> Failure:
        """This error as a value that a row can hold and a card can draw."""
        return Failure(
            code=self.code,
            call=self.call,
            role=self.role,
            account=self.account,
            message=self.message[:500],
            request_id=self.request_id,
            tries=tries,
        )


class Refused(AwsError):
    """AWS said AccessDenied; retrying alone cannot help."""

    code = "refused"


class Missing(AwsError):
    """AWS said NoSuchEntity, or that there is no credential report (any more)."""

    code = "missing"


class Invalid(AwsError):
    """AWS said InvalidInput or ValidationError."""

    code = "invalid"


class ReportFailed(AwsError):
    """The report job ended as FAILED."""

    code = "report_failed"


class Transient(AwsError):
    """May work later."""

    code = "transient"


class Throttled(Transient):
    """AWS limits the rate of calls in this account."""

    code = "throttled"


class Expired(Transient):
    """The session's credentials have ended."""

    code = "expired"


class Busy(Transient):
    """AWS said EntityTemporarilyUnmodifiable or ConcurrentModification (nothing was written), or ReportInProgress."""

    code = "busy"


class Unreachable(Transient):
    """No answer, half an answer, or a fault on AWS's side."""

    code = "unreachable"
