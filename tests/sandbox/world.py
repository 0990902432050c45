"""The seeded story: three accounts, the roles, users, groups and policies in them, and who used what when."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.sandbox import iam_rules
from tests.sandbox.aws import Aws

PROD, DEV, DATA = "111111111111", "222222222222", "333333333333"
ACCOUNTS = f"prod={PROD},dev={DEV},data={DATA}"
READ_ROLE = "iam-audit-read"

ALICE, BOB, CAROL, DAVE, ERIN = "U0ALICE0001", "U0BOB000001", "U0CAROL0001", "U0DAVE00001", "U0ERIN00001"
GUEST, GONE, OTHER = "U0GUEST0001", "U0GONE00001", "U0OTHER0001"
APPROVERS = "S0APPROVERS"
SECURITY, PLATFORM, RANDOM, PARTNERS, OLD, SECRET = (
    "C0SECURITY1",
    "C0PLATFORM1",
    "C0RANDOM001",
    "C0PARTNERS1",
    "C0OLD000001",
    "C0SECRET001",
)

READ_ACTIONS = [
    f"iam:{name}"
    for name in (
        "GenerateServiceLastAccessedDetails GetServiceLastAccessedDetails GetServiceLastAccessedDetailsWithEntities "
        "ListPoliciesGrantingServiceAccess GetRole GetUser GetGroup GetPolicy GetPolicyVersion GetRolePolicy GetUserPolicy "
        "GetGroupPolicy ListRoles ListUsers ListGroups ListPolicies ListRolePolicies ListUserPolicies ListGroupPolicies "
        "ListAttachedRolePolicies ListAttachedUserPolicies ListAttachedGroupPolicies ListGroupsForUser "
        "ListEntitiesForPolicy ListPolicyVersions GetAccountAuthorizationDetails GenerateCredentialReport "
        "GetCredentialReport"
    ).split()
] + ["cloudtrail:LookupEvents", "ec2:DescribeRegions"]
OWN_ACTIONS = [
    "iam:GenerateOrganizationsAccessReport",
    "iam:GetOrganizationsAccessReport",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    *(
        f"organizations:{name}"
        for name in (
            "DescribeAccount DescribeOrganization DescribeOrganizationalUnit DescribePolicy ListAccounts ListChildren "
            "ListParents ListPoliciesForTarget ListRoots ListTargetsForPolicy"
        ).split()
    ),
]
"""What the bot's own identity may besides reading and entering accounts."""
WRITE_ROLE = "iam-audit-write"
WRITE_ACTIONS = [
    *(
        f"iam:{verb}{noun}Policy"
        for verb in ("Put", "Delete", "Attach", "Detach")
        for noun in ("Role", "User", "Group")
    ),
    *(
        f"iam:{name}"
        for name in (
            "CreatePolicy TagPolicy DeletePolicy CreatePolicyVersion SetDefaultPolicyVersion DeletePolicyVersion"
        ).split()
    ),
]

_INLINE = "dynamodb s3 secretsmanager kms athena cassandra dax dms docdb-elastic elasticache memorydb neptune-db redshift timestream"


@dataclass(frozen=True, slots=True)
class World:
    """What the seeding made."""

    now: datetime
    bot: dict[str, str]  # the bot's AWS environment

    def arn(self, kind: str, name: str, account: str = PROD) -> str:
        return f"arn:aws:iam::{account}:{kind}/{name}"


def _allow(*actions: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
        }
    )


def _whole(services: str) -> str:
    return _allow(*(f"{s}:*" for s in services.split()))


class _Seed:
    """Makes things in one account."""

    def __init__(self, aws: Aws, account: str, now: datetime) -> None:
        self.aws, self.account, self.now = aws, account, now
        self.iam = aws.client("iam", account)
        self.backend = aws.backend(account)

    def role(
        self,
        name: str,
        *,
        days: int = 900,
        path: str = "/",
        tags: dict[str, str] | None = None,
        description: str = "",
        trust: str = "ec2.amazonaws.com",
        **inline: str,
    ) -> str:
        principal = {"AWS": trust} if trust.startswith("arn:") else {"Service": trust}
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
        }
        more: dict[str, Any] = {"Description": description} if description else {}
        if tags:
            more["Tags"] = [{"Key": k, "Value": v} for k, v in tags.items()]
        arn = self.iam.create_role(
            RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(document), **more
        )["Role"]["Arn"]
        thing = next(r for r in self.backend.roles.values() if r.name == name)
        thing.create_date = self.now - timedelta(days=days)
        for policy, text in inline.items():
            thing.policies[policy.replace("_", "-")] = text
        return str(arn)

    def user(self, name: str, *, days: int = 700, **inline: str) -> str:
        arn = self.iam.create_user(UserName=name)["User"]["Arn"]
        self.backend.users[name].create_date = self.now - timedelta(days=days)
        for policy, text in inline.items():
            self.iam.put_user_policy(UserName=name, PolicyName=policy.replace("_", "-"), PolicyDocument=text)
        return str(arn)

    def policy(
        self,
        name: str,
        text: str,
        roles: Iterable[str] = (),
        users: Iterable[str] = (),
        groups: Iterable[str] = (),
    ) -> str:
        arn = self.iam.create_policy(PolicyName=name, PolicyDocument=text)["Policy"]["Arn"]
        self.backend.managed_policies[arn].create_date = self.now - timedelta(days=650)
        for role in roles:
            self.iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        for user in users:
            self.iam.attach_user_policy(UserName=user, PolicyArn=arn)
        for group in groups:
            self.iam.attach_group_policy(GroupName=group, PolicyArn=arn)
        return str(arn)

    def used(self, arn: str, days: dict[str, float], via: str = "") -> None:
        for service, ago in days.items():
            self.aws.use(self.account, arn, service, self.now - timedelta(days=ago), via=via)


def seed(aws: Aws, now: datetime | None = None) -> World:
    """Fill an empty AWS with the story."""
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    prod, dev, data = (_Seed(aws, account, now) for account in (PROD, DEV, DATA))
    bot = aws.identity(
        PROD,
        "iam-audit-bot",
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": READ_ACTIONS, "Resource": "*"},
                {
                    "Effect": "Allow",
                    "Action": [*OWN_ACTIONS, "sts:AssumeRole"],
                    "Resource": "*",
                },
            ],
        },
    )
    for place, trust in ((dev, f"arn:aws:iam::{PROD}:root"), (data, f"arn:aws:iam::{DATA}:root")):
        place.role(READ_ROLE, trust=trust, read=_allow(*READ_ACTIONS))
    for place in (prod, dev):
        place.role(WRITE_ROLE, trust=f"arn:aws:iam::{PROD}:root", write=_allow(*WRITE_ACTIONS))
    _databases(prod)
    _people_of_prod(prod)
    _odd_ones(prod)
    _second_account(dev)
    aws.calls.clear()
    return World(now, bot)


def plain(aws: Aws, account: str, *, roles: int, shut: bool = False, seeded: bool = False) -> None:
    """One more account of so many ordinary roles; `shut` lets the bot not in, `seeded` has its read role already."""
    place = _Seed(aws, account, datetime.now(UTC).replace(microsecond=0))
    if not seeded:
        trust = f"arn:aws:iam::{account if shut else PROD}:root"
        place.role(READ_ROLE, trust=trust, read=_allow(*READ_ACTIONS))
    for n in range(roles):
        arn = place.role(f"service-{n:04}", own=_whole("s3 sqs logs"))
        if n % 3:
            place.used(arn, {"s3": n % 300})


def _databases(prod: _Seed) -> None:
    admin = prod.role(
        "DBAdminRole", tags={"owner": DAVE}, description="Runs the databases", db_admin_inline=_whole(_INLINE)
    )
    prod.iam.attach_role_policy(
        RoleName="DBAdminRole", PolicyArn="arn:aws:iam::aws:policy/AmazonRDSFullAccess"
    )
    for name in ("etl-nightly", "db-backup", "db-admin-legacy"):
        prod.role(name, days=500)
    prod.policy(
        "DBTools", _whole("lambda sqs end-user-messaging"), roles=("DBAdminRole", "etl-nightly", "db-backup")
    )
    prod.used(admin, {"dynamodb": 3, "s3": 21, "secretsmanager": 143})
    tracked = [a for a in iam_rules.actions("dynamodb") if iam_rules.tracked("dynamodb", a)]
    for action in tracked[:8]:
        prod.aws.use(PROD, admin, "dynamodb", prod.now - timedelta(days=3), action=action)
    for action in ("ListAllMyBuckets", "GetBucketLocation", "GetBucketPolicy"):
        prod.aws.use(PROD, admin, "s3", prod.now - timedelta(days=21), action=action)
    test = prod.role("TestRole-DeleteLater", days=600, test=_whole("s3 sns sqs"))
    prod.used(test, {"s3": 200})


def _people_of_prod(prod: _Seed) -> None:
    names = ("anna", "bjorn", "carla", "erin", "svc-glue", "intern-2024")
    arns = {name: prod.user(name) for name in names}
    prod.user("alice-cli", own=_whole("s3 ec2"))
    prod.iam.create_group(GroupName="data-engineers")
    prod.backend.groups["data-engineers"].create_date = prod.now - timedelta(days=800)
    services = "s3 glue athena logs kms redshift sagemaker batch codebuild cloudformation ecr elasticmapreduce kinesis lakeformation"
    prod.iam.put_group_policy(GroupName="data-engineers", PolicyName="data", PolicyDocument=_whole(services))
    for name in names:
        prod.iam.add_user_to_group(GroupName="data-engineers", UserName=name)
    prod.used(arns["anna"], {"s3": 1, "glue": 1, "athena": 4, "logs": 9, "kms": 2})
    prod.used(arns["svc-glue"], {"s3": 2, "glue": 2, "athena": 3})
    prod.used(arns["bjorn"], {"s3": 5, "glue": 22, "logs": 40, "redshift": 121})
    prod.used(arns["carla"], {"s3": 60, "glue": 66, "athena": 70, "sagemaker": 166})
    for name in ("lake-admin", "athena-query", "lake-reader-1", "lake-reader-2"):
        arn = prod.role(name, days=400)
        prod.used(arn, {"s3": 3, "glue": 8, "athena": 12})
    prod.policy(
        "DataLakeAccess",
        _whole("s3 glue athena kms logs sts lakeformation cloudtrail kinesis sns sqs"),
        roles=("lake-admin", "athena-query", "lake-reader-1", "lake-reader-2"),
        groups=("data-engineers",),
    )
    prod.policy("OldTools", _whole("sns sqs"))
    prod.policy("AmazonS3ReadOnlyAccess", _allow("s3:Get*"), roles=("etl-nightly",))


def _odd_ones(prod: _Seed) -> None:
    org = prod.role("OrgAdmin", tags={"owner": "platform"})
    prod.iam.attach_role_policy(RoleName="OrgAdmin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    used = "iam sts ec2 s3 cloudformation logs kms organizations lambda rds sns sqs ssm cloudtrail".split()
    rest = sorted(iam_rules.services() - iam_rules.UNTRACKED_SERVICES - set(used))
    prod.used(org, {service: n * 6 for n, service in enumerate(used)})
    prod.used(org, {service: 92 + n * 7 for n, service in enumerate(rest[::10][:38])})
    writer = prod.role(
        "report-writer", days=12, tags={"owner": BOB}, reports=_whole("athena glue kms logs sns s3")
    )
    prod.used(writer, {"s3": 1})
    ops = prod.role(
        "AWSReservedSSO_Ops_0a1b2c4d",
        path="/aws-reserved/sso.amazonaws.com/",
        ops=_whole("ec2 s3 logs ssm rds sns"),
    )
    prod.used(ops, {"ec2": 2, "s3": 2, "logs": 9})
    prod.role(
        "AWSServiceRoleForSupport",
        path="/aws-service-role/support.amazonaws.com/",
        trust="support.amazonaws.com",
        support=_whole("s3"),
    )
    prod.role(
        "_admin_=x,all@corp",
        path="/<!channel>/*ops*/",
        tags={"owner": "*bold* <!channel> :rotating_light:"},
        description="Approved by <@U0CAROL0001>, click <https://evil.example|AWS console> *now* <!here>",
        odd=_whole("sns sqs"),
    )
    prod.role("a-very-long-role-name-of-sixty-four-characters-as-iam-allows-it", days=300, long=_whole("s3"))
    for n in range(1, 6):
        prod.role(f"deploy-service-{n:02}", days=200 + n, deploy=_whole("ecs ecr logs"))
    prod.role(
        "not-action-role",
        odd=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*"], "Resource": "*"}
                ],
            }
        ),
    )
    prod.role("passes-roles-only", odd=_allow("iam:PassRole"))
    deny = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:*", "sqs:*"], "Resource": "*"},
            {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"},
        ],
    }
    prod.role("denied-sqs", odd=json.dumps(deny))


def _second_account(dev: _Seed) -> None:
    arn = dev.role("DBAdminRole", days=300, db_admin_inline=_whole("dynamodb s3 rds"))
    dev.used(arn, {"s3": 5})
    arn = dev.role("dev-deployer", days=300, deploy=_whole("ecs ecr"))
    dev.used(arn, {"ecs": 1})


def people(ws: Any) -> None:
    """The people and channels of the workspace."""
    for user, name in ((ALICE, "alice"), (BOB, "bob"), (CAROL, "carol"), (DAVE, "dave"), (ERIN, "erin")):
        ws.add_user(user, name)
    ws.add_user(GUEST, "gina-guest", restricted=True)
    ws.add_user(GONE, "greg-gone", deleted=True)
    ws.add_user(OTHER, "olga-other-company", team_id="T0OTHERCORP")
    ws.add_usergroup(APPROVERS, "approvers", [CAROL])
    full = [ALICE, BOB, CAROL, DAVE, ERIN]
    ws.add_channel(SECURITY, "security", members=[*full, GUEST])
    ws.add_channel(PLATFORM, "platform", members=full)
    ws.add_channel(RANDOM, "random", members=full, bot=False)
    ws.add_channel(PARTNERS, "partners", members=[*full, OTHER], shared=True)
    ws.add_channel(OLD, "old-project", members=full, archived=True)
    ws.add_channel(SECRET, "incident-42", members=[ALICE, CAROL], private=True, bot=False)
