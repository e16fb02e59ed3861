"""A submitter, a solver, two verifiers and a whistleblower on a fresh deployment, and results that are made up."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from assay.chain import Client, Market, Opening, Role, Terms, Work, deploy
from assay.words import Blob, Commitment

WINDOWS = {"open_for": 100, "work_for": 100, "patrol_for": 0, "attest_for": 100, "reveal_for": 100}
COUNTS = {
    "steps": 4,
    "interval": 2,
    "price": 5000,
    "fee": 300,
    "verifiers": 2,
    "audit_intervals": 1,
    "collateral": 4000,
}
NUMBERS = {"rows": 10, "batch_size": 2, "seed": 7, "ways": 4, "clock": 100, "extension": 10, "bond": 50}
ROOTS = {"spec": "ab" * 32, "code_root": "01" * 32, "initial_root": "02" * 32, "dataset_root": "03" * 32}
WORK = Work(**ROOTS, **NUMBERS)


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


@dataclass
class Chain:
    """A chain to run a life on, and how it makes time pass."""

    url: str
    connect: Callable[..., Client]
    ask: Callable[..., Any]
    fund: Callable[[str], None]

    def person(self) -> Client:
        return self.connect(self.url)

    def skip(self, seconds: int) -> None:
        self.ask(self.url, "evm_increaseTime", seconds)
        self.ask(self.url, "evm_mine")


class Solution:
    """A trajectory of two intervals of two steps, made up, but committed to as a real one is."""

    def __init__(self, terms: Terms) -> None:
        self.states = [sha(b"state", bytes([k])) for k in range(3)]
        self.digests = [sha(b"digest", bytes([k])) for k in range(3)]
        self.batches = [bytes(32), sha(b"batches 1"), sha(b"batches 2")]
        program = bytes.fromhex(terms.program_root)
        leaves = []
        for k in range(3):
            previous = self.states[k - 1] if k else bytes(32)
            trace = sha(b"\x05", self.digests[k])
            step = min(k * terms.interval, terms.steps).to_bytes(8, "big")
            leaves.append(sha(b"\x04", previous, self.states[k], step, self.batches[k], program, trace))
        self.leaves = [*leaves, bytes(32)]
        self.pairs = [sha(b"\x01", *self.leaves[:2]), sha(b"\x01", *self.leaves[2:])]
        self.root = sha(b"\x01", *self.pairs)

    @property
    def commitment(self) -> Commitment:
        blob = Blob(sha256=sha(b"trajectory").hex(), size=777)
        return Commitment(root=self.root.hex(), trajectory=blob, final_root=self.states[2].hex())

    def opening(self, interval: int) -> Opening:
        k = interval + 1
        path = (self.leaves[k ^ 1].hex(), self.pairs[(k >> 1) ^ 1].hex())
        roots = (self.states[k - 1].hex(), self.states[k].hex(), self.batches[k].hex())
        return Opening(self.digests[k].hex(), *roots, path)

    def seal(self, task: str, verifier: str, intervals: tuple[int, ...]) -> str:
        found = keccak(b"".join(self.digests[k + 1] for k in intervals))
        return keccak(encode(["bytes32", "address", "bytes32"], [bytes.fromhex(task), verifier, found])).hex()


class Cast:
    """Everybody, staked and funded."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.submitter, self.solver, *self.verifiers, self.whistleblower = (chain.person() for _ in range(5))
        self.deployment = deploy(self.submitter, unbonding=60)
        self.deployment.check(self.submitter)
        members = [(Role.SOLVER, self.solver), *((Role.VERIFIER, verifier) for verifier in self.verifiers)]
        for role, person in (*members, (Role.WHISTLEBLOWER, self.whistleblower)):
            token, stakes, _ = self.deployment.connect(person)
            token.faucet()
            token.approve(stakes.address, 10**9)
            stakes.register(role, stakes.minimum(role), f"http://127.0.0.1/{person.address}")
        token, _, market = self.deployment.connect(self.submitter)
        token.faucet()
        token.approve(market.address, 10**9)

    def market(self, person: Client) -> Market:
        """A market object of this person's, fresh: it knows what the chain knows, and nothing else."""
        return self.deployment.connect(person)[2]

    def terms(self, work: Work = WORK, **changes: int) -> Terms:
        return Terms(work=work.digest, program_root="cd" * 32, **(WINDOWS | COUNTS | changes))

    def post(self, **changes: int) -> tuple[str, Terms]:
        terms = self.terms(**changes)
        return self.market(self.submitter).post(secrets.token_hex(32), terms, WORK), terms

    def committed(self, **changes: int) -> tuple[str, Solution]:
        task, terms = self.post(**changes)
        solution, solver = Solution(terms), self.market(self.solver)
        solver.accept(task)
        solver.commit(task, solution.commitment)
        return task, solution

    def by_address(self, address: str) -> Client:
        return next(person for person in self.verifiers if person.address == address)

    def attested(self, **changes: int) -> tuple[str, Solution]:
        """All verifiers have attested to what the solver has."""
        task, solution = self.committed(**changes)
        self.market(self.submitter).draw(task)
        for position, address in enumerate(self.market(self.submitter).task(task).verifiers):
            drawn = self.market(self.submitter).record(task).drawn_intervals(position)
            self.market(self.by_address(address)).attest(task, solution.seal(task, address, drawn))
        return task, solution
