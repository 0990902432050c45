"""/iam-audit sweep …: each is committed, then a worker's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor import sweeps
from handlers.blocks.kit import Json
from handlers.estate_words import SweepEvery, SweepNow, SweepOff

if TYPE_CHECKING:
    from handlers.actions import Listeners

Body = dict[str, Any]


def on_command(on: Listeners, body: Body, asked: SweepNow | SweepEvery | SweepOff) -> None:
    """sweep [account=…]: a row of its own; sweep weekly …, sweep off: an order."""
    user, channel = str(body["user_id"]), str(body["channel_id"])

    def effect() -> Json:
        orders, now = on.desk.store.orders, on.desk.clock()
        match asked:
            case SweepNow(account):
                return {"sweep": sweeps.start(on.desk, user, channel, account).id}
            case SweepEvery(rhythm, account):
                words = {
                    "channel": channel,
                    "cadence": rhythm.cadence.value,
                    "day": rhythm.day,
                    "at": rhythm.at,
                }
                return {
                    "order": orders.add(
                        "sweep.schedule", user, channel, 0, {**words, "account": account}, now
                    )
                }
            case _:
                return {"order": orders.add("sweep.off", user, channel, 0, {}, now)}

    on.once(f"trigger:{body['trigger_id']}", effect)
