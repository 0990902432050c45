"""advisor.core.rewrite: what documents become when something is to go."""

from __future__ import annotations

import json

import pytest

from advisor.core.evaluate import disagreements
from advisor.core.rewrite import Cut, Hindrance, Rewrite, rewrite, size
from tests.worlds import SmallCatalogue, allow, deny, document

SMALL = SmallCatalogue(
    {
        "s3": "GetBucket GetBucketAcl GetObject GetObjectAcl ListBucket PutObject PutObjectAcl DeleteObject".split(),
        "sqs": ("SendMessage", "ReceiveMessage"),
        "ec2": ("DescribeImages", "DescribeInstances", "RunInstances", "StopInstances"),
        "iam": ("PassRole", "GetRole", "CreateRole"),
        "lambda": ("Invoke",),
    }
)
"""Known to the last action, so that every expected list can be worked out by hand. `foo` and `bar` are unknown."""


def cut(words: str) -> Cut:
    """`s3 sqs:SendMessage +foo !`: a service, an action, a listed service, and consent to lengthen NotAction."""
    every = words.split()
    return Cut(
        frozenset(w for w in every if w[0] not in "+!" and ":" not in w),
        frozenset(w for w in every if ":" in w),
        "!" in every,
        frozenset(w[1:] for w in every if w[0] == "+"),
    )


def hindrances(found: Rewrite) -> str:
    return " ".join(f"{name}={why}" for name, why in found.hindered)


LISTS = """
# names
one name goes                  | s3:GetObject sqs:SendMessage     | s3:GetObject        | sqs:SendMessage
its casing is nobody's         | S3:getobject sqs:SendMessage     | s3:GetObject        | sqs:SendMessage
the cut's casing neither       | s3:GetObject sqs:SendMessage     | S3:GETOBJECT        | sqs:SendMessage
the only name                  | s3:GetObject                     | s3:GetObject        |
two of three                   | s3:PutObject s3:GetObject s3:X   | s3:GetObject s3:X   | s3:PutObject
a name twice                   | s3:GetObject sqs:* s3:getObject  | s3:GetObject        | sqs:*
a longer name stays            | s3:GetObject s3:GetObjectAcl     | s3:GetObject        | s3:GetObjectAcl
a shorter name stays           | s3:GetObject s3:GetObjectAcl     | s3:GetObjectAcl     | s3:GetObject
never a star for a name        | s3:GetObject s3:PutObject        | s3:PutObject        | s3:GetObject
names never become a star      | s3:GetBucket s3:GetBucketAcl s3:PutObject | s3:PutObject | s3:GetBucket s3:GetBucketAcl
nothing of it is there         | s3:GetObject                     | sqs:SendMessage     | s3:GetObject
another service of the name    | s3-outposts:GetObject            | s3:GetObject        | s3-outposts:GetObject
an empty cut                   | s3:* * iam:Get*                  |                     | s3:* * iam:Get*
order is kept                  | sqs:SendMessage s3:PutObject ec2:RunInstances | s3:PutObject | sqs:SendMessage ec2:RunInstances
casing of the rest is kept     | SQS:sendMESSAGE s3:PutObject     | s3:PutObject        | SQS:sendMESSAGE
an unknown name stays          | s3:Tomorrow s3:GetObject         | s3:GetObject        | s3:Tomorrow
an unknown name goes if named  | s3:Tomorrow s3:GetObject         | s3:Tomorrow         | s3:GetObject
an unknown service's name      | foo:Do foo:Other                 | foo:Do              | foo:Other
PassRole stays                 | iam:PassRole iam:GetRole         | iam:GetRole         | iam:PassRole
# whole services
a service by its star          | s3:* sqs:*                       | s3                  | sqs:*
a service in capitals          | S3:* sqs:*                       | s3                  | sqs:*
a service cut in capitals      | s3:* sqs:*                       | S3                  | sqs:*
a service by its names         | s3:GetObject sqs:* s3:PutObject  | s3                  | sqs:*
a service by a part            | s3:Get* sqs:*                    | s3                  | sqs:*
its unknown names too          | s3:Tomorrow sqs:*                | s3                  | sqs:*
its patterns of nothing too    | s3:Tomorrow* sqs:*               | s3                  | sqs:*
an unknown service             | foo:* sqs:*                      | foo                 | sqs:*
an unknown service's names     | foo:Do foo:D* sqs:*              | foo                 | sqs:*
two services                   | s3:* sqs:* ec2:*                 | s3 ec2              | sqs:*
all services                   | s3:* sqs:*                       | s3 sqs              |
a service and its action       | s3:* sqs:*                       | s3 s3:GetObject     | sqs:*
a service and another's action | s3:* sqs:*                       | s3 sqs:SendMessage  | sqs:ReceiveMessage
not one that begins alike      | s3:* s3-outposts:* s3tables:*    | s3                  | s3-outposts:* s3tables:*
a service that is not there    | s3:* sqs:*                       | ec2                 | s3:* sqs:*
# wildcards
a star loses one of two        | sqs:*                            | sqs:SendMessage     | sqs:ReceiveMessage
a star loses both              | sqs:*                            | sqs:SendMessage sqs:ReceiveMessage |
a star loses its only one      | lambda:* sqs:*                   | lambda:Invoke       | sqs:*
branches of the tree           | s3:*                             | s3:PutObject        | s3:DeleteObject s3:G* s3:ListBucket s3:PutObjectAcl
a branch is split              | s3:*                             | s3:GetObject        | s3:DeleteObject s3:GetB* s3:GetObjectAcl s3:ListBucket s3:P*
a branch is split lower        | s3:Get*                          | s3:GetObjectAcl     | s3:GetB* s3:GetObject
a prefix of another            | s3:Get*                          | s3:GetObject        | s3:GetB* s3:GetObjectAcl
a branch goes                  | s3:*                             | s3:GetObject s3:GetObjectAcl s3:GetBucket s3:GetBucketAcl | s3:DeleteObject s3:ListBucket s3:P*
no star for one                | s3:Put*                          | s3:PutObject        | s3:PutObjectAcl
a star untouched               | s3:Get* sqs:*                    | s3:PutObject        | s3:Get* sqs:*
stands where it stood          | sqs:* s3:Put* ec2:*              | s3:PutObject        | sqs:* s3:PutObjectAcl ec2:*
several where one stood        | sqs:* s3:Get* ec2:*              | s3:GetObject        | sqs:* s3:GetB* s3:GetObjectAcl ec2:*
the service's casing stays     | S3:Get*                          | s3:GetObject        | S3:GetB* S3:GetObjectAcl
letters in lower case          | s3:get*                          | s3:GetObject        | s3:GetB* s3:GetObjectAcl
all but one go                 | ec2:*                            | ec2:DescribeImages ec2:RunInstances ec2:StopInstances | ec2:DescribeInstances
an unknown name in a star      | s3:Put*                          | s3:PutTomorrow      | s3:PutO*
a name in a pattern of nothing | s3:Later* sqs:*                  | s3:LaterOne         | sqs:*
a pattern of nothing stays     | s3:Later* s3:PutObject           | s3:PutObject        | s3:Later*
two stars in a row             | sqs:**                           | sqs:SendMessage     | sqs:ReceiveMessage
two stars in a row, split      | s3:Get**                         | s3:GetObject        | s3:GetB* s3:GetObjectAcl
a colon in the name            | s3:a:b sqs:*                     | s3:GetObject        | s3:a:b sqs:*
# stars in the middle and in front
a star in front                | s3:*Object                       | s3:PutObject        | s3:DeleteObject s3:GetObject
a star in front, two stay      | s3:*Acl                          | s3:PutObjectAcl     | s3:G*Acl
the tail is kept               | s3:*Bucket*                      | s3:ListBucket       | s3:G*Bucket*
a star in the middle           | s3:G*Acl                         | s3:GetObjectAcl     | s3:GetBucketAcl
the tail keeps its casing      | s3:*ACL                          | s3:PutObjectAcl     | s3:G*ACL
three stars                    | ec2:*s*nstances*                 | ec2:StopInstances   | ec2:DescribeInstances
three stars untouched          | ec2:*s*nstances*                 | ec2:RunInstances    | ec2:*s*nstances*
a star in front, untouched     | s3:*Acl                          | s3:GetObject        | s3:*Acl
a star in front goes whole     | s3:*Acl sqs:*                    | s3:GetBucketAcl s3:GetObjectAcl s3:PutObjectAcl | sqs:*
# question marks
a mark for a letter            | s3:?etObject                     | s3:GetObject        |
a mark stays                   | s3:?etObject                     | s3:PutObject        | s3:?etObject
a mark over two                | s3:?utObject ec2:?????nstances ec2:St??Instances ec2:R?nInstances | ec2:RunInstances | s3:?utObject ec2:?????nstances ec2:St??Instances
a mark before a star           | s3:?et*                          | s3:GetObject        | s3:GetB* s3:GetObjectAcl
a mark and a tail              | s3:?*Acl                         | s3:PutObjectAcl     | s3:G*Acl
marks for different letters    | s3:????*                         | s3:GetObject s3:GetBucket s3:GetObjectAcl | s3:DeleteObject s3:GetBucketAcl s3:ListBucket s3:PutO*
marks before one that goes     | ec2:????????I*                   | ec2:DescribeImages  | ec2:DescribeInstances
a mark after a star            | s3:GetObject*?                   | s3:GetObjectAcl     |
a mark after a star stays      | s3:GetObject*?                   | s3:GetObject        | s3:GetObject*?
a mark after a star, narrowed  | s3:Get*?                         | s3:GetObject        | s3:GetB*? s3:GetObjectAcl
# letters that are none elsewhere
a bracket is a letter          | s3:[GP]etObject sqs:*            | s3:GetObject        | s3:[GP]etObject sqs:*
a dot is a letter              | s3:G.tObject sqs:*               | s3:GetObject        | s3:G.tObject sqs:*
a bracket goes with a service  | s3:[GP]etObject sqs:*            | s3                  | sqs:*
a plus is a letter             | s3:Get+ s3:GetObject             | s3:GetObject        | s3:Get+
no service at all              | s3 sqs:*                         | s3                  | s3 sqs:*
no action                      | s3: sqs:*                        | s3:GetObject        | s3: sqs:*
no action, and the service     | s3: sqs:*                        | s3                  | sqs:*
# more than one entry over the same
the name beside its star       | s3:* s3:PutObject                | s3:PutObject        | s3:DeleteObject s3:G* s3:ListBucket s3:PutObjectAcl
the part beside the whole      | s3:Get* s3:*                     | s3:PutObject        | s3:Get* s3:DeleteObject s3:ListBucket s3:PutObjectAcl
the whole beside the part      | s3:* s3:Get*                     | s3:PutObject        | s3:DeleteObject s3:ListBucket s3:PutObjectAcl s3:Get*
both are touched               | s3:Get* s3:*                     | s3:GetObject        | s3:GetB* s3:GetObjectAcl s3:DeleteObject s3:ListBucket s3:P*
both, the other way            | s3:* s3:Get*                     | s3:GetObject        | s3:DeleteObject s3:GetB* s3:GetObjectAcl s3:ListBucket s3:P*
the same star twice            | sqs:* SQS:*                      | sqs:SendMessage     | sqs:ReceiveMessage
held by a name already         | sqs:* sqs:ReceiveMessage         | sqs:SendMessage     | sqs:ReceiveMessage
held in other letters          | sqs:* SQS:receivemessage         | sqs:SendMessage     | SQS:receivemessage
an unknown name under a star   | s3:Put* s3:PutLater              | s3:PutObject        | s3:PutObjectAcl s3:PutLater
# everything
all but one service            | *                                | s3                  | ec2:* iam:* lambda:* sqs:*
with two stars                 | *:*                              | s3                  | ec2:* iam:* lambda:* sqs:*
two in a row                   | **                               | s3                  | ec2:* iam:* lambda:* sqs:*
all but one action             | *                                | sqs:SendMessage     | ec2:* iam:* lambda:* s3:* sqs:ReceiveMessage
a service and an action        | *                                | s3 ec2:RunInstances | ec2:D* ec2:StopInstances iam:* lambda:* sqs:*
a listed service stays         | *                                | s3 +foo             | ec2:* foo:* iam:* lambda:* sqs:*
a listed service goes          | *                                | s3 foo +foo         | ec2:* iam:* lambda:* sqs:*
listed in capitals             | *                                | s3 +FOO +SQS        | ec2:* foo:* iam:* lambda:* sqs:*
an unknown service goes        | *                                | foo                 | ec2:* iam:* lambda:* s3:* sqs:*
a last action                  | *                                | lambda:Invoke       | ec2:* iam:* s3:* sqs:*
beside a part                  | * s3:Get*                        | sqs                 | ec2:* iam:* lambda:* s3:* s3:Get*
beside what it becomes         | * s3:* sqs:*                     | sqs ec2             | iam:* lambda:* s3:*
beside it in capitals          | * S3:*                           | sqs                 | ec2:* iam:* lambda:* S3:*
beside a name of it            | sqs:SendMessage *                | sqs:ReceiveMessage s3 | sqs:SendMessage ec2:* iam:* lambda:*
both kinds                     | * *:*                            | s3                  | ec2:* iam:* lambda:* sqs:*
an unknown service written out | * foo:Do                         | s3                  | ec2:* foo:* iam:* lambda:* sqs:* foo:Do
nothing that is cut            | *                                |                     | *
all services cut               | *                                | s3 sqs ec2 iam lambda |
everything of a kind           | *:Get*                           | iam                 | s3:Get*
of a kind, an unknown service  | *:Get* foo:Do                    | s3                  | foo:Get* iam:Get* foo:Do
everything of a kind, actions  | *:Get*                           | s3:GetObject        | iam:Get* s3:GetB* s3:GetObjectAcl
"""

HINDERED = """
an unknown service's star      | foo:*                  | foo:Do      | foo:*      | foo:Do=unknown
part of an unknown service     | foo:D* s3:GetObject    | foo:Do s3   | foo:D*     | foo:Do=unknown
no part of an unknown service  | foo:E*                 | foo:Do      | foo:E*     |
a mark over an unknown         | foo:D?                 | foo:Do      | foo:D?     | foo:Do=unknown
its name goes, its star stays  | foo:Do foo:*           | foo:Do      | foo:*      | foo:Do=unknown
everything, an unknown action  | *                      | foo:Do      | *          | foo:Do=unknown
everything, unknown and known  | *                      | foo:Do s3   | ec2:* foo:* iam:* lambda:* sqs:* | foo:Do=unknown
everything, in two             | *:*                    | foo:Do      | *:*        | foo:Do=unknown
everything of a kind           | *:D*                   | foo:Do      | *:D*       | foo:Do=unknown
a star in the service          | s*:Get* sqs:*          | s3          | s*:Get* sqs:* | s3=unreadable
a mark in the service          | s?:GetObject sqs:*     | s3:GetObject | s?:GetObject sqs:* | s3:GetObject=unreadable
a mark over other names        | s?:PutObject           | s3:GetObject | s?:PutObject |
a star without a colon         | s3* sqs:*              | s3          | s3* sqs:*  | s3=unreadable
an unknown one under a star    | fo*:* sqs:*            | foo         | fo*:* sqs:* | foo=unreadable
a readable one beside it       | s*:Get* s3:*           | s3:GetObject | s*:Get* s3:DeleteObject s3:GetB* s3:GetObjectAcl s3:ListBucket s3:P* | s3:GetObject=unreadable
two unknown actions            | foo:*                  | foo:A foo:B | foo:*      | foo:A=unknown foo:B=unknown
"""

NOT_ACTIONS = """
a service is added             | iam:*              | s3 !                 | iam:* s3:*          |
an action is added             | iam:*              | s3:GetObject !       | iam:* s3:GetObject  |
its catalogue's casing         | iam:*              | S3:getobject !       | iam:* s3:GetObject  |
an unknown service             | iam:*              | foo !                | iam:* foo:*         |
an unknown action              | iam:*              | foo:Do !             | iam:* foo:Do        |
several, in order              | iam:*              | sqs s3 ec2:RunInstances ! | iam:* ec2:RunInstances s3:* sqs:* |
excluded already               | iam:* s3:*         | s3 !                 | iam:* s3:*          |
excluded in capitals           | IAM:*              | iam !                | IAM:*               |
excluded by everything         | *                  | s3 !                 | *                   |
excluded by both stars         | *:*                | s3 foo !             | *:*                 |
excluded by a part             | s3:Get*            | s3:GetObject !       | s3:Get*             |
excluded by every name         | sqs:SendMessage sqs:ReceiveMessage | sqs ! | sqs:SendMessage sqs:ReceiveMessage |
excluded in part               | sqs:SendMessage    | sqs !                | sqs:SendMessage sqs:* |
excluded in part, an action    | s3:Get*            | s3:PutObject !       | s3:Get* s3:PutObject |
of every service               | *:Get*             | s3:GetObject !       | *:Get*              |
nothing to do                  | iam:*              | !                    | iam:*               |
no consent, a service          | iam:*              | s3                   | iam:*               | s3=not_action
no consent, an action          | iam:*              | s3:GetObject         | iam:*               | s3:GetObject=not_action
no consent, an unknown one     | iam:*              | foo bar:Do           | iam:*               | bar:Do=not_action foo=not_action
no consent, none needed        | s3:* foo:*         | s3 s3:GetObject foo  | s3:* foo:*          |
no consent, needed in part     | s3:Get*            | s3                   | s3:Get*             | s3=not_action
no consent, one of two         | s3:Get*            | s3:GetObject s3:PutObject | s3:Get*        | s3:PutObject=not_action
"""


def rows(table: str) -> list[object]:
    lines = [line for line in table.strip().splitlines() if not line.startswith("#")]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [pytest.param(*[*row[1:], ""][:4], id=row[0]) for row in cells]


def held_to(found: Rewrite, wanted: Cut) -> None:
    """Whatever a row says, the second opinion and the third agree, and once more changes nothing."""
    names = [name for name, _ in found.hindered]
    assert (
        disagreements(found.before, found.after, wanted.services, wanted.actions, SMALL, hindered=names) == ()
    )
    if found.after is not None:
        again = rewrite(found.after, wanted, SMALL)
        assert (again.after, again.changes, again.hindered) == (found.after, (), found.hindered)


@pytest.mark.parametrize(("before", "words", "after", "hindered"), [*rows(LISTS), *rows(HINDERED)])
def test_a_list_of_actions(before: str, words: str, after: str, hindered: str) -> None:
    """The list before, the cut, the list after; a statement with nothing left goes."""
    text = document(allow(*before.split()))
    found = rewrite(text, cut(words), SMALL)
    assert found.after == (document(allow(*after.split())) if after else None)
    assert hindrances(found) == hindered
    held_to(found, cut(words))


@pytest.mark.parametrize(("before", "words", "after", "hindered"), rows(NOT_ACTIONS))
def test_a_list_of_not_actions(before: str, words: str, after: str, hindered: str) -> None:
    """It is lengthened where a person agreed, and never turned into a list of actions."""
    text, expected = (
        document({"Effect": "Allow", "NotAction": t.split(), "Resource": "*"}) for t in (before, after)
    )
    found = rewrite(text, cut(words), SMALL)
    assert found.after == expected
    assert hindrances(found) == hindered
    held_to(found, cut(words))


ARN = "arn:aws:s3:::one/*"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


@pytest.mark.parametrize(
    ("before", "words", "after"),
    [
        pytest.param([allow("s3:*"), allow("sqs:*")], "s3", [allow("sqs:*")], id="a statement goes"),
        pytest.param([allow("s3:*"), allow("s3:Get*")], "s3", None, id="all go"),
        pytest.param([deny("s3:*")], "s3", [deny("s3:*")], id="a Deny alone stays"),
        pytest.param([allow("s3:*"), deny("s3:*")], "s3", [deny("s3:*")], id="a Deny is left"),
        pytest.param(
            [deny("s3:Put*"), allow("s3:*"), deny("*")],
            "s3",
            [deny("s3:Put*"), deny("*")],
            id="Denies in order",
        ),
        pytest.param(
            [deny("*"), allow("*")],
            "s3 ec2 iam lambda",
            [deny("*"), allow("sqs:*")],
            id="everything beside its Deny",
        ),
        pytest.param(
            [{"Effect": "Deny", "NotAction": ["iam:*"], "Resource": "*"}, allow("s3:*", "sqs:*")],
            "s3 !",
            [{"Effect": "Deny", "NotAction": ["iam:*"], "Resource": "*"}, allow("sqs:*")],
            id="a Deny with NotAction",
        ),
        pytest.param(
            [allow("s3:*", "sqs:*", Condition=MFA)], "s3", [allow("sqs:*", Condition=MFA)], id="a condition"
        ),
        pytest.param(
            [allow("s3:*", "sqs:*", Resource=ARN)], "s3", [allow("sqs:*", Resource=ARN)], id="a resource"
        ),
        pytest.param(
            [allow("s3:*", "sqs:*", Resource=[ARN])], "s3", [allow("sqs:*", Resource=[ARN])], id="resources"
        ),
        pytest.param([allow("s3:*", "sqs:*", Sid="One")], "s3", [allow("sqs:*", Sid="One")], id="a Sid"),
        pytest.param([allow("s3:*", "sqs:*", Sid="")], "s3", [allow("sqs:*", Sid="")], id="an empty Sid"),
        pytest.param(
            [allow("s3:*", "sqs:*", Later=[1, None, 1.5, True])],
            "s3",
            [allow("sqs:*", Later=[1, None, 1.5, True])],
            id="an unknown element",
        ),
        pytest.param(
            [allow("s3:*", "sqs:*", Principal={"AWS": "*"})],
            "s3",
            [allow("sqs:*", Principal={"AWS": "*"})],
            id="a principal",
        ),
        pytest.param(
            [{"Sid": "X", "Effect": "Allow", "NotResource": ARN, "Action": ["s3:*", "sqs:*"]}],
            "s3",
            [{"Sid": "X", "Effect": "Allow", "NotResource": ARN, "Action": ["sqs:*"]}],
            id="NotResource and the order of elements",
        ),
        pytest.param(
            [allow("s3:Get*"), allow("s3:GetObject", Resource=ARN)],
            "s3:GetObject",
            [allow("s3:GetB*", "s3:GetObjectAcl")],
            id="twice, on two resources",
        ),
        pytest.param(
            [allow("s3:Put*"), allow("s3:PutLater", Resource=ARN)],
            "s3:PutObject",
            [allow("s3:PutLater", "s3:PutObjectAcl"), allow("s3:PutLater", Resource=ARN)],
            id="a name of another statement",
        ),
        pytest.param(
            [allow("s3:Put*"), deny("s3:PutLater")],
            "s3:PutObject",
            [allow("s3:PutLater", "s3:PutObjectAcl"), deny("s3:PutLater")],
            id="a name of a Deny",
        ),
        pytest.param(
            [allow("*"), deny("foo:Do")],
            "s3",
            [allow(*"ec2:* foo:* iam:* lambda:* sqs:*".split()), deny("foo:Do")],
            id="a service of a Deny",
        ),
        pytest.param(
            [{**allow(), "Action": "s3:*"}, allow("sqs:*")], "s3", [allow("sqs:*")], id="a string goes"
        ),
        pytest.param(
            [{**allow(), "Action": "sqs:*"}],
            "sqs:SendMessage",
            [{**allow(), "Action": "sqs:ReceiveMessage"}],
            id="a string stays one",
        ),
        pytest.param(
            [{**allow(), "Action": "s3:Put*"}],
            "s3:PutObjectAcl",
            [{**allow(), "Action": "s3:PutObject"}],
            id="a pattern becomes a name",
        ),
        pytest.param(
            [{**allow(), "Action": "s3:Get*"}],
            "s3:GetObject",
            [allow("s3:GetB*", "s3:GetObjectAcl")],
            id="a string becomes a list",
        ),
        pytest.param(
            [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
            "s3 !",
            [{"Effect": "Allow", "NotAction": ["iam:*", "s3:*"], "Resource": "*"}],
            id="a NotAction becomes a list",
        ),
        pytest.param(
            [allow("s3:*"), {"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}],
            "s3 !",
            [{"Effect": "Allow", "NotAction": ["iam:*", "s3:*"], "Resource": "*"}],
            id="both elements, in two statements",
        ),
        pytest.param([], "s3", [], id="no statement to begin with"),
    ],
)
def test_a_document(
    before: list[dict[str, object]],
    words: str,
    after: list[dict[str, object]] | None,
    request: pytest.FixtureRequest,
) -> None:
    """Statement by statement; what is beside the lists is written back as it was read."""
    found = rewrite(document(*before), cut(words), SMALL)
    assert found.after == (None if after is None else document(*after))
    assert found.hindered == ()
    held_to(found, cut(words))


ONE = '{"Effect":"Allow","Action":"s3:*","Resource":"*"}'
TWO = ONE.replace('"s3:*"', '["s3:*","sqs:*"]')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(f'{{"Statement":{ONE}}}', None, id="one statement, no list"),
        pytest.param(f'{{"Statement":[{ONE}]}}', None, id="one statement in a list"),
        pytest.param(
            f'{{"Statement":{TWO}}}',
            '{"Statement":{"Effect":"Allow","Action":["sqs:*"],"Resource":"*"}}',
            id="one statement stays without a list",
        ),
        pytest.param(
            "\ufeff" + json.dumps({"Statement": [allow("s3:*", "sqs:*")]}),
            '{"Statement": [{"Effect": "Allow", "Action": ["sqs:*"], "Resource": "*"}]}',
            id="a mark of byte order, and spaces after colons",
        ),
        pytest.param(
            f'{{"Version":"2008-10-17","Id":"x","Statement":[{TWO}],"Z":{{}}}}',
            '{"Version":"2008-10-17","Id":"x","Statement":[{"Effect":"Allow","Action":["sqs:*"],"Resource":"*"}],"Z":{}}',
            id="what is around the statements",
        ),
        pytest.param(
            json.dumps(json.loads(f'{{"Statement":[{TWO}]}}'), indent=3),
            json.dumps({"Statement": [allow("sqs:*")]}, indent=3),
            id="three spaces",
        ),
        pytest.param(
            json.dumps(json.loads(f'{{"Statement":[{TWO}]}}'), indent="\t"),
            json.dumps({"Statement": [allow("sqs:*")]}, indent="\t"),
            id="tabs",
        ),
        pytest.param(
            json.dumps(json.loads(f'{{"Statement":[{TWO}]}}'), indent=0),
            json.dumps({"Statement": [allow("sqs:*")]}, indent=0),
            id="lines without indentation",
        ),
        pytest.param(
            f'{{"Id":"caf\u00e9 \u2026 \U0001f600 \\u00e9 \\ud800 {{: , }}","Statement":[{TWO}]}}',
            '{"Id":"caf\u00e9 \\u2026 \\ud83d\\ude00 \u00e9 \\ud800 {: , }","Statement":'
            '[{"Effect":"Allow","Action":["sqs:*"],"Resource":"*"}]}',
            id="letters that IAM takes, and others",
        ),
        pytest.param(f' {{"Statement" :\r\n[{ONE}] }}\n', None, id="white space everywhere"),
    ],
)
def test_texts_in_every_shape(before: str, after: str | None) -> None:
    """The manner of the author, as far as there is one."""
    assert rewrite(before, cut("s3"), SMALL).after == after


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param('"s3:*"', id="a string"),
        pytest.param(f'{{"Statement":[{ONE},"x"]}}', id="a statement that is a string"),
        pytest.param(f'{{"Statement":[{ONE},null]}}', id="a statement that is null"),
        pytest.param('{"Statement":null}', id="statements that are null"),
        pytest.param(f'{{"Statement":[[{ONE}]]}}', id="a list in the list"),
        pytest.param('{"Statement":[{"Action":"s3:*","Resource":"*"}]}', id="no Effect"),
        pytest.param(f'{{"Statement":[{ONE.replace("Allow", "allow")}]}}', id="an Effect in lower case"),
        pytest.param(
            f'{{"Statement":[{ONE.replace(chr(34) + "Allow" + chr(34), "[]")}]}}',
            id="an Effect that is a list",
        ),
        pytest.param('{"Statement":[{"Effect":"Allow","Resource":"*"}]}', id="no list of actions"),
        pytest.param(f'{{"Statement":[{ONE[:-1]},"NotAction":"iam:*"}}]}}', id="both lists"),
        pytest.param('{"Statement":[{"Effect":"Allow","Action":[],"Resource":"*"}]}', id="an empty list"),
        pytest.param(
            '{"Statement":[{"Effect":"Allow","Action":["s3:*",1],"Resource":"*"}]}', id="a number in the list"
        ),
        pytest.param(
            '{"Statement":[{"Effect":"Allow","Action":{"a":"s3:*"},"Resource":"*"}]}',
            id="an object for a list",
        ),
        pytest.param(f'{{"Statement":[{ONE}],"Statement":[]}}', id="statements twice"),
        pytest.param(f'{{"Statement":[{ONE[:-1]},"Action":"sqs:*"}}]}}', id="actions twice"),
        pytest.param(
            f'{{"Statement":[{ONE[:-1]},"Condition":{{"Bool":{{"a":"1","a":"2"}}}}}}]}}',
            id="a condition twice",
        ),
        pytest.param(f'{{"Statement":[{ONE.replace("Action", "action")}]}}', id="an element in lower case"),
        pytest.param(
            f'{{"Statement":[{ONE.replace("Resource", "resource")}]}}', id="a resource in lower case"
        ),
        pytest.param(f'{{"statement":[{ONE}]}}', id="statements in lower case"),
        pytest.param(f'{{"Statement":[{ONE[:-1]},"X":NaN}}]}}', id="no number"),
        pytest.param(f'{{"Statement":[{ONE[:-1]},"X":1e999}}]}}', id="a number without end"),
        pytest.param("[" * 100_000, id="deeper than anybody reads"),
    ],
)
def test_what_cannot_be_read_in_one_way_stays(text: str) -> None:
    """All of the cut is hindered, as nobody can say what such a document grants."""
    found = rewrite(text, cut("s3 sqs:SendMessage !"), SMALL)
    assert (found.after, found.changes, found.gone) == (text, (), frozenset())
    assert found.hindered == (("s3", Hindrance.UNREADABLE), ("sqs:SendMessage", Hindrance.UNREADABLE))


def test_what_changes_is_told_by_statement() -> None:
    """Places are those of the original."""
    not_action = {"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}
    text = document(
        allow("s3:Get*", Sid="A"), deny("s3:*", Sid="B"), allow("s3:Put*"), allow("sqs:*"), not_action
    )
    found = rewrite(text, cut("s3:GetObject s3:PutObject s3:PutObjectAcl !"), SMALL)
    assert [(c.index, c.sid, c.effect, c.element, c.before, c.after) for c in found.changes] == [
        (0, "A", "Allow", "Action", ("s3:Get*",), ("s3:GetB*", "s3:GetObjectAcl")),
        (2, "", "Allow", "Action", ("s3:Put*",), ()),
        (
            4,
            "",
            "Allow",
            "NotAction",
            ("iam:*",),
            ("iam:*", "s3:GetObject", "s3:PutObject", "s3:PutObjectAcl"),
        ),
    ]
    assert found.untouched == ((1, "B", "Deny"), (3, "", "Allow"))
    assert found.before == text


@pytest.mark.parametrize(
    ("statements", "words", "gone"),
    [
        pytest.param([allow("s3:Put*")], "s3", "s3:PutObject s3:PutObjectAcl", id="what a pattern named"),
        pytest.param([allow("s3:putobject")], "s3", "s3:PutObject", id="in the catalogue's casing"),
        pytest.param([allow("sqs:*")], "sqs:SendMessage", "sqs:SendMessage", id="one of a pattern"),
        pytest.param(
            [allow("sqs:*"), allow("sqs:SendMessage", Resource=ARN)],
            "sqs:SendMessage",
            "sqs:SendMessage",
            id="of two",
        ),
        pytest.param(
            [allow("*")], "lambda sqs:SendMessage", "lambda:Invoke sqs:SendMessage", id="of everything"
        ),
        pytest.param([allow("foo:*")], "foo", "foo:*", id="an unknown service"),
        pytest.param([allow("foo:Do")], "foo", "foo:*", id="an unknown service by a name"),
        pytest.param([allow("*")], "foo", "foo:*", id="an unknown service of everything"),
        pytest.param([allow("foo:Do")], "foo:Do", "foo:Do", id="a name of an unknown service"),
        pytest.param([allow("foo:Do", "foo:*")], "foo:Do", "", id="not while a star keeps it"),
        pytest.param(
            [allow("s3:GetObject", "s*:Get*")], "s3:GetObject", "", id="not while an odd entry keeps it"
        ),
        pytest.param(
            [allow("lambda:*"), {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
            "lambda",
            "",
            id="not while NotAction keeps it",
        ),
        pytest.param(
            [allow("lambda:*"), {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
            "lambda !",
            "lambda:Invoke",
            id="by consent",
        ),
        pytest.param([deny("s3:*")], "s3", "", id="a Deny names nothing"),
        pytest.param([allow("s3:*")], "", "", id="nothing cut"),
        pytest.param(
            [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
            "foo !",
            "foo:*",
            id="an unknown service of NotAction",
        ),
    ],
)
def test_what_no_statement_names_any_more(statements: list[dict[str, object]], words: str, gone: str) -> None:
    """Counted over the whole document."""
    assert rewrite(document(*statements), cut(words), SMALL).gone == frozenset(gone.split())


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("{}", 2),
        (" { \n\t\r } ", 2),
        ('{"a b": "c  d"}', 14),
        ('{"a\\" b" : 1}', 11),
        ('\ufeff{"a": "\\\\"}', 10),
        (json.dumps({"a": [1, 2]}, indent=8), 11),
        ('{"caf\u00e9": "\u2026"}', 12),
    ],
)
def test_size_is_without_white_space(text: str, count: int) -> None:
    """White space in a string counts: it is no decoration."""
    assert size(text) == count


@pytest.mark.parametrize(
    ("services", "actions"),
    [
        (["s3:*"], []),
        (["*"], []),
        ([""], []),
        (["s?"], []),
        ([], ["s3"]),
        ([], ["s3:"]),
        ([], [":Get"]),
        ([], ["s3:Get*"]),
        ([], ["*"]),
    ],
)
def test_a_cut_names_single_things(services: list[str], actions: list[str]) -> None:
    """A pattern would take more away than its reader thinks."""
    with pytest.raises(ValueError, match="is not the name"):
        Cut(frozenset(services), frozenset(actions))
