"""advisor.core.rewrite over made-up documents: exactly the cut goes, by three evaluators, and nothing invented stands."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from advisor.core.evaluate import disagreements
from advisor.core.policy import matches
from advisor.core.rewrite import Cut, Hindrance, Rewrite, rewrite
from advisor.edges.catalogue import IamCatalogue
from tests import brute
from tests.worlds import SmallCatalogue, allow, document

SERVICES = ("sqs", "dynamodb", "s3", "ec2", "sts", "rds-db", "lambda", "iam")
"""They are granted and cut by name; one has a single action."""
KNOWN = (*SERVICES, "cloudwatch", "connect", "ecs", "glue", "kms", "logs", "rds", "sns", "ssm")
"""What a star means here: some 2,700 actions. The whole catalogue is for the benchmark."""
ARN = "arn:aws:s3:::one/*"
CONDITION = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


@lru_cache(maxsize=1)
def catalogue() -> SmallCatalogue:
    whole = IamCatalogue()
    return SmallCatalogue({s: tuple(whole.actions(s)) for s in KNOWN})


@lru_cache(maxsize=8)
def names(service: str) -> tuple[str, ...]:
    return tuple(sorted(catalogue().actions(service)))


def entries(pool: list[str]) -> st.SearchStrategy[str]:
    @st.composite
    def entry(draw: st.DrawFn) -> str:
        """A name or a pattern over it, in odd casing now and then."""
        service = draw(st.sampled_from(pool))
        name = draw(st.sampled_from(names(service)))
        at = draw(st.integers(0, len(name) - 1))
        end = draw(st.integers(at, len(name)))
        first, middle, last = name[:at], name[at:end], name[end:]
        shapes = [name, f"{first}*", f"*{name[at:]}", f"{first}*{last}", "*", "?" * at + name[at:]]
        shapes += [
            f"{first}?{name[at + 1 :]}",
            "?" * at + "*" + last,
            f"*{middle}*",
            f"{name}Later",
            "Get*",
            "?" * at + "*",
        ]
        text = f"{service}:{draw(st.sampled_from(shapes))}"
        odd = [text.upper(), text.lower(), "*", "*:*", f"foo:{name}", "foo:*", f"{service[0]}*:Get*"]
        return draw(st.sampled_from([text] * 8 + odd))

    return entry()


@st.composite
def statement(draw: st.DrawFn, pool: list[str]) -> dict[str, object]:
    element = draw(st.sampled_from(["Action"] * 4 + ["NotAction"]))
    found = draw(st.lists(entries(pool), min_size=1, max_size=5))
    value: object = found[0] if draw(st.booleans()) and len(found) == 1 else found
    more = draw(st.sampled_from([{}, {"Condition": CONDITION}, {"Sid": "A"}]))
    effect = draw(st.sampled_from(["Allow"] * 4 + ["Deny"]))
    return {"Effect": effect, element: value, "Resource": draw(st.sampled_from(["*", ARN])), **more}


@st.composite
def cuts(draw: st.DrawFn, pool: list[str]) -> Cut:
    """Some services whole, and of others some actions, up to all but a few."""
    whole = draw(st.sets(st.sampled_from([*pool, "foo"]), max_size=1))
    some = draw(st.sets(st.sampled_from(pool), max_size=3))
    odd = ["foo:Do", "foo:GetItem", "S3:getobject", "sqs:Gone"]
    actions: set[str] = set(draw(st.sets(st.sampled_from(odd), max_size=1)))
    for service in sorted(some):
        share, keep = draw(st.sampled_from([2, 3, 10, 50])), draw(st.booleans())
        actions |= {f"{service}:{n}" for i, n in enumerate(names(service)) if (i % share == 0) is not keep}
    listed = draw(st.sets(st.sampled_from(["bar", "foo"])))
    return Cut(frozenset(whole), frozenset(actions), draw(st.booleans()), frozenset(listed))


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[dict[str, object]], Cut]:
    """Statements and a cut over the same few services, so that they meet."""
    pool = draw(st.lists(st.sampled_from(SERVICES), min_size=1, max_size=3, unique=True))
    return draw(st.lists(statement(pool), min_size=1, max_size=4)), draw(cuts(pool))


def beside(text: str | None) -> list[str]:
    """The statements without their lists, those of Deny with them."""
    found = brute.statements(text)
    return [json.dumps(s) if s["Effect"] == "Deny" else rest(s) for s in found]


def rest(statement: dict[str, object]) -> str:
    return json.dumps({k: v for k, v in statement.items() if k not in {"Action", "NotAction"}})


def second(done: Rewrite, wanted: Cut) -> tuple[str, ...]:
    hindered = [name for name, _ in done.hindered]
    return disagreements(
        done.before, done.after, wanted.services, wanted.actions, catalogue(), hindered=hindered
    )


@settings(max_examples=250)
@given(cases())
def test_exactly_the_cut_goes(case: tuple[list[dict[str, object]], Cut]) -> None:
    """Nothing else is lost, nothing is added, all of the cut is gone or hindered; once more changes nothing."""
    found, wanted = case
    text = document(*found)
    done = rewrite(text, wanted, catalogue())
    hindered = [name for name, _ in done.hindered]
    assert brute.faults(text, done.after, wanted.services, wanted.actions, hindered, KNOWN) == []
    assert second(done, wanted) == ()
    lost = {c.index for c in done.changes if not c.after}
    kept = [s for i, s in enumerate(found) if i not in lost]
    assert beside(done.after) == (beside(document(*kept)) if kept else [])
    assert {c.index for c in done.changes} | {i for i, _, _ in done.untouched} == set(range(len(found)))
    for index, _, _ in done.untouched:
        assert found[index] in brute.statements(done.after)
    if done.after is not None:
        again = rewrite(done.after, wanted, catalogue())
        assert (again.after, again.hindered, again.gone) == (done.after, done.hindered, frozenset())


@settings(max_examples=150)
@given(cases())
def test_what_is_reported_is_what_happened(case: tuple[list[dict[str, object]], Cut]) -> None:
    """`gone` is what was named and is no more; each hindrance has a ground that stands in the document."""
    found, wanted = case
    assume(
        "*:Get*" not in json.dumps([s.get("NotAction") for s in found])
    )  # it excludes what IAM refuses to read
    done = rewrite(document(*found), wanted, catalogue())
    extra = brute.written_out(done.before) | wanted.actions
    old, new = (set().union(*brute.allowed(t, extra, KNOWN).values()) for t in (done.before, done.after))
    known = {a for a in old - new if catalogue().actions(a.partition(":")[0])}
    assert {g.lower() for g in done.gone if catalogue().actions(g.partition(":")[0])} == known
    allows = [s for s in found if s["Effect"] == "Allow"]
    for name, why in done.hindered:
        assert name in wanted.services or name.lower() in {a.lower() for a in wanted.actions}
        if why is Hindrance.NOT_ACTION:
            assert not wanted.not_action and any("NotAction" in s for s in allows)
        if why is Hindrance.UNKNOWN:
            assert not catalogue().actions(name.partition(":")[0])


@settings(max_examples=100)
@given(cases(), cases())
def test_the_second_opinion_sees_what_the_third_sees(
    one: tuple[list[dict[str, object]], Cut], other: tuple[list[dict[str, object]], Cut]
) -> None:
    """A document cut by another cut than was asked, or another document: whatever brute finds, it finds."""
    done = rewrite(document(*one[0]), other[1], catalogue())
    for after in (done.after, document(*other[0])):
        wanted, hindered = one[1], [name for name, _ in done.hindered]
        seen = brute.faults(done.before, after, wanted.services, wanted.actions, hindered, KNOWN)
        ours = disagreements(
            done.before, after, wanted.services, wanted.actions, catalogue(), hindered=hindered
        )
        assert ours or not seen


TINY = ("aa", "ab", "aba", "abb", "b", "ba", "bab")
WORDS = ["".join(w) for n in range(1, 6) for w in product("abc", repeat=n)]


@lru_cache(maxsize=None)
def language(pattern: str) -> frozenset[str]:
    """Every word of up to five letters that a pattern covers: enough to tell these patterns apart."""
    return frozenset(w for w in WORDS if matches(pattern, w))


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_every_short_pattern_and_every_cut(length: int) -> None:
    """Seven names, each pattern of up to four signs with a wildcard in it, each set of names that can go.

    What stands afterwards covers what stays and nothing that goes; each new entry lies inside the old one, tomorrow's
    names included; a star stands for two names at least; and no two entries could be one of the same kind.
    """
    small = SmallCatalogue({"x": TINY})
    for pattern in map("".join, product("ab*?", repeat=length)):
        covered = language(pattern) & set(TINY)
        if not set(pattern) & set("*?") or not covered:
            continue
        for chosen in product([False, True], repeat=len(covered)):
            goes = {n for n, c in zip(sorted(covered), chosen, strict=True) if c}
            done = rewrite(
                document(allow(f"x:{pattern}")), Cut(actions=frozenset(f"x:{n}" for n in goes)), small
            )
            after = [e[2:] for s in brute.statements(done.after) for e in brute.entries(s, "Action")]
            assert set().union(*map(language, after)) & set(TINY) == covered - goes, (pattern, goes, after)
            if goes:
                assert all(language(e) <= language(pattern) for e in after), (pattern, goes, after)
                assert all(len(language(e) & covered) > 1 for e in after if "*" in e), (pattern, goes, after)
                assert not mergeable(pattern, goes, after), (pattern, goes, after)


def mergeable(pattern: str, goes: set[str], after: list[str]) -> list[str]:
    """Wildcards of the old one's kind (letters, then its first star and what follows) that would shorten the list."""
    head, star, tail = pattern.partition("*")
    letters = {n[:i] for n in TINY for i in range(len(head), len(n) + 1)} if star else set()
    wider = [f"{p}*{tail}" for p in letters if language(f"{p}*{tail}") <= language(pattern)]
    return [
        w
        for w in wider
        if not language(w) & goes and sum(language(e) & set(TINY) <= language(w) for e in after) > 1
    ]
