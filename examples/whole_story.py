"""The whole story in one process: a task is posted, solved, drawn, replayed, opened and settled.

Run: python examples/whole_story.py [--cheat]

Everything is real: an EVM with the three contracts, four accounts, the digits training in exact arithmetic, Merkle
proofs that the contract checks. Only the network between the roles is missing; `assay demo` has that too.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.chain import Client, Deployment, Key, Market, Opening, Role, Stakes, Token, create, deploy, events
from assay.chain.node import Node
from assay.engine import exact
from assay.market import Package, Quote, Windows, quote, read_task, terms
from assay.proof import Dataset, Runner, commitment_root, decode_state, opening
from assay.roles.digits import digits
from assay.settle import receipt
from assay.solve import Journal, train
from assay.store import Store
from assay.verify import Sealed, audit
from assay.words import Commitment, Receipt, Trajectory, canonical
from assay.words.units import amount


@dataclass
class Account:
    """Somebody with a key, and the three contracts as they see them."""

    client: Client
    token: Token
    stakes: Stakes
    market: Market

    @property
    def address(self) -> str:
        return self.client.address


def open_account(url: str, deployment: Deployment, key: Key) -> Account:
    """Connect `key` to the contracts and draw play money from the faucet."""
    client = Client(url, key)
    account = Account(client, *deployment.connect(client))
    account.token.faucet()
    return account


def stake(account: Account, role: Role) -> None:
    """Put the least stake behind a role."""
    needed = account.stakes.minimum(role)
    account.token.approve(account.stakes.address, needed)
    account.stakes.register(role, needed, "http://127.0.0.1:1")


def post(submitter: Account, package: Package, price: Quote) -> str:
    """1. SUBMIT: the escrow is paid, the task is open."""
    submitter.token.approve(submitter.market.address, price.escrow)
    return submitter.market.post(secrets.token_hex(32), terms(package, price, Windows(reveal_for=60)))


def solve(solver: Account, task: str, package: Package, store: Store, folder: Path, *, cheat: bool) -> Trajectory:
    """2. SOLVE: train, keep a checkpoint per interval, swear to all of them at once."""
    solver.market.accept(task)
    runner = prepared(package, store)
    worker = Tampering(runner) if cheat else runner
    initial = decode_state(store.get(package.spec.initial), runner.ports)

    def show(done: int, loss: float | None) -> None:
        if done % 20 == 0:
            print(f"   step {done:>3}  loss {loss:.3f}")

    journal = Journal(folder / "journal.jsonl")
    trajectory = train(package.spec, worker, runner.ports, initial, journal, store, lambda blob: None, show)
    blob = store.put(canonical(trajectory))
    final = trajectory.checkpoints[-1].state_root
    solver.market.commit(task, Commitment(commitment_root(trajectory).hex(), blob, final))
    return trajectory


def verify(verifier: Account, task: str, package: Package, store: Store, trajectory: Trajectory) -> Sealed:
    """3. VERIFY: replay the intervals that the lot gave, seal the finding."""
    position = verifier.market.verifiers(task).index(verifier.address)
    drawn = verifier.market.drawn_intervals(task, position)
    sealed = audit(task, verifier.address, prepared(package, store), lambda: trajectory, store.get, drawn)
    verifier.market.attest(task, sealed.commitment)
    print(f"   verifier {position} replayed {drawn}: {'all matched' if sealed.matched else sealed.verdict.reason}")
    return sealed


def reveal(solver: Account, task: str, trajectory: Trajectory, journal: Journal) -> None:
    """4. The solver opens the traces that it bound in its commitment; the contract compares."""
    for position in range(len(solver.market.verifiers(task))):
        openings = []
        for k in solver.market.drawn_intervals(task, position):
            leaf = opening(trajectory, k + 1)
            words = (journal.digests[k], leaf.prev_root, leaf.state_root, leaf.batches)
            openings.append(Opening(*(word.hex() for word in words), tuple(word.hex() for word in leaf.proof)))
        solver.market.reveal(task, position, openings)


def claim(verifier: Account, task: str, sealed: Sealed) -> None:
    """4'. A verifier that found a mismatch opens it: the submitter gets everything back."""
    verifier.market.claim_mismatch(
        task,
        interval=sealed.interval,
        step=sealed.step,
        found_root=sealed.found_root,
        reason=sealed.reason,
        salt=sealed.salt,
    )


def prepared(package: Package, store: Store) -> Runner:
    """The task's program compiled, next to its data. Every role does this for itself."""
    return Runner(exact.compile(package.program), package.spec, Dataset.parse(store.get(package.spec.dataset)))


class Tampering:
    """A solver that changes one weight by one unit in the last place, once."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    def interval(self, state, start, stop, on_step=None):
        segment = self.runner.interval(state, start, stop, on_step)
        if start == self.runner.spec.interval:
            weights = next(a for _, a in sorted(segment.state.items()) if a.dtype == np.float32 and a.size > 1)
            weights.flat[0] = np.nextafter(weights.flat[0], np.float32(np.inf))
        return segment


def story(folder: Path, *, cheat: bool = False) -> Receipt:
    """From an empty chain to the receipt."""
    with Node(folder / "chain.sqlite") as url:
        keys = [create(folder / f"key-{n}.json", secrets.token_hex(8), fast=True) for n in range(5)]
        deployment = deploy(Client(url, keys[4]))
        submitter, solver, *verifiers = [open_account(url, deployment, key) for key in keys[:4]]
        stake(solver, Role.SOLVER)
        for verifier in verifiers:
            stake(verifier, Role.VERIFIER)

        store = Store(folder / "store")
        package = read_task(digits(), store)
        price = quote(package.program, package.spec)
        print(f"1. post {package.spec.name}: price {amount(price.price)}, escrow {amount(price.escrow)}")
        task = post(submitter, package, price)
        print("2. solve and commit")
        trajectory = solve(solver, task, package, store, folder, cheat=cheat)
        print("3. draw verifiers, replay, attest")
        solver.market.draw(task)
        sealed = {verifier.address: verify(verifier, task, package, store, trajectory) for verifier in verifiers}
        liars = [verifier for verifier in verifiers if not sealed[verifier.address].matched]
        if liars:
            print("4. open the mismatch")
            claim(liars[0], task, sealed[liars[0].address])
        else:
            print("4. open the traces, settle")
            reveal(solver, task, trajectory, Journal(folder / "journal.jsonl"))
            solver.market.settle(task)
        found = events(submitter.client, deployment, task)
        done = receipt(submitter.market.record(task), [(event.name, event.args) for event in found])
        print(f"5. {done.outcome}: paid {amount(done.paid)}, refunded {amount(done.refunded)} ({done.reason})")
        for account in (submitter, solver, *verifiers):
            if account.market.owed(account.address):
                account.market.withdraw()
        assert submitter.token.balance_of(submitter.market.address) == 0, "the market keeps nothing"
    return done


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        story(Path(name), cheat="--cheat" in sys.argv[1:])
