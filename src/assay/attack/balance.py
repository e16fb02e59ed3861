"""What came of an attack: who was caught, who gained and lost, and whether all the money is still there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from assay.chain import spent
from assay.economics import LOCAL
from assay.engine import exact
from assay.market import Package
from assay.proof import Dataset, Runner, decode_state, state_root
from assay.store import Store
from assay.words import Receipt

from .arena import Arena
from .books import Books, net
from .outcome import Outcome

__all__ = ["Ended", "balance", "honest_root"]


@dataclass(frozen=True)
class Ended:
    """A task that was attacked, and how it ended."""

    receipt: Receipt
    package: Package


def balance(
    name: str,
    arena: Arena,
    before: Books,
    after: Books,
    block: int,
    ended: Sequence[Ended],
    names: Sequence[str],
    started: float,
) -> Outcome:
    """What came of an attack that began after `block` at the monotonic time `started`,
    by members of these names. What the submitter got for its money counts: a result that is right is worth what was paid for it.
    """
    submitter, attackers = arena.submitter.session, [arena.accounts[name] for name in names]
    gained = net(before, after, arena.accounts.values())
    found = [verdict(arena, each.receipt, attackers) for each in ended]
    wrong = False
    for each in ended:
        if each.receipt.outcome == "settled":
            if each.receipt.state_root == honest_root(each.package, submitter.store):
                gained[submitter.address] += each.receipt.paid
            else:
                wrong = True
    used = spent(arena.client, block + 1, arena.client.head().number)
    disputes = {address.lower() for address in arena.dispute_addresses}
    disputed = [each.gas for each in used if each.to in disputes]
    honest = [*(arena.accounts[member] for member in arena.residents), submitter.address]
    return Outcome(
        name=name,
        caught=all(caught for caught, _ in found) and bool(found),
        by="; ".join(dict.fromkeys(by for _, by in found)),
        attacker_net=sum(gained[account] for account in attackers) - LOCAL.money(arena.gas_of(block, *names)),
        honest_min_net=min(gained[account] for account in honest if account not in attackers),
        rounds=max((arena.moves(each.receipt.task) for each in ended), default=0),
        gas=sum(disputed) if disputed else sum(each.gas for each in used),
        conserved=before.balanced and after.balanced,
        harmless=not wrong,
        seconds=round(time.monotonic() - started, 1),
    )


def verdict(arena: Arena, receipt: Receipt, attackers: Sequence[str]) -> tuple[bool, str]:
    """Whether one of the attackers was found out, and by whom; else why nothing came of it."""
    for caught in receipt.caught:
        if caught.who in attackers:
            return True, f"{arena.name_of(caught.by)}: {caught.reason}"
    return False, receipt.reason


def honest_root(package: Package, store: Store) -> str:
    """The final state's root as training gives it."""
    spec = package.spec
    runner = Runner(exact.compile(package.program), spec, Dataset.parse(store.get(spec.dataset)))
    state = decode_state(store.get(spec.initial), runner.ports)
    return state_root(runner.interval(state, 0, spec.steps).state).hex()
