"""What AWS said of the plans of tickets."""

from __future__ import annotations

from advisor.core.proof import Proof, dump, load
from advisor.edges.store.connection import Connection


class Proofs:
    """Table ticket_proof."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def save(self, ticket_id: int, proof: Proof) -> None:
        """Keep what was said, with the plan that it was said of."""
        with self._db.transaction():
            self._db.run(
                "INSERT OR REPLACE INTO ticket_proof (ticket_id, result) VALUES (?, ?)",
                (ticket_id, dump(proof)),
            )

    def of(self, ticket_id: int) -> Proof | None:
        """What was said of a ticket's plan; None where nobody was asked."""
        row = self._db.row("SELECT result FROM ticket_proof WHERE ticket_id = ?", (ticket_id,))
        return load(row["result"]) if row else None
