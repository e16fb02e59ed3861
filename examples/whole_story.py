"""The whole story in one process: a task is posted, solved, drawn, replayed, opened and settled; or disputed and refunded.

Run: python examples/whole_story.py [--cheat]

Everything is real: an EVM with the contracts, four accounts, the digits training in exact arithmetic, Merkle proofs that
the contracts check. With --cheat the solver has changed one weight by one unit in the last place. The verifier that drew
the interval leads it, move by move, to the one operation that does not give what it claims, and the contract executes that.
Only the network between the roles is missing; `assay demo` has that too.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from assay.chain import Client, Deployment, Opening, Role, TaskRecord, create, deploy, events
from assay.chain.node import Node
from assay.dispute.calls import call_of, opening_words
from assay.dispute.challenger import Challenger
from assay.dispute.defender import Defender
from assay.dispute.record import Turn
from assay.dispute.telling import claimed, executed, path
from assay.dispute.testimony import Liar, Testimony
from assay.engine import exact
from assay.market import Package, Quote, Windows, quote, read_task, terms, work
from assay.observe import ProgressBoard
from assay.proof import Dataset, Runner, commitment_root, decode_state, merkle, opening
from assay.proof.code import code_leaves, code_shape
from assay.roles.digits import digits
from assay.roles.disputes import Disputes
from assay.roles.network import Network
from assay.roles.session import Session
from assay.roles.settings import RoleSettings
from assay.settle import receipt
from assay.solve import Journal, train
from assay.store import Store
from assay.verify import Sealed, audit
from assay.words import Commitment, Receipt, Trajectory, canonical
from assay.words.units import amount

WINDOWS = Windows(patrol_for=1, reveal_for=600)
BONDS = 6
"""Levels that a dispute enters at most; the challenger puts down a bond for each."""


def somebody(folder: Path, deployment: Deployment, client: Client) -> Session:
    """What a role has at hand, with the client's key; its play money is drawn from the faucet."""
    network, settings = Network(client.url, deployment, ()), RoleSettings(folder=folder)
    made = Session("anybody", settings, network, client, Store(folder / "store"), ProgressBoard(""))
    made.token.faucet()
    return made


def stake(who: Session, role: Role) -> None:
    """Put the least stake behind a role."""
    needed = who.stakes.minimum(role)
    who.token.approve(who.stakes.address, needed)
    who.stakes.register(role, needed, "http://127.0.0.1:1")


def post(submitter: Session, package: Package, price: Quote) -> str:
    """1. SUBMIT: the escrow is paid, the task is open."""
    submitter.token.approve(submitter.market.address, price.escrow)
    described = work(package, price, WINDOWS)
    return submitter.market.post(secrets.token_hex(32), terms(package, price, WINDOWS), described)


def solve(solver: Session, task: str, package: Package, *, cheat: bool) -> Trajectory:
    """2. SOLVE: train, keep a checkpoint per interval, swear to all of them at once."""
    solver.market.accept(task)
    runner = prepared(solver, package)
    worker = Tampering(runner) if cheat else runner
    initial = decode_state(solver.store.get(package.spec.initial), runner.ports)

    def show(done: int, loss: float | None) -> None:
        if done % 20 == 0:
            print(f"   step {done:>3}  loss {loss:.3f}")

    journal = Journal(solver.settings.folder / "journal.jsonl")
    trajectory = train(package.spec, worker, runner.ports, initial, journal, solver.store, lambda blob: None, show)
    blob = solver.store.put(canonical(trajectory))
    final = trajectory.checkpoints[-1].state_root
    solver.market.commit(task, Commitment(commitment_root(trajectory).hex(), blob, final))
    return trajectory


def verify(verifier: Session, task: str, package: Package, trajectory: Trajectory) -> Sealed:
    """3. VERIFY: replay the intervals that the lot gave, seal the finding. The first to attest has the lot drawn."""
    record = verifier.market.record(task)
    position = record.task.verifiers.index(verifier.address)
    drawn = record.drawn_intervals(position)
    runner = prepared(verifier, package)
    sealed = audit(task, verifier.address, runner, lambda: trajectory, verifier.store.get, drawn)
    verifier.market.attest(task, sealed.commitment)
    print(f"   verifier {position} replayed {drawn}: {'all matched' if sealed.matched else sealed.verdict.reason}")
    return sealed


def reveal(solver: Session, task: str, trajectory: Trajectory) -> None:
    """4. The solver opens the traces that it bound in its commitment; the contract compares."""
    record, digests = solver.market.record(task), Journal(solver.settings.folder / "journal.jsonl").digests
    for position in sorted(record.attested):
        openings = []
        for k in record.drawn_intervals(position):
            leaf = opening(trajectory, k + 1)
            words = (digests[k], leaf.prev_root, leaf.state_root, leaf.batches)
            openings.append(Opening(*(word.hex() for word in words), tuple(word.hex() for word in leaf.proof)))
        solver.market.reveal(task, position, openings)


def dispute(verifier: Session, solver: Session, sealed: Sealed, package: Package, trajectory: Trajectory) -> None:
    """4'. DISPUTE: from the interval down to one operation, which the referee executes. Only the solver makes claims."""
    record, k = verifier.market.record(sealed.task), sealed.interval
    runner = prepared(verifier, package)
    before, after = (decode_state(verifier.store.get(c.blob), runner.ports) for c in trajectory.checkpoints[k : k + 2])
    about = (runner, before, *package.spec.bounds(k), exact.compile)
    challenger, defender = Challenger(Testimony(*about)), Defender(Liar(*about, claimed=after))

    open_game(verifier, record, sealed, package, trajectory)
    games = {Turn.CHALLENGER: Disputes(verifier), Turn.SOLVER: Disputes(solver)}
    (game,) = games[Turn.CHALLENGER].of(sealed.task)
    while (now := game.current()) is not None:
        move = defender.move(now) if now.turn is Turn.SOLVER else challenger.move(now, game.history)
        where = path(now, package.program)[-1]
        print(f"   {now.turn.name.lower():<10} {type(move).__name__.lower():<6}  {where}")
        mover = games[now.turn]
        call = call_of(game.id, now, move, mover.matter(record))
        mover.games.make(call.contract, call.function, *call.arguments)
        (game,) = mover.of(sealed.task)
    print(f"   the solver claims     {claimed(game.record, package.program)}")
    print(f"   the referee computes  {executed(game.executed['found'], game.record, package.program)}")


def open_game(verifier: Session, record: TaskRecord, sealed: Sealed, package: Package, trajectory: Trajectory) -> None:
    """Put down the first bond, and show the two leaves of the trajectory between which something is wrong."""
    games, k = Disputes(verifier).games, sealed.interval
    verifier.token.approve(games.address, BONDS * record.work.bond)
    key, result, described = record.words()
    shape, entries = int.from_bytes(code_shape(package.program), "big"), merkle.root(code_leaves(package.program))
    leaves = [opening_words(opening(trajectory, index)) for index in (k, k + 1)]
    games.make("game", "open", int(sealed.kind), key, result, described, k, sealed.salt, shape, entries, *leaves)


def prepared(who: Session, package: Package) -> Runner:
    """The task's program compiled, next to its data. Every role does this for itself."""
    return Runner(exact.compile(package.program), package.spec, Dataset.parse(who.store.get(package.spec.dataset)))


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
    with ExitStack() as stack:
        url = stack.enter_context(Node(folder / "chain.sqlite"))
        keys = [create(folder / f"key-{n}.json", secrets.token_hex(8), fast=True) for n in range(5)]
        founder, *clients = [stack.enter_context(Client(url, key)) for key in keys]
        deployment = deploy(founder)
        submitter, solver, *verifiers = [somebody(folder, deployment, client) for client in clients]
        stake(solver, Role.SOLVER)
        for verifier in verifiers:
            stake(verifier, Role.VERIFIER)

        package = read_task(digits(), submitter.store)
        price = quote(package.program, package.spec)
        print(f"1. post {package.spec.name}: price {amount(price.price)}, escrow {amount(price.escrow)}")
        task = post(submitter, package, price)
        print("2. solve and commit")
        trajectory = solve(solver, task, package, cheat=cheat)
        print("3. draw verifiers, replay, attest")
        sealed = [(verifier, verify(verifier, task, package, trajectory)) for verifier in verifiers]
        while solver.client.now() <= solver.market.result(task).committed_at + WINDOWS.patrol_for:
            time.sleep(0.1)  # whistleblowers may still accuse
        if findings := [(verifier, found) for verifier, found in sealed if not found.matched]:
            print("4. dispute")
            dispute(findings[0][0], solver, findings[0][1], package, trajectory)
        else:
            print("4. open the traces, settle")
            reveal(solver, task, trajectory)
            solver.market.settle(task)
        return paid(task, (submitter, solver, *verifiers))


def paid(task: str, people: tuple[Session, ...]) -> Receipt:
    """5. SETTLE: everybody takes what the contracts owe it; the receipt is made of their events."""
    reader = people[0]
    found = events(reader.client, reader.network.contracts, task)
    done = receipt(reader.market.record(task), [(event.name, event.args) for event in found])
    lost = sum(done.slashed.values())
    print(f"5. {done.outcome}: paid {amount(done.paid)}, refunded {amount(done.refunded)}", end="")
    print(f", slashed {amount(lost)} ({done.ruling or done.reason})")
    for who in people:
        if who.market.owed(who.address):
            who.market.withdraw()
        if (games := Disputes(who).games).owed(who.address):
            games.withdraw(who.address)
    kept = [reader.token.balance_of(place) for place in (reader.market.address, reader.network.contracts.game)]
    assert kept == [0, 0], "the contracts keep nothing"
    return done


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        story(Path(name), cheat="--cheat" in sys.argv[1:])
