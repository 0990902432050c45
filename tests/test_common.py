"""advisor.core.common: the policy of a group gives no member anything, and says what it does not grant."""

from __future__ import annotations

import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.common import MANAGED, SHOWN, Common, Missing, Proposal
from advisor.core.model import Policy, PolicyKind
from advisor.core.rewrite import size
from tests import brute
from tests.worlds import SmallCatalogue, allow, deny, document

SMALL = SmallCatalogue()
BUCKET = "arn:aws:s3:::one/*"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def held(*statements: dict[str, object], version: str = "2012-10-17") -> tuple[Policy, ...]:
    """One inline policy."""
    return (Policy("p", PolicyKind.INLINE, document(*statements).replace("2012-10-17", version)),)


def granted(found: Proposal) -> set[tuple[str, str]]:
    """(entry, the rest of the statement) of every statement of every document."""
    every = [s for d in found.documents for s in json.loads(d)["Statement"]]
    return {
        (a, json.dumps({k: v for k, v in s.items() if k not in {"Action", "Effect"}}, sort_keys=True))
        for s in every
        for a in s["Action"]
    }


WIDE, ONE = '{"Resource": "*"}', json.dumps({"Resource": BUCKET})

CASES = {
    "the same entry": ([allow("s3:Get*")], [allow("s3:Get*")], {("s3:Get*", WIDE)}),
    "letters differ in case": ([allow("S3:get*")], [allow("s3:Get*")], {("s3:Get*", WIDE)}),
    "one within the other": ([allow("s3:*")], [allow("s3:GetObject")], {("s3:GetObject", WIDE)}),
    "an administrator and somebody": ([allow("*")], [allow("s3:*")], {("s3:*", WIDE)}),
    "two administrators": ([allow("*")], [allow("*:*")], {("s3:*", WIDE)}),
    "patterns that cross": ([allow("s3:*Object")], [allow("s3:Get*")], {("s3:GetObject", WIDE)}),
    "nothing in common": ([allow("s3:GetObject")], [allow("s3:PutObject")], set()),
    "different buckets": (
        [allow("s3:*", Resource=BUCKET)],
        [allow("s3:*", Resource="arn:aws:s3:::two/*")],
        set(),
    ),
    "everywhere and one bucket": ([allow("s3:*")], [allow("s3:Get*", Resource=BUCKET)], {("s3:Get*", ONE)}),
    "a condition is kept": (
        [allow("s3:*")],
        [allow("s3:Get*", Condition=MFA)],
        {("s3:Get*", json.dumps({"Condition": MFA, "Resource": "*"}, sort_keys=True))},
    ),
    "everywhere is not said again for a bucket": (
        [allow("s3:Get*"), allow("s3:*", Resource=BUCKET)],
        [allow("s3:*")],
        {("s3:Get*", WIDE), ("s3:*", ONE)},
    ),
    "a Deny of one takes it from the group": (
        [allow("s3:*"), deny("s3:DeleteBucket", "s3:Put*", "s3:Create*")],
        [allow("s3:*")],
        {("s3:GetObject", WIDE), ("s3:ListBucket", WIDE)},
    ),
    "all is denied": ([allow("s3:*", "s3:Unheard"), deny("s3:*")], [allow("s3:*", "s3:Unheard")], set()),
    "NotAction is written out": (
        [{"Effect": "Allow", "NotAction": ["iam:*", "s3:Delete*"], "Resource": "*"}],
        [allow("s3:*Bucket")],
        {("s3:CreateBucket", WIDE), ("s3:ListBucket", WIDE)},
    ),
    "an action that no list knows": (
        [allow("s3:Unheard")],
        [allow("s3:Unheard", "s3:*")],
        {("s3:Unheard", WIDE)},
    ),
    "a question mark never stands for a star": (
        [allow("s3:Get?bject")],
        [allow("s3:Get*bject")],
        {("s3:Get?bject", WIDE)},
    ),
    "a pattern over several services": (
        [allow("s?:*Bucket")],
        [allow("s3:L*", "s3:C*")],
        {("s3:ListBucket", WIDE), ("s3:CreateBucket", WIDE)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_intersection(case: str) -> None:
    """Of two members, whichever comes first."""
    one, other, wanted = CASES[case]
    for first, second in ((one, other), (other, one)):
        found = Common(SMALL).propose(["s3"], {"anna": held(*first), "bela": held(*second)})
        assert {(a.lower(), c) for a, c in granted(found)} == {(a.lower(), c) for a, c in wanted}
        assert found.empty == (() if wanted else ("s3",))
        assert bool(found.documents) == bool(wanted)


def test_a_variable_of_an_old_document_is_letters() -> None:
    """`${aws:username}` is no variable before 2012-10-17: in a new document it would open another door."""
    mine = allow("s3:*", Resource="arn:aws:s3:::home/${aws:username}/*")
    old, new = held(mine, version="2008-10-17"), held(mine)
    assert Common(SMALL).propose(["s3"], {"a": new, "b": new}).documents
    assert not Common(SMALL).propose(["s3"], {"a": old, "b": old}).documents


def test_what_is_missing_is_said_for_whom() -> None:
    """Members of equal policies in one line, with how much it is."""
    found = Common(SMALL).propose(
        ["kms", "s3"],
        {
            "anna": held(allow("s3:Get*")),
            "bela": held(allow("s3:*", "kms:*")),
            "cem": held(allow("s3:*", "kms:*")),
        },
    )
    lost = ("kms:Decrypt", "s3:CreateBucket", "s3:DeleteBucket", "s3:ListBucket", "s3:PutObject")
    assert found.missing == (Missing(("bela", "cem"), 5, lost),)
    assert (found.actions, found.empty) == (1, ("kms",))


def test_an_administrator_misses_more_than_is_kept() -> None:
    """A number tells; the names are the first ones."""
    many = SmallCatalogue({"big": [f"Do{n:03}" for n in range(300)]})
    found = Common(many).propose(["big"], {"anna": held(allow("*")), "bela": held(allow("big:Do000"))})
    (missing,) = found.missing
    assert (missing.members, missing.count, len(missing.actions)) == (("anna",), 299, SHOWN)


@pytest.mark.parametrize(
    "policies", [None, (Policy("p", PolicyKind.INLINE, "no json"),), (Policy("p", PolicyKind.INLINE, "[]"),)]
)
def test_where_one_cannot_be_read_there_is_no_policy(policies: tuple[Policy, ...] | None) -> None:
    """What somebody has today is not known, so no policy could be called safe."""
    found = Common(SMALL).propose(["s3"], {"anna": held(allow("s3:*")), "bela": policies})
    assert found == Proposal(unread=("bela",))


def test_who_has_a_deny_keeps_it() -> None:
    """It is said whose: the group's policy has none."""
    found = Common(SMALL).propose(
        ["s3"], {"anna": held(allow("s3:*"), deny("s3:Put*", Condition=MFA)), "bela": held(allow("s3:*"))}
    )
    assert found.denied == ("anna",)
    assert granted(found) == {("s3:*", WIDE)}


def test_long_lists_become_several_documents() -> None:
    """Each within the length of a managed policy, none of them empty, everything in one of them."""
    many = SmallCatalogue(
        {s: [f"DoSomethingThatHasALongName{n:03}" for n in range(250)] for s in ("one", "two")}
    )
    names = [f"{s}:{a}" for s in ("one", "two") for a in many.actions(s)]
    found = Common(many).propose(["one", "two"], {"a": held(allow(*names)), "b": held(allow("*"))})
    assert len(found.documents) > 2
    assert all(size(d) <= MANAGED for d in found.documents)
    assert {a for a, _ in granted(found)} == set(names)


ENTRIES = [
    "*",
    "s3:*",
    "s3:Get*",
    "s3:*Object",
    "s3:?etObject",
    "S3:getobject",
    "s3:PutObject",
    "s*:*",
    "kms:*",
    "iam:*",
]
STATEMENT = st.builds(
    lambda effect, kind, entries, context: {"Effect": effect, kind: entries, **context},
    st.sampled_from(["Allow"] * 4 + ["Deny"]),
    st.sampled_from(["Action"] * 5 + ["NotAction"]),
    st.lists(st.sampled_from(ENTRIES), min_size=1, max_size=3),
    st.sampled_from(
        [{"Resource": "*"}, {"Resource": ["*"]}, {"Resource": BUCKET}, {"Resource": "*", "Condition": MFA}]
    ),
)
POLICY = st.lists(STATEMENT, max_size=4).map(lambda found: held(*found))
ACTIONS = [f"s3:{a}" for a in SMALL.actions("s3")]


def allowed(text: str, action: str, context: dict[str, object]) -> bool:
    """Whether a document allows an action in a context, by the shell's matcher: outright denials count, nothing else."""
    verdict = False
    for statement in brute.statements(text):
        rest = {k: v for k, v in statement.items() if k in {"Resource", "Condition"}}
        blanket = rest in ({"Resource": "*"}, {"Resource": ["*"]})
        inverted = "NotAction" in statement
        patterns = brute.entries(statement, "NotAction" if inverted else "Action")
        names = any(brute._pattern(p).match(action.lower()) for p in patterns) is not inverted
        if statement["Effect"] == "Deny":
            if names and blanket:
                return False
        elif names and (blanket or rest == context):
            verdict = True
    return verdict


@given(st.dictionaries(st.sampled_from("abc"), POLICY, min_size=2))
def test_nobody_gains_and_nothing_shared_is_left_out(members: dict[str, tuple[Policy, ...]]) -> None:
    """In every context: what the documents allow is what every member is allowed there today, no more and no less."""
    found = Common(SMALL).propose(["s3"], members)
    contexts: list[dict[str, object]] = [
        {"Resource": "*"},
        {"Resource": BUCKET},
        {"Resource": "*", "Condition": MFA},
    ]
    for action, context in product(ACTIONS, contexts):
        today = all(allowed(p[0].text, action, context) for p in members.values())
        assert any(allowed(d, action, context) for d in found.documents) == today, (action, context)
    for document_ in found.documents:
        for entry, _ in granted(Proposal((document_,))):
            assert entry.lower().startswith("s3:")
    again = Common(SMALL).propose(["s3"], dict(reversed(members.items())))
    assert again == found
