"""Attacks by dishonest members: who takes part, what they are set to, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from assay.chain import spent
from assay.economics import LOCAL
from assay.engine import exact
from assay.market import Package
from assay.proof import Dataset, Runner, decode_state, state_root
from assay.roles.devnet import Member
from assay.store import Store
from assay.words import Audit, Receipt

from .arena import POLL, RATE, Arena
from .books import Books, net
from .outcome import Outcome

__all__ = ["Actor", "Play", "balance", "honest_root"]


@dataclass(frozen=True)
class Actor:
    """One attacker: its role, its cheat, and other options of its process. `accomplice` names the role of another one."""

    kind: str
    cheat: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    accomplice: str = ""

    def member(self, label: str, arena: Arena) -> Member:
        """The process that plays it against the task of that name."""
        options = {"poll": POLL, "only": label} | ({"cheat": self.cheat} if self.cheat else {})
        if self.kind == "solver":
            options["rate"] = "1"  # takes what no honest solver would
        if self.accomplice:
            options["accomplice"] = str(arena.devnet.folder / f"{label}-{self.accomplice}")
        return Member(f"{label}-{self.kind}", self.kind, options | dict(self.options))


@dataclass(frozen=True)
class Play:
    """An attack by several casts at once, each on a task of its own.

    `changes` are those to the toy's plan, `verifiers` how many are drawn for a task.
    """

    name: str
    sentence: str
    casts: Sequence[Sequence[Actor]]
    verifiers: int = 2
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """The names of the tasks."""
        return [self.name if len(self.casts) == 1 else f"{self.name}-{n}" for n in range(len(self.casts))]

    def members(self, arena: Arena) -> list[Member]:
        """All attackers."""
        pairs = zip(self.labels, self.casts, strict=True)
        return [actor.member(label, arena) for label, cast in pairs for actor in cast]

    def prepare(self, arena: Arena) -> None:
        """Start those attackers whose presence disturbs nobody: a verifier would be drawn for others' tasks."""
        members = self.members(arena)
        if all(member.kind != "verifier" for member in members):
            arena.summon(*members)

    def run(self, arena: Arena) -> Outcome:
        """Carry it out, and balance everybody's books."""
        started, members = time.monotonic(), self.members(arena)
        arena.enter(*members)
        try:
            before, block = arena.books(), arena.client.head().number
            posted = [self._post(arena, label, cast) for label, cast in zip(self.labels, self.casts, strict=True)]
            tasks = [task for task, _ in posted]
            arena.see_through(*tasks)
            arena.settle_books()
            after = arena.books()
            ended = [Ended(arena.receipt(task), package) for task, package in posted]
            return balance(self.name, arena, before, after, block, ended, members, started)
        finally:
            arena.remove(*members)

    def _post(self, arena: Arena, label: str, cast: Sequence[Actor]) -> tuple[str, Package]:
        cheated = any(actor.kind == "solver" for actor in cast)
        # Another seed for each task: data of an earlier one must not do for those that somebody withholds.
        seed = int.from_bytes(sha256(label.encode()).digest()[:4], "big")
        plan: dict[str, Any] = {"audit": Audit(self.verifiers, 2), "seed": seed} | dict(self.changes)
        return arena.post(label, rate=RATE // 2 if cheated else RATE, **plan)


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
    members: Sequence[Member],
    started: float,
) -> Outcome:
    """What came of an attack that began after `block` at the monotonic time `started`.

    What the submitter got for its money counts: a result that is right is worth what was paid for it.
    """
    submitter, attackers = arena.submitter.session, [arena.accounts[member.name] for member in members]
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
        attacker_net=sum(gained[account] for account in attackers) - LOCAL.money(arena.gas_of(*members)),
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
