"""`python bot.py check`: tokens, scopes, AWS permissions in each account, database and log; a line each.

Opens the database read-only, takes no lock and migrates nothing, so it can run beside the bot.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from advisor.core.errors import AwsError, ConfigError, Refused, StoreError
from advisor.core.model import Account, Granularity
from advisor.edges import config as settings
from advisor.edges.aws import Aws, Session
from advisor.edges.config import Config
from advisor.edges.schedule import now
from advisor.edges.store import look, verify
from advisor.edges.store.numbers import LOOSE, loose_of

NEEDED = ("commands", "chat:write", "users:read", "channels:read")
OPTIONAL = {
    "files:write": "no CSV, JSON or pictures",
    "groups:read": "results in private channels go by direct message",
    "usergroups:read": "user groups in the settings count as empty",
    "channels:history": "a post whose answer was lost may appear twice in public channels",
    "groups:history": "the same in private channels",
    "im:history": "the same in direct messages",
    "im:write": "the same in direct messages",
    "users:read.email": "an owner tag that holds an e-mail address names nobody",
}

_PROOFS = {"missing", "busy"}
"""Errors that prove the permission: a made-up name was looked up, a credential report is still being made."""

Line = tuple[str, bool, str]
Probe = tuple[str, Callable[[], object]]

_TINY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:GetCallerIdentity","Resource":"*"}]}'
"""A document to ask Access Analyzer and the simulator about."""


def check(say: Callable[[str], None]) -> int:
    """Say a line for everything that is tested; 1 where one fails, 2 where the settings are wrong."""
    try:
        config = settings.load()
    except ConfigError as error:
        for fault in error.faults:
            say(f"FAIL  settings: {fault}")
        return 2
    say("ok    settings")
    bad = 0
    for part in (_slack, _database, _aws, _queue):
        for name, good, note in part(config):
            bad += not good
            say(f"{'ok  ' if good else 'FAIL'}  {name}{': ' + note if note else ''}")
    return 1 if bad else 0


def _word(error: Exception) -> str:
    if isinstance(error, SlackApiError):
        return str(error.response.get("error") if hasattr(error.response, "get") else "no answer")
    return type(error).__name__


def _slack(config: Config) -> Iterator[Line]:
    client = WebClient(
        token=config.slack_bot_token.get_secret_value(), base_url=config.slack_api_url, timeout=10
    )
    try:
        answer = client.auth_test()
    except Exception as error:  # every fault is a line
        yield "Slack bot token", False, _word(error)
        return
    yield "Slack bot token", True, f"workspace {answer.get('team')}, as {answer.get('user')}"
    headers = {str(k).lower(): v for k, v in dict(answer.headers).items()}
    scopes = {s.strip() for s in str(headers.get("x-oauth-scopes", "")).split(",")}
    for scope in NEEDED:
        yield (
            f"Slack scope {scope}",
            scope in scopes,
            "" if scope in scopes else "needed; reinstall with the manifest",
        )
    for scope, without in OPTIONAL.items():
        yield f"Slack scope {scope}", True, "" if scope in scopes else f"not granted (optional): {without}"
    if config.slack_app_token:
        try:
            client.apps_connections_open(app_token=config.slack_app_token.get_secret_value())
        except Exception as error:  # every fault is a line
            yield "Slack app token", False, _word(error)
        else:
            yield "Slack app token", True, "Socket Mode"


def _database(config: Config) -> Iterator[Line]:
    path = config.iam_audit_db
    if not path.exists():
        yield "database", Path(path).resolve().parent.is_dir(), f"{path} does not exist yet; the bot makes it"
        return
    try:
        look(path)
        conn = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
    except (StoreError, sqlite3.Error) as error:
        yield "database", False, str(error)
        return
    conn.row_factory = sqlite3.Row
    try:
        sound = conn.execute("PRAGMA quick_check(1)").fetchone()[0]
        yield "database", sound == "ok", str(path) if sound == "ok" else f"{path}: {sound}"
        count, last, broken = verify(conn.execute("SELECT * FROM log ORDER BY id").fetchall())
        note = f"{count} rows, last hash {last[:16] or '–'}"
        yield "log", broken is None, note if broken is None else f"row {broken} was changed"
        yield from _holds(conn)
    except sqlite3.Error as error:
        yield "database", False, str(error)
    finally:
        conn.close()


def _holds(conn: sqlite3.Connection) -> Iterator[Line]:
    """Holds that stand without their ticket, as each entity was read last."""
    try:
        found = loose_of(conn.execute(LOOSE).fetchall())
        count = conn.execute("SELECT count(*) FROM ticket WHERE state = 'held'").fetchone()[0]
    except sqlite3.OperationalError:  # a database that the bot has not migrated yet
        return
    if not found:
        yield "holds", True, f"{count} held, none without its ticket"
    for one in found:
        whose = f"{one.policy} on {one.kind} {one.entity} in {one.account}"
        yield (
            "holds",
            False,
            f"{whose}: no ticket holds it any more; look what misses it, then delete the policy by hand",
        )


def _aws(config: Config) -> Iterator[Line]:
    aws = Aws(
        boot="check",
        named=config.named_accounts,
        organization=config.iam_audit_accounts == "organization",
        read_role=config.iam_audit_read_role or "",
        write_role=config.iam_audit_write_role or "",
        clock=now,
    )
    try:
        me = aws.identity()
    except AwsError as error:
        yield "AWS identity", False, f"{error.call}: {error.message}"
        return
    yield "AWS identity", True, me.arn
    try:
        accounts = aws.accounts()
    except AwsError as error:
        yield "AWS accounts", False, f"{error.call}: {error.message}"
        return
    yield "AWS organisation", True, _organization(aws)
    for account in accounts:
        yield from _account(aws, account, config)
        if aws.writer.may_write:
            yield _write_role(aws, account)


def _queue(config: Config) -> Iterator[Line]:
    """Whether the queue of denied calls may be read; nothing is taken out of it."""
    url = config.iam_audit_denied_queue
    if not url:
        return
    aws = Aws(boot="check", named=(), organization=False, read_role="", clock=now)
    try:
        waiting = aws.denials.probe(url)
    except AwsError as error:
        yield "AWS queue of denied calls", False, f"{error.call}: {error.message[:200]}"
        return
    watching = "" if config.iam_audit_watch_days else "; IAM_AUDIT_WATCH_DAYS is 0, so nobody is watched"
    yield "AWS queue of denied calls", True, f"about {waiting:,} waiting{watching}"


def _organization(aws: Aws) -> str:
    """Whether `/iam-audit org` can be answered; nothing else needs an organisation, so that it cannot is no fault."""
    no = "/iam-audit org (optional) cannot be answered"
    try:
        found, own = aws.organizations.describe(), aws.identity().account
        if found is None:
            return f"{no}: account {own} is in no organisation"
        if found.management != own:
            return f"{no}: AWS tells it to the management account alone, {found.management}"
        root, limited = aws.organizations.root()
    except AwsError as error:
        return f"{no}: {error.call}: {error.message[:200]}"
    return f"{found.id}/{root}" if limited else f"{no}: service control policies are not turned on at {root}"


def _account(aws: Aws, account: Account, config: Config) -> Iterator[Line]:
    name = f"AWS {account.alias or account.id}"
    try:
        session = aws.session(account.id)
    except AwsError as error:
        yield f"{name}: {error.call}", False, f"{error.role or account.id}: {error.message[:200]}"
        return
    yield from _tried(name, _probes(aws, session))
    if config.iam_audit_replay_seconds:
        yield from _tried(name, _history(aws, session), "iam-read-policy.json", "IAM_AUDIT_REPLAY_SECONDS=0")
    if config.iam_audit_access_analyzer == "on":
        off = "IAM_AUDIT_ACCESS_ANALYZER=off"
        yield from _tried(name, _analyzer(aws, session), "iam-analyzer-policy.json", off)
        yield f"{name}: {_CHARGED}", True, "not tried, because AWS charges for each call"


def _tried(name: str, probes: list[Probe], policy: str = "", off: str = "") -> Iterator[Line]:
    """A line for each call; for a witness that may not be asked also what to do: allow it, or set `off`."""
    for call, probe in probes:
        try:
            probe()
        except AwsError as error:
            refused = error.code not in _PROOFS
            advice = f". Allow it as docs/{policy} does, or set {off}" if isinstance(error, Refused) else ""
            note = f"{error.message[:200]}{advice if off else ''}" if refused else ""
            yield f"{name}: {error.call}", not refused, note
        else:
            yield f"{name}: {call}", True, ""


def _history(aws: Aws, session: Session) -> list[Probe]:
    """What the second witness of tickets needs."""
    return [
        ("cloudtrail:LookupEvents", lambda: aws.trail.probe(session.account)),
        ("ec2:DescribeRegions", lambda: aws.trail.regions(session.account)),
    ]


_CHARGED = "access-analyzer:CheckNoNewAccess, CheckAccessNotGranted"


def _analyzer(aws: Aws, session: Session) -> list[Probe]:
    """What asking AWS about plans needs, as far as it is free."""
    ask, account = aws.analyzer, session.account
    nobody, actions = f"arn:aws:iam::{account}:role/iam-audit-check-of-permissions", ["sts:GetCallerIdentity"]
    return [
        ("access-analyzer:ValidatePolicy", lambda: ask.errors(ask.client(account), account, _TINY)),
        ("iam:SimulateCustomPolicy", lambda: ask.simulate_custom(session, [_TINY], actions)),
        ("iam:SimulatePrincipalPolicy", lambda: ask.simulate_principal(session, nobody, actions)),
    ]


def _write_role(aws: Aws, account: Account) -> Line:
    """Whether the write role opens. What it allows inside is not tried: that would be a write."""
    name = f"AWS {account.alias or account.id}: write role"
    try:
        aws.writer.try_entering(account.id)
    except AwsError as error:
        return name, False, f"{error.call}: {error.role or account.id}: {error.message[:200]}"
    return name, True, f"{aws.writer.role}, entered with a session that may do nothing"


def _probes(aws: Aws, session: Session) -> list[Probe]:
    """Each permission of the read policy, by a call that changes nothing."""
    iam, none = session.iam, "iam-audit-check-of-permissions"
    try:
        found = next(iter(aws.listing(session)), None)
    except AwsError:
        found = None
    arn = found.arn if found else f"arn:aws:iam::{session.account}:role/{none}"
    policy = f"arn:aws:iam::{session.account}:policy/{none}"

    def asked(method: str, call: str, **parameters: object) -> Probe:
        return call, lambda: aws.probe_call(session, getattr(iam, method), call, **parameters)

    return [
        ("iam:GenerateServiceLastAccessedDetails", lambda: aws.generate(session, arn, Granularity.SERVICE)),
        asked("get_service_last_accessed_details", "iam:GetServiceLastAccessedDetails", JobId="0" * 36),
        asked(
            "get_service_last_accessed_details_with_entities",
            "iam:GetServiceLastAccessedDetailsWithEntities",
            JobId="0" * 36,
            ServiceNamespace="s3",
        ),
        asked(
            "list_policies_granting_service_access",
            "iam:ListPoliciesGrantingServiceAccess",
            Arn=arn,
            ServiceNamespaces=["s3"],
        ),
        asked("get_account_authorization_details", "iam:GetAccountAuthorizationDetails", MaxItems=1),
        asked("generate_credential_report", "iam:GenerateCredentialReport"),
        asked("get_credential_report", "iam:GetCredentialReport"),
        ("iam:ListRoles, ListUsers, ListGroups, ListPolicies", lambda: list(aws.listing(session))),
        *(
            asked(f"get_{k}", f"iam:Get{k.title()}", **{f"{k.title()}Name": none})
            for k in ("role", "user", "group")
        ),
        *(
            asked(f"list_{k}_policies", f"iam:List{k.title()}Policies", **{f"{k.title()}Name": none})
            for k in ("role", "user", "group")
        ),
        *(
            asked(
                f"get_{k}_policy",
                f"iam:Get{k.title()}Policy",
                **{f"{k.title()}Name": none, "PolicyName": none},
            )
            for k in ("role", "user", "group")
        ),
        *(
            asked(
                f"list_attached_{k}_policies",
                f"iam:ListAttached{k.title()}Policies",
                **{f"{k.title()}Name": none},
            )
            for k in ("role", "user", "group")
        ),
        asked("list_groups_for_user", "iam:ListGroupsForUser", UserName=none),
        asked("get_policy", "iam:GetPolicy", PolicyArn=policy),
        asked("get_policy_version", "iam:GetPolicyVersion", PolicyArn=policy, VersionId="v1"),
        asked("list_policy_versions", "iam:ListPolicyVersions", PolicyArn=policy),
        asked("list_entities_for_policy", "iam:ListEntitiesForPolicy", PolicyArn=policy),
    ]
