"""Keys, passwords and MFA: the credential report at the wire, its words, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core import errors
from advisor.core.credentials import (
    ROOT,
    CredentialReport,
    Flaw,
    Held,
    Key,
    Login,
    Weakness,
    counted,
    untold,
    weaknesses,
)
from advisor.core.model import Account
from advisor.edges.aws import Aws as Product
from advisor.edges.aws import Session, credentials
from tests.accounts import Place, refused, statement
from tests.sandbox import credential_report
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.sandbox.world import World
from tests.worlds import ACCOUNT, NOW, ago

ARN = f"arn:aws:iam::{ACCOUNT}:user/eve"
HEAD = ",".join(credential_report.HEAD)
Reader = Callable[..., CredentialReport]
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def place(aws: Aws) -> Iterator[Place]:
    with Place(aws) as place:
        yield place


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.now = NOW
        self.waits: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(aws: Aws) -> Iterator[Clock]:
    made, before = Clock(), aws.clock
    aws.clock = made
    yield made
    aws.clock = before


def session(place: Place, *actions: str) -> Session:
    allowed = actions or ("iam:GenerateCredentialReport", "iam:GetCredentialReport")
    return Session("s", place.number, place.caller(statement(*allowed), name="reader"))


@pytest.fixture
def reader(place: Place, clock: Clock) -> Reader:
    """Reads as one user of the account, until a deadline."""
    made = session(place)

    def read(deadline: datetime = LATER) -> CredentialReport:
        return credentials.read(made, deadline=deadline, clock=clock, pause=clock.pause)

    return read


# -- at the wire -----------------------------------------------------------------------------------------------------


def test_the_report_is_asked_for_waited_for_and_read(
    aws: Aws, place: Place, clock: Clock, reader: Reader
) -> None:
    """Root first, then the users, with what each has."""
    arn = place.make("user", "eve", "/team/")
    place.iam.create_login_profile(UserName="eve", Password="Example-1")
    keys = [place.iam.create_access_key(UserName="eve")["AccessKey"]["AccessKeyId"] for _ in range(2)]
    place.iam.update_access_key(UserName="eve", AccessKeyId=keys[1], Status="Inactive")
    aws.knobs.credential_polls = 3
    report = reader()
    assert clock.waits == [1, 2, 4]
    assert report.generated_at == NOW
    root, bot, eve = report.logins
    assert (root.root, root.password, root.mfa, root.keys) == (True, None, True, ())
    assert (eve.user, eve.arn, eve.password, eve.mfa, eve.password_use_known) == (
        "eve",
        arn,
        True,
        False,
        True,
    )
    assert [(k.number, k.active, k.used_at, k.use_known) for k in eve.keys] == [
        (1, True, None, True),
        (2, False, None, True),
    ]
    assert (bot.user, bot.password, len(bot.keys)) == ("reader", False, 1)


def test_what_was_used_when_and_where(aws: Aws, place: Place, clock: Clock, reader: Reader) -> None:
    """A sign-in, and a key with its Region and service."""
    place.make("user", "eve")
    place.iam.create_login_profile(UserName="eve", Password="Example-1")
    place.iam.create_access_key(UserName="eve")
    user = aws.backend(place.number).get_user("eve")
    user.password_last_used = ago(days=3).replace(tzinfo=None)
    key = user.access_keys[0]
    key.last_used = type("Used", (), {"timestamp": ago(days=9), "region": "eu-west-1", "service": "s3"})()
    eve = reader().logins[2]
    assert eve.password_used_at == ago(days=3)
    assert (eve.keys[0].used_at, eve.keys[0].region, eve.keys[0].service) == (ago(days=9), "eu-west-1", "s3")
    assert eve.last_at == ago(days=3)


def test_one_report_in_four_hours(place: Place, clock: Clock, reader: Reader) -> None:
    """A user made meanwhile is not in it, and the report says of when it is."""
    assert len(reader().logins) == 2
    place.make("user", "late")
    clock.now += timedelta(hours=3, minutes=59)
    same = reader(clock.now)
    assert (len(same.logins), same.generated_at.hour) == (2, NOW.hour)
    clock.now += timedelta(minutes=2)
    assert len(reader(clock.now + timedelta(minutes=1)).logins) == 3


def test_waiting_ends_at_the_deadline(aws: Aws, place: Place, clock: Clock, reader: Reader) -> None:
    """Busy: AWS goes on making it, and a later read finds it."""
    aws.knobs.credential_polls = 5
    with pytest.raises(errors.Busy) as error:
        reader(NOW + timedelta(seconds=10))
    assert clock.waits == [1, 2, 4]
    assert (error.value.call, error.value.account) == (credentials.GENERATE, place.number)
    assert reader().logins
    assert credentials.PAUSES[-1] == 8


@pytest.mark.parametrize(
    ("operation", "fault", "raised"),
    [
        ("GenerateCredentialReport", {"error": "Throttling"}, errors.Throttled),
        ("GenerateCredentialReport", {"error": "ServiceFailure", "status": 500}, errors.Unreachable),
        ("GenerateCredentialReport", {"error": "ExpiredToken"}, errors.Expired),
        ("GenerateCredentialReport", {"error": "LimitExceeded", "status": 409}, errors.Invalid),
        ("GetCredentialReport", {"drop": "before"}, errors.Unreachable),
        ("GetCredentialReport", {"truncate": True}, errors.Unreachable),
        ("GetCredentialReport", {"error": "AccessDenied"}, errors.Refused),
    ],
)
def test_every_fault_is_one_of_ours(
    aws: Aws, place: Place, reader: Reader, operation: str, fault: dict[str, Any], raised: type[Exception]
) -> None:
    """And names the call."""
    aws.knobs.credential_polls = 0
    aws.fail(operation, **fault)
    with pytest.raises(raised) as error:
        reader()
    assert error.value.call == f"iam:{operation}"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "status"), [("ReportNotPresent", 410), ("ReportExpired", 410), ("ReportInProgress", 404)]
)
def test_a_report_that_went_in_between_is_waited_for(
    aws: Aws, clock: Clock, reader: Reader, code: str, status: int
) -> None:
    """COMPLETE, and then not there: asked again."""
    aws.fail("GetCredentialReport", error=code, status=status)
    assert reader().logins
    assert clock.waits[:2] == [1, 2]


def test_without_the_permission(place: Place, clock: Clock) -> None:
    """The failure names it, and who was refused."""
    with pytest.raises(errors.Refused) as error:
        credentials.read(session(place, "iam:GetUser"), deadline=LATER, clock=clock, pause=clock.pause)
    failure = error.value.failure()
    assert (failure.code, failure.call) == ("refused", "iam:GenerateCredentialReport")
    assert failure.role.endswith("user/reader")


def test_the_sandbox_has_the_errors_of_iam(aws: Aws, place: Place, clock: Clock) -> None:
    """Not there, then being made: with the status of the API reference."""
    assert refused(place.iam.get_credential_report) == (410, "ReportNotPresent")
    aws.knobs.credential_polls = 2
    assert place.iam.generate_credential_report()["State"] == "STARTED"
    assert refused(place.iam.get_credential_report) == (404, "ReportInProgress")
    assert place.iam.generate_credential_report()["State"] == "INPROGRESS"
    assert place.iam.generate_credential_report()["State"] == "COMPLETE"
    assert place.iam.get_credential_report()["ReportFormat"] == "text/csv"


# -- the text --------------------------------------------------------------------------------------------------------


def row(**cells: str) -> str:
    base = dict.fromkeys(credential_report.HEAD, "N/A")
    base |= {"user": "eve", "arn": ARN, "password_enabled": "false", "mfa_active": "false"}
    base |= {"access_key_1_active": "false", "access_key_2_active": "false"}
    return ",".join((base | cells).values())


def parsed(**cells: str) -> Login:
    (login,) = credentials.parse(f"{HEAD}\n{row(**cells)}", NOW).logins
    return login


DAY = "2026-11-21T09:12:00+00:00"
KEY = {"access_key_1_active": "true", "access_key_1_last_rotated": DAY}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, Login("eve", ARN, mfa=False)),
        ({"user_creation_time": DAY}, Login("eve", ARN, ago(days=3), mfa=False)),
        ({"user_creation_time": "2026-11-21T09:12:00Z"}, Login("eve", ARN, ago(days=3), mfa=False)),
        ({"user_creation_time": "2026-11-21T11:12:00+02:00"}, Login("eve", ARN, ago(days=3), mfa=False)),
        ({"mfa_active": "TRUE"}, Login("eve", ARN, mfa=True)),
        ({"mfa_active": "not_supported"}, Login("eve", ARN, mfa=None)),
        (
            {"password_enabled": "true", "password_last_used": "no_information"},
            Login("eve", ARN, password=True, mfa=False),
        ),
        (
            {"password_enabled": "true", "password_last_used": DAY, "password_last_changed": DAY},
            Login("eve", ARN, None, True, ago(days=3), True, ago(days=3), False),
        ),
        (
            {"password_enabled": "not_supported", "password_last_used": "not_supported"},
            Login("eve", ARN, password=None, password_use_known=False, mfa=False),
        ),
        (KEY, Login("eve", ARN, mfa=False, keys=(Key(1, True, ago(days=3)),))),
        (
            KEY | {"access_key_1_last_used_date": "soon", "access_key_1_last_used_service": "not_supported"},
            Login("eve", ARN, mfa=False, keys=(Key(1, True, ago(days=3), None, False),)),
        ),
        (
            {"access_key_2_active": "false", "access_key_2_last_rotated": DAY},
            Login("eve", ARN, mfa=False, keys=(Key(2, False, ago(days=3)),)),
        ),
    ],
)
def test_words_of_the_report(cells: dict[str, str], expected: Login) -> None:
    """Times, N/A, no_information, not_supported, and what nobody has seen yet."""
    assert parsed(**cells) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "user,arn",
        HEAD.replace("mfa_active", "mfa"),
        f"{HEAD}\n{row()[:40]}",
    ],
)
def test_half_a_report_is_no_report(text: str) -> None:
    """Never an empty one, in which nobody has a key."""
    with pytest.raises(ValueError, match=r"column|early"):
        credentials.parse(text, NOW)


def test_more_columns_and_odd_names_do_no_harm() -> None:
    """Columns are found by their names; names are quoted where they must be."""
    text = f"more,{HEAD},other\nx,{row(user='a=b@c.d,e').replace('a=b@c.d,e', chr(34) + 'a=b@c.d,e' + chr(34))},y\n"
    (login,) = credentials.parse("".join(text), NOW).logins
    assert (login.user, login.arn) == ("a=b@c.d,e", ARN)


# -- what follows ----------------------------------------------------------------------------------------------------


def said(login: Login, key_days: int = 90) -> list[tuple[Held, Flaw]]:
    return [(w.held, w.flaw) for w in weaknesses(CredentialReport(NOW, (login,)), 90, key_days)]


def with_key(active: bool = True, **more: Any) -> Login:
    return Login("eve", ARN, keys=(Key(1, active, **more),))


def with_password(**more: Any) -> Login:
    return Login("eve", ARN, ago(days=900), password=True, **{"mfa": True, **more})


def is_root(**more: Any) -> Login:
    return Login(ROOT, f"arn:aws:iam::{ACCOUNT}:root", ago(days=900), **{"password": None, **more})


CASES: list[tuple[str, Login, list[tuple[Held, Flaw]]]] = [
    ("nothing", Login("eve", ARN), []),
    ("young, no use", with_key(made_at=ago(days=90)), []),
    ("no use", with_key(made_at=ago(days=91)), [(Held.KEY, Flaw.NO_USE)]),
    ("no use, age not known", with_key(), []),
    ("AWS does not tell", with_key(made_at=ago(days=89), use_known=False), []),
    ("AWS does not tell, old", with_key(made_at=ago(days=91), use_known=False), [(Held.KEY, Flaw.OLD)]),
    ("used, new", with_key(made_at=ago(days=80), used_at=ago(days=1)), []),
    ("used, old", with_key(made_at=ago(days=91), used_at=ago(days=1)), [(Held.KEY, Flaw.OLD)]),
    ("used on the day", with_key(made_at=ago(days=91), used_at=ago(days=90)), [(Held.KEY, Flaw.OLD)]),
    ("used before", with_key(made_at=ago(days=99), used_at=ago(days=91)), [(Held.KEY, Flaw.BEFORE_WINDOW)]),
    ("switched off", with_key(active=False, made_at=ago(days=900)), []),
    ("no password", Login("eve", ARN, ago(days=900), mfa=False), []),
    ("signs in", with_password(password_used_at=ago(days=90)), []),
    ("signed in before", with_password(password_used_at=ago(days=91)), [(Held.PASSWORD, Flaw.BEFORE_WINDOW)]),
    ("no sign-in", with_password(), [(Held.PASSWORD, Flaw.NO_USE)]),
    ("no sign-in with a new one", with_password(password_changed_at=ago(days=5)), []),
    ("nobody tells", with_password(password_use_known=False), []),
    ("no second factor", with_password(mfa=False, password_used_at=NOW), [(Held.NO_MFA, Flaw.NO_MFA)]),
    ("factor not told", with_password(mfa=None, password_used_at=NOW), []),
    ("root", is_root(mfa=True), []),
    ("root without a factor", is_root(mfa=False), [(Held.NO_MFA, Flaw.NO_MFA)]),
    ("root without a password", is_root(mfa=False, password=False), []),
    ("root never signs in", is_root(mfa=True, password=True), []),
    ("root has a key", is_root(mfa=True, keys=(Key(1, True, NOW),)), [(Held.KEY, Flaw.ROOT_KEY)]),
    ("root's key is off", is_root(mfa=True, keys=(Key(1, False, NOW),)), []),
]


@pytest.mark.parametrize(("login", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_said_of_whom(login: Login, expected: list[tuple[Held, Flaw]]) -> None:
    """At 90 days, on both sides of the day."""
    assert said(login) == expected


def test_the_age_of_a_key_is_a_number_of_its_own() -> None:
    """The window says what is use, the key's days what is old."""
    login = with_key(made_at=ago(days=100), used_at=ago(days=1))
    assert said(login, 100) == []
    assert said(login, 99) == [(Held.KEY, Flaw.OLD)]


def test_a_finding_has_its_numbers() -> None:
    """Whose, which of two, last use, age, and the service."""
    keys = (Key(1, False), Key(2, True, ago(days=400), ago(days=200), service="s3"))
    (found,) = weaknesses(CredentialReport(NOW, (Login("eve", ARN, keys=keys),)), 90, 90)
    assert found == Weakness(Held.KEY, ARN, "eve", Flaw.BEFORE_WINDOW, 2, ago(days=200), 400, "s3")


def test_what_cannot_be_told_is_counted() -> None:
    """Keys and passwords in force; what is switched off is none."""
    keys = (Key(1, True, use_known=False), Key(2, False, use_known=False))
    login = Login("eve", ARN, password=True, password_use_known=False, keys=keys)
    assert untold(CredentialReport(NOW, (login, with_key(), is_root(password_use_known=False)))) == 2


times = st.none() | st.datetimes(
    datetime(2015, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2026, 11, 24),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(times, times, st.booleans(), st.booleans(), st.integers(1, 400))
def test_nothing_used_within_the_window_is_called_idle(
    made: datetime | None, used: datetime | None, active: bool, known: bool, days: int
) -> None:
    """Nor what is switched off, nor what AWS does not tell of."""
    login = Login("eve", ARN, keys=(Key(1, active, made, used, known or used is not None),))
    found = {w.flaw for w in weaknesses(CredentialReport(NOW, (login,)), days, days)}
    if Flaw.NO_USE in found:
        assert active and known and used is None and made is not None and NOW - made > timedelta(days=days)
    if Flaw.BEFORE_WINDOW in found:
        assert active and used is not None and NOW - used > timedelta(days=days)


def test_of_how_many() -> None:
    """Keys of users that are on; who can sign in, root too unless AWS says that it has no password."""
    two = Login("eve", ARN, password=True, keys=(Key(1, True), Key(2, False)))
    logins = (two, with_key(), is_root(keys=(Key(1, True),)), is_root(password=False))
    assert counted(CredentialReport(NOW, logins)) == (2, 2)


def test_the_product_reads_it(aws: Aws, seeded: tuple[Aws, World], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the read policy of the documents, in the bot's own account and in another one."""
    for name, value in seeded[1].bot.items():
        monkeypatch.setenv(name, value)
    clock = Clock()
    clock.now = datetime.now(UTC)
    named = (Account(story.PROD, "prod"), Account(story.DEV, "dev"))
    ours = Product(boot="t", named=named, organization=False, read_role=story.READ_ROLE, clock=clock)
    for account in named:
        report = ours.credential_report(
            ours.session(account.id), clock.now + timedelta(seconds=9), clock.pause
        )
        assert {login.user for login in report.logins} >= {ROOT}
        assert report.logins[0].arn == f"arn:aws:iam::{account.id}:root"
