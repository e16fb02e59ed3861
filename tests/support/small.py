"""Small tasks that are real: the digits program over a few steps, compiled once per process, and lives of it on a chain."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from safetensors.numpy import load_file

from assay.chain import Client, Deployment, Key, Opening, Role, TaskRecord, deploy, events
from assay.chain.node import Node
from assay.engine import exact
from assay.market import Package, Plan, Windows, package, quote, terms, work
from assay.observe import ProgressBoard
from assay.program import Program, load
from assay.proof import Dataset, Runner, commitment_root, decode_state, opening
from assay.roles.defence import Defence
from assay.roles.digits import digits
from assay.roles.disputes import Dispute, Disputes
from assay.roles.network import Network
from assay.roles.quarrel import Quarrel
from assay.roles.session import Session
from assay.roles.settings import RoleSettings
from assay.settle import receipt
from assay.solve import Journal, train
from assay.store import Store
from assay.verify import Sealed, audit, read_trajectory
from assay.words import Audit, Blob, Commitment, Receipt, Task, TaskSpec, Trajectory, canonical, parse

ASSETS = digits().parent
PLAN = Plan("small", steps=12, batch_size=64, interval=3, seed=1, audit=Audit(2, 2))


@cache
def program() -> Program:
    """The digits training step."""
    return load((ASSETS / "program.onnx").read_bytes())


@cache
def compiled() -> exact.Executable:
    """The digits training step, ready to run."""
    return exact.compile(program())


@cache
def initial() -> dict[str, np.ndarray]:
    return load_file(ASSETS / "initial.safetensors")


@cache
def columns() -> dict[str, np.ndarray]:
    return load_file(ASSETS / "train.safetensors")


def small(store: Store, **changes: Any) -> Package:
    """12 steps in intervals of 3, or what `changes` make of it; its blobs are in `store`."""
    fields = {name: getattr(PLAN, name) for name in Plan.__struct_fields__}
    return package(store, Plan(**fields | changes), program().source, initial(), columns())


def write_task(folder: Path, **changes: Any) -> Path:
    """A folder with a TASK.toml and its files, as a submitter would have it; returns the path of the TASK.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("program.onnx", "initial.safetensors", "train.safetensors", "inference.onnx", "test.safetensors"):
        shutil.copy(ASSETS / name, folder)
    lines = {
        "name": '"small"',
        "dataset": '"train.safetensors"',
        "batch_size": "64",
        "steps": "12",
        "interval": "3",
        "seed": "1",
        "audit": "{verifiers = 2, intervals = 2}",
    } | changes
    path = folder / "TASK.toml"
    path.write_text("".join(f"{name} = {value}\n" for name, value in lines.items() if value is not None))
    return path


def runner(spec: TaskSpec, store: Store) -> Runner:
    """The task ready to run."""
    return Runner(compiled(), spec, Dataset.parse(store.get(spec.dataset)))


def tampering(honest: Runner, at: int = 1) -> Any:
    """A worker that changes one weight by one unit in the last place at the end of interval `at`."""

    class Tampering:
        def interval(self, state: Any, start: int, stop: int, on_step: Any = None) -> Any:
            segment = honest.interval(state, start, stop, on_step)
            if start != honest.spec.bounds(at)[0]:
                return segment
            state = {name: array.copy() for name, array in segment.state.items()}
            weights = next(a for _, a in sorted(state.items()) if a.dtype == np.float32 and a.size > 1)
            weights.flat[0] = np.nextafter(weights.flat[0], np.float32(np.inf))
            return replace(segment, state=state)

    return Tampering()


def solve(spec: TaskSpec, store: Store, journal: Path, worker: Any = None) -> Trajectory:
    """Train as a solver does, all checkpoints into `store`."""
    ready = runner(spec, store)
    state = decode_state(store.get(spec.initial), ready.ports)
    return train(
        spec, worker or ready, ready.ports, state, Journal(journal), store, lambda blob: None, lambda done, loss: None
    )


class Village:
    """One chain with a submitter, a solver and two verifiers, who live through many small tasks. All share one store."""

    def __init__(self, url: str, folder: Path, fund: Callable[[str], None] = lambda address: None) -> None:
        """`fund` gives an address what it pays for gas with."""
        self.url, self.folder, self._fund = url, folder, fund
        self._sessions: list[Session] = []
        self.store = Store(folder / "store")
        with Client(url, self._key()) as founder:
            self.deployment: Deployment = deploy(founder)
        self.submitter, self.solver, *self.verifiers = [self.person() for _ in range(4)]
        self.stake(self.solver, Role.SOLVER, 5)  # it will be slashed, and goes on
        for verifier in self.verifiers:
            self.stake(verifier, Role.VERIFIER, 5)  # a quarter is locked by every task that no test brings to its end

    def close(self) -> None:
        """Drop everybody's connections."""
        for session in self._sessions:
            session.client.close()
            session.fetcher.close()

    def _key(self) -> Key:
        key = Key(secrets.token_bytes(32))
        self._fund(key.address)
        return key

    def person(self) -> Session:
        """Somebody with a key and play money."""
        home = self.folder / f"person-{len(self._sessions)}"
        network = Network(self.url, self.deployment, ())
        client = Client(self.url, self._key())
        made = Session("person", RoleSettings(folder=home), network, client, self.store, ProgressBoard(home.name))
        self._sessions.append(made)
        made.token.faucet()
        return made

    def stake(self, who: Session, role: Role, times: int = 1) -> None:
        needed = times * who.stakes.minimum(role)
        who.token.approve(who.stakes.address, needed)
        who.stakes.register(role, needed, "http://127.0.0.1:1")

    def skip(self, seconds: int) -> None:
        """Let time pass."""
        for method, parameters in (("evm_increaseTime", [seconds]), ("evm_mine", [])):
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
            assert "error" not in httpx2.post(self.url, json=body, trust_env=False).json()

    @cached_property
    def package(self) -> Package:
        return small(self.store)

    @cached_property
    def honest(self) -> Trajectory:
        return solve(self.package.spec, self.store, self.folder / "honest.jsonl")

    @cached_property
    def tampered(self) -> Trajectory:
        worker = tampering(runner(self.package.spec, self.store))
        return solve(self.package.spec, self.store, self.folder / "tampered.jsonl", worker)

    def post(self, windows: Windows | None = None) -> Life:
        price = quote(self.package.program, self.package.spec)
        self.submitter.token.approve(self.submitter.market.address, price.escrow)
        limits = windows or Windows(patrol_for=0, reveal_for=600)
        described = work(self.package, price, limits)
        posted = terms(self.package, price, limits)
        return Life(self, self.submitter.market.post(secrets.token_hex(32), posted, described), price.escrow)


@dataclass
class Life:
    """One task, as moves. Each returns the life, so that a test reads as a sentence."""

    village: Village
    id: str
    escrow: int

    @property
    def record(self) -> TaskRecord:
        return self.village.submitter.market.record(self.id)

    @property
    def task(self) -> Task:
        return self.record.task

    @property
    def verifiers(self) -> list[Session]:
        """Those drawn, by position."""
        by_address = {person.address: person for person in self.village.verifiers}
        return [by_address[address] for address in self.task.verifiers]

    def accepted(self) -> Life:
        self.village.solver.market.accept(self.id)
        return self

    def committed(self, trajectory: Trajectory) -> Life:
        """Swear to a trajectory, whose journal is put where a solver has it."""
        village, solver = self.village, self.village.solver
        blob = village.store.put(canonical(trajectory))
        lie = trajectory == village.tampered
        home = solver.folder_of(self.id)
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(village.folder / ("tampered.jsonl" if lie else "honest.jsonl"), home / "journal.jsonl")
        solver.settings = solver.settings.model_copy(update={"cheat": "weights" if lie else None})
        final = trajectory.checkpoints[-1].state_root
        solver.market.commit(self.id, Commitment(commitment_root(trajectory).hex(), blob, final))
        return self

    def drawn(self) -> Life:
        self.village.solver.market.draw(self.id)
        return self

    def intervals(self, position: int) -> tuple[int, ...]:
        return self.record.drawn_intervals(position)

    def audited_by(self, position: int) -> Sealed:
        """What the verifier at `position` finds, honestly, in what is published."""
        store, spec = self.village.store, self.village.package.spec
        commitment = self.record.result.commitment
        ready = runner(spec, store)
        return audit(
            self.id,
            self.verifiers[position].address,
            ready,
            lambda: read_trajectory(store.get(commitment.trajectory), commitment, spec, ready),
            store.get,
            self.intervals(position),
        )

    def attested(self, position: int, sealed: Sealed | None = None) -> Life:
        self.verifiers[position].market.attest(self.id, (sealed or self.audited_by(position)).commitment)
        return self

    def revealed(self, trajectory: Trajectory, position: int) -> Life:
        digests = Journal(self.village.solver.folder_of(self.id) / "journal.jsonl").digests
        leaves = [opening(trajectory, k + 1) for k in self.intervals(position)]
        opened = [
            Opening(
                digests[leaf.index - 1].hex(),
                leaf.prev_root.hex(),
                leaf.state_root.hex(),
                leaf.batches.hex(),
                tuple(word.hex() for word in leaf.proof),
            )
            for leaf in leaves
        ]
        self.village.solver.market.reveal(self.id, position, opened)
        return self

    def settled(self) -> Life:
        self.village.skip(1)  # the patrol of no seconds has to be over
        self.village.solver.market.settle(self.id)
        return self

    def disputed(self, position: int, sealed: Sealed, moves: int = 60) -> Life:
        """The verifier at `position` opens its finding, and both sides play, the challenger first, `moves` times at most."""
        village, spec = self.village, self.village.package.spec
        quarrel, defence = Quarrel(self.verifiers[position]), Defence(village.solver, Disputes(village.solver))
        listed = parse(Trajectory, village.store.get(self.record.result.commitment.trajectory))
        village.skip(1)
        for _ in range(moves):
            record = self.record
            if record.task.state.final:
                break
            quarrel.pursue(record, sealed, lambda: runner(spec, village.store), lambda: listed)
            defence.answer(record)
        return self

    @property
    def disputes(self) -> list[Dispute]:
        return Disputes(self.village.submitter).of(self.id)

    def receipt(self) -> Receipt:
        found = events(self.village.submitter.client, self.village.deployment, self.id)
        return receipt(self.record, [(event.name, dict(event.args)) for event in found])


@contextmanager
def a_village(folder: Path) -> Iterator[Village]:
    with Node(folder / "chain.sqlite", dev=True) as url:
        village = Village(url, folder)
        yield village
        village.close()


def blobs(trajectory: Trajectory) -> Sequence[Blob]:
    return [checkpoint.blob for checkpoint in trajectory.checkpoints]
