"""A lie about a real training, from the commitment to the slash, on the embedded node and on anvil."""

from __future__ import annotations

from pathlib import Path

from cast import Chain
from small import Village

from assay.chain import Games, Role
from assay.dispute.record import Level
from assay.words import TaskState


def test_a_lie_is_led_to_one_operation_and_slashed(chain: Chain, tmp_path: Path) -> None:
    """Everything that a dispute calls has to fit into the blocks of another chain, too, and say the same there."""
    village = Village(chain.url, tmp_path, chain.fund)
    try:
        life = village.post().accepted().committed(village.tampered).drawn()
        sealed = [life.audited_by(0), life.audited_by(1)]
        finder = next(j for j in (0, 1) if not sealed[j].matched)
        life.attested(0, sealed[0]).attested(1, sealed[1])
        stakes, solver = village.solver.stakes, village.solver.address
        before = stakes.stake_of(solver, Role.SOLVER)
        life.disputed(finder, sealed[finder])
        assert life.task.state is TaskState.REFUNDED
        found, collateral = life.receipt(), life.record.terms.collateral
        assert (found.reason, found.slashed) == ("ruled wrong", {solver: collateral})
        assert before - stakes.stake_of(solver, Role.SOLVER) == collateral
        (dispute,) = life.disputes
        assert dispute.ended is not None
        assert (dispute.ended["upheld"], dispute.ended["reason"]) == (True, "prove")
        challenger = life.verifiers[finder]
        games = Games(challenger.client, village.deployment)
        bonds = games.owed(challenger.address)
        assert bonds == dispute.record.paid > 0, "what it put down at each level"
        levels = [record.level for record, _ in dispute.history]
        assert levels[0] is Level.STEPS
        assert Level.VALUES in levels
        held = challenger.token.balance_of(challenger.address)
        games.withdraw(challenger.address)
        assert challenger.token.balance_of(challenger.address) == held + bonds
        assert challenger.token.balance_of(games.address) == 0
        assert int(games.game(dispute.id.hex()), 16) == 1, "over for good"
        # A view of a single element, executed by the referee, is in the events as well: what a live view shows.
        assert {event.name for event in games.events(life.id)} >= {"Opened", "Moved", "Revealed", "Shown", "Ended"}
    finally:
        village.close()
