"""The whole story in one process: a task is posted, solved, replayed by verifiers, and settled, or disputed.

Run: python examples/whole_story.py [--cheat]

Everything is real: an EVM with the contracts, four accounts, the digits training in exact arithmetic, Merkle proofs that the
contracts check, and, if the solver cheats, a dispute that ends with one operation executed by a contract. Only the network
between the roles is missing; `assay demo` has that too.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from assay.chain import Client, Opening, Role, TaskRecord, create, deploy, events
from assay.chain.node import Node
from assay.dispute.calls import opening_words
from assay.dispute.challenger import Challenger
from assay.dispute.defender import Defender
from assay.dispute.record import Turn
from assay.dispute.telling import path
from assay.dispute.testimony import Liar, Testimony
from assay.engine import exact
from assay.market import Package, Quote, Windows, quote, read_task, terms, work
from assay.observe import ProgressBoard, configure_log
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

WINDOWS = Windows(patrol_for=0, reveal_for=600, clock=600, extension=60)


def stake(member: Session, role: Role) -> None:
    """Put the least stake behind a role."""
    needed = member.stakes.minimum(role)
    member.token.approve(member.stakes.address, needed)
    member.stakes.register(role, needed, "http://127.0.0.1:1")


def post(submitter: Session, package: Package, price: Quote) -> str:
    """1. SUBMIT: the escrow is paid, the task is open."""
    submitter.token.approve(submitter.market.address, price.escrow)
    posted, described = terms(package, price, WINDOWS), work(package, price, WINDOWS)
    return submitter.market.post(secrets.token_hex(32), posted, described)


def solve(solver: Session, task: str, package: Package, *, cheat: bool) -> Trajectory:
    """2. SOLVE: train, keep a checkpoint per interval, swear to all of them at once."""
    solver.market.accept(task)
    runner = prepared(package, solver.store)
    worker = Tampering(runner) if cheat else runner
    initial = decode_state(solver.store.get(package.spec.initial), runner.ports)

    def show(done: int, loss: float | None) -> None:
        if done % 20 == 0:
            print(f"   step {done:>3}  loss {loss:.3f}")

    trajectory = train(
        package.spec, worker, runner.ports, initial, journal(solver), solver.store, lambda blob: None, show
    )
    blob = solver.store.put(canonical(trajectory))
    final = trajectory.checkpoints[-1].state_root
    solver.market.commit(task, Commitment(commitment_root(trajectory).hex(), blob, final))
    return trajectory


def verify(verifier: Session, task: str, package: Package, trajectory: Trajectory) -> Sealed:
    """3. VERIFY: replay the intervals that the lot gave, seal the finding. The first to do so draws all verifiers."""
    record = verifier.market.record(task)
    position = record.task.verifiers.index(verifier.address)
    drawn = record.drawn_intervals(position)
    runner = prepared(package, verifier.store)
    sealed = audit(task, verifier.address, runner, lambda: trajectory, verifier.store.get, drawn)
    verifier.market.attest(task, sealed.commitment)
    print(f"   verifier {position} replayed {drawn}: {'all matched' if sealed.matched else sealed.verdict.reason}")
    return sealed


def reveal(solver: Session, record: TaskRecord, trajectory: Trajectory) -> None:
    """4. The solver opens the traces that it bound in its commitment; the contract compares."""
    digests = journal(solver).digests
    for position in range(len(record.task.verifiers)):
        openings = []
        for k in record.drawn_intervals(position):
            leaf = opening(trajectory, k + 1)
            words = (digests[k], leaf.prev_root, leaf.state_root, leaf.batches)
            openings.append(Opening(*(word.hex() for word in words), tuple(word.hex() for word in leaf.proof)))
        solver.market.reveal(record.task.id, position, openings)


def dispute(
    solver: Session, verifier: Session, record: TaskRecord, sealed: Sealed, package: Package, trajectory: Trajectory
) -> None:
    """4'. DISPUTE: a verifier that found a mismatch opens it, and both are led to the operation in which they differ."""
    task, k, runner = record.task.id, sealed.interval, prepared(package, verifier.store)
    program, bounds = runner.executable.program, package.spec.bounds(k)
    states = [decode_state(verifier.store.get(trajectory.checkpoints[n].blob), runner.ports) for n in (k, k + 1)]
    truth = Challenger(Testimony(runner, states[0], *bounds, exact.compile))
    lie = Defender(Liar(runner, states[0], *bounds, exact.compile, claimed=states[1]))
    hands = {Turn.SOLVER: Disputes(solver), Turn.CHALLENGER: Disputes(verifier)}

    game = Disputes(verifier).games
    verifier.token.approve(game.address, 6 * record.work.bond)  # one for each level, at most
    code = int.from_bytes(code_shape(program), "big"), merkle.root(code_leaves(program))
    leaves = [opening_words(opening(trajectory, n)) for n in (k, k + 1)]
    game.make("game", "open", int(sealed.kind), *record.words(), k, sealed.salt, *code, *leaves)
    while (quarrel := hands[Turn.SOLVER].of(task)[0]).ended is None:
        turn = quarrel.record.turn
        move = lie.move(quarrel.record) if turn is Turn.SOLVER else truth.move(quarrel.record, quarrel.history)
        print(f"   {turn.name.lower():<10} {type(move).__name__.lower():<7} {path(quarrel.record, program)[-1]}")
        hands[turn].move(quarrel, move, record)
    print(f"   after {quarrel.moves} moves: {'the solver lied' if quarrel.ended['upheld'] else 'nothing was shown'}")
    game.withdraw(verifier.address)  # its bonds


def prepared(package: Package, store: Store) -> Runner:
    """The task's program compiled, next to its data. Every role does this for itself."""
    return Runner(exact.compile(package.program), package.spec, Dataset.parse(store.get(package.spec.dataset)))


def journal(solver: Session) -> Journal:
    """What the solver remembers of its work."""
    return Journal(solver.settings.folder / "journal.jsonl")


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


def everybody(url: str, folder: Path) -> list[Session]:
    """A submitter, a solver and two verifiers with keys, play money and stakes, on fresh contracts."""
    keys = [create(folder / f"key-{n}.json", secrets.token_hex(8), fast=True) for n in range(5)]
    with Client(url, keys[4]) as founder:
        network, store = Network(url, deploy(founder), depots=()), Store(folder / "store")
    people = []
    for name, key in zip(("submitter", "solver", "verifier", "verifier"), keys, strict=False):
        settings, board = RoleSettings(folder=folder / name), ProgressBoard(name)
        people.append(Session(name, settings, network, Client(url, key), store, board))
        people[-1].token.faucet()
    for member, role in zip(people[1:], (Role.SOLVER, Role.VERIFIER, Role.VERIFIER), strict=True):
        stake(member, role)
    return people


def story(folder: Path, *, cheat: bool = False) -> Receipt:
    """From an empty chain to the receipt."""
    configure_log()
    with Node(folder / "chain.sqlite") as url:
        submitter, solver, *verifiers = people = everybody(url, folder)
        market, package = submitter.market, read_task(digits(), submitter.store)
        price = quote(package.program, package.spec)
        print(f"1. post {package.spec.name}: price {amount(price.price)}, escrow {amount(price.escrow)}")
        task = post(submitter, package, price)
        print("2. solve and commit")
        trajectory = solve(solver, task, package, cheat=cheat)
        print("3. draw verifiers, replay, attest")
        sealed = {verifier.address: verify(verifier, task, package, trajectory) for verifier in verifiers}
        found_it = [verifier for verifier in verifiers if not sealed[verifier.address].matched]
        record = market.record(task)
        while submitter.client.now() <= record.result.committed_at + WINDOWS.patrol_for:
            time.sleep(0.1)  # nobody may seal any more
        if found_it:
            print("4. dispute the mismatch")
            dispute(solver, found_it[0], record, sealed[found_it[0].address], package, trajectory)
        else:
            print("4. open the traces, settle")
            reveal(solver, record, trajectory)
            solver.market.settle(task)
        found = events(submitter.client, submitter.network.contracts, task)
        done = receipt(market.record(task), [(event.name, event.args) for event in found])
        lost = f", slashed {amount(sum(done.slashed.values()))}" if done.slashed else ""
        print(f"5. {done.outcome}: paid {amount(done.paid)}, refunded {amount(done.refunded)}{lost} ({done.reason})")
        for person in people:
            if market.owed(person.address):
                person.market.withdraw()
        assert submitter.token.balance_of(market.address) == 0, "the market keeps nothing"
        for person in people:
            person.client.close()
    return done


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        story(Path(name), cheat="--cheat" in sys.argv[1:])
