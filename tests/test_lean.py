"""The lean reader of a report against botocore's own parser, on every shape that an answer can have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.errors import (
    AwsError,
    Expired,
    Invalid,
    Missing,
    Refused,
    ReportFailed,
    Throttled,
    Unreachable,
)
from advisor.edges.aws import Aws, Raw
from advisor.edges.aws.lean import GET, Iam, Page, page
from advisor.edges.aws.sessions import Keys, Place, Session
from tests.sandbox import wire

NS = 'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"'
OPERATION = "GetServiceLastAccessedDetails"
SHAPE = botocore.session.get_session().get_service_model("iam").operation_model(OPERATION).output_shape
PARSER = create_parser("query")

Node = tuple[str, Any]
"""A name, and a text or child nodes."""

words = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=12)
moments = st.datetimes(
    min_value=datetime(2001, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
    max_value=datetime(2037, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).flatmap(
    lambda at: st.sampled_from(
        [
            at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            f"{at:%Y-%m-%dT%H:%M:%S}+02:00",
        ]
    )
)
numbers = st.integers(0, 99_999).map(str)


def node(name: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Node]]:
    return value.map(lambda v: [(name, v)])


def maybe(name: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Node]]:
    return st.one_of(st.just([]), node(name, value))


@st.composite
def struct(draw: st.DrawFn, *parts: st.SearchStrategy[list[Node]]) -> list[Node]:
    """Elements in any order, with one among them that nobody knows."""
    found = [n for part in parts for n in draw(part)]
    found += draw(maybe("Unheard", words))
    return draw(st.permutations(found))


actions = st.lists(
    struct(
        node("ActionName", words),
        maybe("LastAccessedEntity", words),
        maybe("LastAccessedTime", moments),
        maybe("LastAccessedRegion", words),
    ).map(lambda n: ("member", n)),
    max_size=3,
)
services = st.lists(
    struct(
        node("ServiceNamespace", words),
        maybe("ServiceName", words),
        maybe("LastAuthenticated", moments),
        maybe("LastAuthenticatedEntity", words),
        maybe("LastAuthenticatedRegion", words),
        maybe("TotalAuthenticatedEntities", numbers),
        maybe("TrackedActionsLastAccessed", actions),
    ).map(lambda n: ("member", n)),
    max_size=4,
)
errors = struct(maybe("Code", words), maybe("Message", words))
results = struct(
    node("JobStatus", st.sampled_from(["COMPLETED", "COMPLETED", "COMPLETED", "IN_PROGRESS", "FAILED"])),
    maybe("JobType", st.sampled_from(["SERVICE_LEVEL", "ACTION_LEVEL"])),
    node("JobCreationDate", moments),
    maybe("JobCompletionDate", moments),
    maybe("ServicesLastAccessed", services),
    maybe("Error", errors),
    maybe("IsTruncated", st.sampled_from(["true", "false"])),
    maybe("Marker", st.text("abc123", min_size=1, max_size=9)),
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """An answer with any white space between its elements, texts escaped or in CDATA, and a comment here or there."""
    gap = st.sampled_from(["", "", "\n    ", " \t", "<!-- -->"])

    def write(node: Node) -> str:
        name, value = node
        if isinstance(value, list):
            inner = "".join(draw(gap) + write(child) for child in value) + draw(gap)
        elif "]]>" not in value and draw(st.integers(0, 9)) == 0:
            inner = f"<![CDATA[{value}]]>"
        else:
            odd = draw(st.booleans())
            inner = "".join("&#97;" if odd and c == "a" else escape(c) for c in value)
        return f"<{name}/>" if not inner and draw(st.booleans()) else f"<{name}>{inner}</{name}>"

    whole = write((f"{OPERATION}Result", draw(results)))
    meta = write(("ResponseMetadata", [("RequestId", "7d2f")]))
    parts = draw(st.permutations([whole, meta]))
    head = draw(st.sampled_from(["", '<?xml version="1.0" encoding="UTF-8"?>\n']))
    return f"{head}<{OPERATION}Response {NS}>{draw(gap)}{''.join(parts)}</{OPERATION}Response>".encode()


class _Parsed:
    """botocore's parser in the place of a client: what `Aws.read` makes of it is what it makes of AWS."""

    def __init__(self, body: bytes) -> None:
        self._answer = PARSER.parse({"status_code": 200, "headers": {}, "body": body}, SHAPE)

    def get_service_last_accessed_details(self, **asked: Any) -> dict[str, Any]:
        answer: dict[str, Any] = dict(self._answer)
        if "Marker" in asked:  # the pages after the first are not what is compared
            return {**answer, "IsTruncated": False, "ServicesLastAccessed": []}
        return answer


def by_botocore(body: bytes) -> Raw | str | None:
    aws = Aws(boot="", named=(), organization=False, read_role="", clock=lambda: None)  # type: ignore[arg-type, return-value]
    try:
        return aws.read(Session("", "1", _Parsed(body)), "job")
    except AwsError as error:
        return f"{error.code}: {error.message}"


def by_us(body: bytes) -> Raw | str | None:
    try:
        found = page(body, "1")
    except AwsError as error:
        return f"{error.code}: {error.message}"
    return found and Raw(found.created_at, found.completed_at, found.services)


@given(bodies())
def test_every_answer_is_read_as_botocore_and_the_bot_read_it(body: bytes) -> None:
    """White space, entities, CDATA, comments, order, what is missing, what is unknown, FAILED, IN_PROGRESS."""
    assert by_us(body) == by_botocore(body)


@given(bodies(), st.integers(1, 400))
def test_half_an_answer_is_never_a_report(body: bytes, cut: int) -> None:
    """However much of it is missing."""
    with pytest.raises(Unreachable):
        page(body[: max(0, len(body) - cut)], "1")


def answer(result: str) -> bytes:
    return f"<{OPERATION}Response {NS}><{OPERATION}Result>{result}</{OPERATION}Result></{OPERATION}Response>".encode()


BEGUN = "<JobStatus>COMPLETED</JobStatus><JobCreationDate>2026-01-01T00:00:00Z</JobCreationDate>"


def listing(row: str) -> str:
    return f"{BEGUN}<ServicesLastAccessed><member>{row}</member></ServicesLastAccessed>"


@pytest.mark.parametrize(
    "result",
    [
        "",
        "<JobStatus>COMPLETED</JobStatus>",
        "<JobStatus>COMPLETED</JobStatus><JobCreationDate>soon</JobCreationDate>",
        listing("<ServiceName>S3</ServiceName>"),
        listing(
            "<ServiceNamespace>s3</ServiceNamespace><TotalAuthenticatedEntities>x</TotalAuthenticatedEntities>"
        ),
    ],
    ids=["nothing", "no time", "no such time", "no namespace", "no number"],
)
def test_what_every_report_has_and_this_one_lacks_is_no_report(result: str) -> None:
    """Told as a failure that may pass, never as an empty report."""
    with pytest.raises((Unreachable, ReportFailed)):
        page(answer(result), "1")


def test_a_marker_is_followed_only_where_the_page_is_cut() -> None:
    cut, whole = "<IsTruncated>true</IsTruncated>", "<IsTruncated>false</IsTruncated>"
    for more, marker in ((cut + "<Marker>s-9</Marker>", "s-9"), (whole + "<Marker>s-9</Marker>", "")):
        found = page(answer(BEGUN + more), "1")
        assert isinstance(found, Page)
        assert found.marker == marker
    with pytest.raises(Unreachable, match="without a way"):
        page(answer(BEGUN + cut), "1")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "Throttling", Throttled),
        (403, "ExpiredToken", Expired),
        (403, "AccessDenied", Refused),
        (404, "NoSuchEntity", Missing),
        (400, "InvalidInput", Invalid),
        (500, "ServiceFailure", Unreachable),
        (400, "SomethingNew", Invalid),
    ],
)
def test_errors_are_told_apart_as_everywhere(status: int, code: str, kind: type[AwsError]) -> None:
    """By the same table, with AWS's words and its request id."""
    _, headers, body = wire.error(status, code, "User: arn:aws:iam::1:user/x may not")
    iam = Iam("1", Keys("AKIA", "secret"), Place("http://127.0.0.1:9/", "us-east-1"), 1)
    error = iam._error(status, dict(headers), body, GET)
    assert type(error) is kind
    assert (error.call, error.account) == (GET, "1")
    assert error.request_id
    assert error.message.startswith(f"{code}: ")


@pytest.mark.parametrize("body", [b"", b"<html>gateway</html>", b"half <a"])
def test_an_answer_that_is_not_iam_s_is_no_answer(body: bytes) -> None:
    iam = Iam("1", Keys("AKIA", "secret"), Place("http://127.0.0.1:9/", "us-east-1"), 1)
    assert type(iam._error(502, {}, body, GET)) is Unreachable
