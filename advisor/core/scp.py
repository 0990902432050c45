"""Services that nobody in an account tried, and a service control policy that denies them: shown, never applied. Pure.

It is for services that somebody is granted, that Access Advisor tells of for everybody who is granted them, and that
nobody attempted in the whole tracking period. What the bot needs, and what no account can do without, is never in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

LIMIT = 5_120
"""Characters of a service control policy at most, white space included where it comes by an API or the CLI.

Source: AWS Organizations User Guide, "Quotas and service limits for AWS Organizations", maximum size of a policy document
(https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html).
"""


class Spared(StrEnum):
    """Why a service that nobody tried is not denied."""

    BOT = "needed_by_the_bot"
    ACCOUNT = "account_and_sign_in"
    GLOBAL = "global"
    YOUNG = "granted_to_a_young_one"
    UNTOLD = "cannot_be_told_for_all"


NEVER_DENIED = {
    # What the bot calls, or may call: a denied audit is no audit.
    **dict.fromkeys("access-analyzer cloudtrail iam organizations sts".split(), Spared.BOT),
    # Signing in, the account itself, its bills, support and limits. They are used by people in the console and by root,
    # of whom there is no report. Source: Service Authorization Reference, the services of these names.
    **dict.fromkeys(
        "account account-access aws-portal billing billingconductor consoleapp consolidatedbilling cost-optimization-hub freetier identitystore "
        "identitystore-auth invoicing payments purchase-orders servicequotas signin sso sso-directory sso-oauth "
        "support-console supportapp supportauthz supportplans sustainability tag tax user-subscriptions".split(),
        Spared.ACCOUNT,
    ),
    # Global services: AWS's own policies that limit an organisation to Regions leave them alone as a whole. Source: AWS Organizations
    # User Guide, "Deny access to AWS based on the requested AWS Region"; AWS Control Tower, the control of that name.
    **dict.fromkeys(
        "a4b acm activate artifact aws-marketplace aws-marketplace-management budgets ce chatbot chime cloudfront "
        "compute-optimizer config cur devicefarm directconnect ecr-public fms globalaccelerator health importexport iq kms "
        "mobileanalytics networkmanager notifications notifications-contacts pricing resource-explorer-2 route53 "
        "route53-recovery-cluster route53-recovery-control-config route53-recovery-readiness route53domains shield support "
        "trustedadvisor waf waf-regional wafv2 wellarchitected".split(),
        Spared.GLOBAL,
    ),
}
"""Services that no document of ours denies, with the reason."""

_NAMESPACE = re.compile(r"[a-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Unneeded:
    """Services that nobody tried: those that could be denied, and those that are spared with the reason, by name.

    `unread` is the number of roles and users of which nothing is known: one is enough for `services` to be empty.
    `granted` is how many services any role or user is granted, as far as their reports list them.
    """

    services: tuple[str, ...] = ()
    spared: tuple[tuple[str, Spared], ...] = ()
    granted: int = 0
    unread: int = 0


def unneeded(
    granted: Iterable[str], *, used: set[str], untold: set[str], young: set[str], unread: int
) -> Unneeded:
    """What could be denied. `granted` are the services that the report of any role or user lists.

    `used` were attempted by anybody at any time that AWS tracks; `untold` are granted to somebody whose report does
    not list them; `young` are granted to somebody younger than the minimum age.
    """
    listed = sorted({s for s in granted if _NAMESPACE.fullmatch(s)})
    spared = [
        (service, reason)
        for service in listed
        if service not in used
        and (
            reason := NEVER_DENIED.get(service)
            or (Spared.UNTOLD if service in untold else Spared.YOUNG if service in young else None)
        )
    ]
    kept = used | {service for service, _ in spared}
    services = () if unread else tuple(s for s in listed if s not in kept)
    return Unneeded(services, tuple(spared), len(listed), unread)


def documents(services: Sequence[str], limit: int = LIMIT) -> tuple[str, ...]:
    """Service control policies that deny these services, as few as fit the limit; none for no service.

    Each is one Deny of `service:*` on everything, without white space, since white space counts.
    """
    made: list[str] = []
    batch: list[str] = []
    for service in services:
        if batch and len(_document([*batch, service])) > limit:
            made.append(_document(batch))
            batch = []
        batch.append(service)
    return (*made, _document(batch)) if batch else tuple(made)


def _document(services: Sequence[str]) -> str:
    statement = {
        "Sid": "NobodyTriedThese",
        "Effect": "Deny",
        "Action": [f"{service}:*" for service in services],
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
