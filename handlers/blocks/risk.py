"""What a card says of risk: what could go, riskiest first; what the first of it is worth; privileged actions. Pure."""

from __future__ import annotations

from typing import Any

from advisor.core.model import Granularity, Usage
from advisor.core.risk import Weighed, heaviest
from handlers.blocks import kit, words
from handlers.blocks.kit import Part
from handlers.blocks.view import AuditView

ACTIONS = 5
"""So many single actions are named on a card; their names are long."""


def candidates(view: AuditView) -> tuple[Weighed, ...]:
    """What could go, riskiest first: services, or actions where the audit is one of actions."""
    deep = view.request.asked.granularity is Granularity.ACTION
    return view.risk.single if deep else view.risk.candidates


def could_go(view: AuditView) -> list[Any]:
    """The candidates by name, and the line that says how much of the risk the first ones are."""
    found = candidates(view)
    if not found:
        return []
    if view.request.asked.granularity is Granularity.ACTION:
        names = [kit.clip(f"{w.finding.service}:{w.finding.action}", kit.NAME) for w in found]
        more = len(names) - ACTIONS
        said = ", ".join(names[:ACTIONS]) + (f" and {more:,} more in the CSV" if more > 0 else "")
    else:
        said = words.listed([w.finding.service for w in found])
    label = "Could go, riskiest first: " if len(found) > 1 else "Could go: "
    return [kit.labelled(label, said), *_share(found)]


def _share(found: tuple[Weighed, ...]) -> list[Any]:
    """Said only where a few that stand by name are most of the risk: half of the candidates or less."""
    first = heaviest(found)
    if len(first) * 2 > len(found) or len(first) > words.NAMES_OF_MANY:
        return []
    percent = sum(w.weight for w in first) * 100 // sum(w.weight for w in found)
    these = f"The first {len(first)} removals take" if len(first) > 1 else "The first removal takes"
    what = ", ".join(dict.fromkeys(w.reach.value for w in first))
    return [kit.labelled(f"{these} away {percent} % of the risk: ", what)]


def line(view: AuditView) -> list[Part]:
    """Of the privileged actions granted, how many were used; beside them the share of services that were."""
    risk, summary = view.risk, view.summary
    if not risk.privileged:
        return []
    used, count = risk.privileged_used, risk.privileged
    # A report of services knows no actions: it can only say that their service was used.
    where = "used" if risk.exact else "in used services"
    services = len(summary.of(Usage.USED)) * 100 // summary.granted if summary.granted else 0
    said = f"{where}, {used * 100 // count} % (of all services {services} %)"
    untold = f"; {risk.privileged_untold:,} cannot be told" if risk.exact and risk.privileged_untold else ""
    return [
        kit.emoji("key"),
        kit.text(f" {used:,} of {words.some(count, 'privileged action')}", bold=True),
        kit.text(f"  {said}{untold}"),
    ]
