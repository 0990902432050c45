"""Reading every page. botocore has no paginator for the Access Advisor operations, so all of IAM goes this way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from advisor.core.errors import Unreachable
from advisor.edges.aws.errors import call

Method = Callable[..., dict[str, Any]]
Ask = Callable[..., dict[str, Any]]
"""`call`, or one that has more patience."""


def pages(
    method: Method, permission: str, account: str, *, sized: bool = True, ask: Ask = call, **parameters: Any
) -> Iterator[dict[str, Any]]:
    """Each page of an IAM list until IsTruncated is false.

    "IAM might return fewer results, even when there are more" (IAM API Reference, MaxItems). A truncated page without
    a new Marker is an error, never the end.
    """
    if sized:
        parameters["MaxItems"] = 1000
    marker = ""
    while True:
        page = ask(method, permission, account, **parameters, **({"Marker": marker} if marker else {}))
        yield page
        if not page.get("IsTruncated"):
            return
        following = str(page.get("Marker", ""))
        if not following or following == marker:
            raise Unreachable(permission, "a page without a way to the next", account=account)
        marker = following


def items(method: Method, permission: str, account: str, key: str, **parameters: Any) -> Iterator[Any]:
    """Every item of a paged list."""
    for page in pages(method, permission, account, **parameters):
        yield from page.get(key, [])
