"""A chain with the shipped contracts on it, and a task whose life reads as moves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import boa
from contract_reference import Result, audit_seed_of, drawn_intervals, match, mismatch
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from assay.contracts import artifact

SOLVER, VERIFIER = 1, 2
NONE, OPEN, ASSIGNED, COMMITTED, AUDITED, SETTLED, REFUNDED = range(7)
SOLVER_MINIMUM, VERIFIER_MINIMUM, UNBONDING = 500, 300, 1000
MONEY = 10_000 * 10**6
HERE = Path(__file__).parent


class Terms(NamedTuple):
    """The market's terms, in the contract's order."""

    spec: bytes = b"\x11" * 32
    program_root: bytes = b"\x22" * 32
    steps: int = 43
    interval: int = 5
    price: int = 1_000_000
    fee: int = 70_000
    verifiers: int = 2
    audit_intervals: int = 3
    open_for: int = 100
    work_for: int = 200
    attest_for: int = 300
    reveal_for: int = 400

    @property
    def escrow(self) -> int:
        """What posting costs."""
        return self.price + self.fee * self.verifiers


def deploy(name: str, *args: tuple[str, Any]) -> Any:
    """The shipped contract, constructed with (type, value) pairs."""
    shipped = artifact(name)
    tail = encode([kind for kind, _ in args], [value for _, value in args])
    address, _ = boa.env.deploy_code(bytecode=shipped.bytecode + tail)
    return boa.loads_abi(json.dumps(shipped.abi), name=name).at(address)


def deploy_odd_token(name: str) -> Any:
    """One of the misbehaving tokens beside this file."""
    return boa.load(str(HERE / f"{name}.vy"))


def events(contract: Any) -> list[tuple[str, dict[str, Any]]]:
    """What the contract's last call logged: names and fields."""
    found = []
    for log in contract.get_logs():
        fields = log._asdict()
        if str(fields.pop("address")) == str(contract.address):
            found.append((type(log).__name__, fields))
    return found


def event(contract: Any, name: str) -> dict[str, Any]:
    """The only event of that name in the last call."""
    (fields,) = [fields for kind, fields in events(contract) if kind == name]
    return fields


class World:
    """The three contracts, a clock, and people with money who trust the contracts with it."""

    def __init__(self, token: Any = None, members: bool = True) -> None:
        self.mine()
        self.token = token or deploy("token")
        minima = [("uint256", SOLVER_MINIMUM), ("uint256", VERIFIER_MINIMUM), ("uint256", UNBONDING)]
        self.stakes = deploy("stakes", ("address", self.token.address), *minima)
        self.market = deploy("market", ("address", self.token.address), ("address", self.stakes.address))
        self.submitter, self.solver, self.stranger = (self.person(n) for n in ("submitter", "solver", "stranger"))
        self.verifiers: list[Any] = []
        if members:
            self.stakes.register(SOLVER, SOLVER_MINIMUM, "http://solver", sender=self.solver)
            self.verifiers = [self.verifier() for _ in range(4)]
        self.mine()

    def person(self, name: str = "") -> Any:
        """A new address with money."""
        who = boa.env.generate_address(name or None)
        self.token.faucet(sender=who)
        for contract in (self.stakes, self.market):
            self.token.approve(contract.address, 2**256 - 1, sender=who)
        return who

    def verifier(self) -> Any:
        """A new staked verifier."""
        who = self.person()
        self.stakes.register(VERIFIER, VERIFIER_MINIMUM, "http://verifier", sender=who)
        return who

    def mine(self, blocks: int = 1, seconds: int = 1) -> None:
        """Let blocks and seconds pass. boa's blocks have no hashes by themselves."""
        patch = boa.env.evm.patch
        patch.block_number += blocks
        patch.timestamp += seconds
        patch.prev_hashes = [self.block_hash(patch.block_number - back) for back in range(1, 257)]

    @staticmethod
    @cache
    def block_hash(number: int) -> bytes:
        """The hash that `mine` gives to a block."""
        return keccak(b"block" + number.to_bytes(32, "big", signed=True))

    @property
    def now(self) -> int:
        """The chain's clock."""
        return boa.env.timestamp

    @property
    def height(self) -> int:
        """The current block's number."""
        return boa.env.evm.patch.block_number

    def task(self, salt: int = 1, **changes: Any) -> Life:
        """A task that is not posted yet."""
        return Life(self, salt, Terms(**changes))


class Life:
    """One task. Each move is a transaction by whoever may make it, and returns the task, so that moves chain."""

    def __init__(self, world: World, salt: int, terms: Terms) -> None:
        self.world = world
        self.market = world.market
        self.terms = terms
        self.salt = salt.to_bytes(32, "big")
        self.id: bytes = self.market.task_id(world.submitter, self.salt)

    @cached_property
    def result(self) -> Result:
        """What the solver has computed."""
        terms = self.terms
        return Result.random(terms.steps, terms.interval, terms.program_root, seed=self.salt[-1])

    @property
    def info(self) -> Any:
        """The task as the contract has it."""
        return self.market.tasks(self.id)

    @property
    def state(self) -> int:
        """The task's state."""
        return self.info.state

    @property
    def drawn_verifiers(self) -> list[Any]:
        """Who was drawn."""
        return list(self.market.verifiers(self.id))

    def picks(self, position: int) -> list[int]:
        """The intervals of a verifier, by the specification."""
        audit_seed = audit_seed_of(self.info.seed)
        return drawn_intervals(position, self.terms.audit_intervals, self.result.intervals, audit_seed)

    def posted(self) -> Life:
        """The submitter pays."""
        self.market.post(self.salt, self.terms, sender=self.world.submitter)
        return self

    def accepted(self) -> Life:
        """The solver takes it."""
        self.market.accept(self.id, sender=self.world.solver)
        return self

    def committed(self, root: bytes | None = None, final_root: bytes | None = None) -> Life:
        """The solver swears to its result."""
        root = self.result.root if root is None else root
        final = self.result.final_root if final_root is None else final_root
        self.market.commit(self.id, root, final, b"\x33" * 32, 4711, sender=self.world.solver)
        return self

    def drawn(self) -> Life:
        """A stranger draws, one block later."""
        self.world.mine()
        self.market.draw(self.id, sender=self.world.stranger)
        return self

    def attested(self, *positions: int) -> Life:
        """These verifiers (all, if none is named) have found what the solver found."""
        for j in positions or range(self.terms.verifiers):
            who = self.drawn_verifiers[j]
            self.market.attest(self.id, match(self.id, who, self.result.digests_of(self.picks(j))), sender=who)
        return self

    def attested_lazily(self, position: int) -> Life:
        """This verifier has made something up."""
        self.market.attest(self.id, keccak(b"made up"), sender=self.drawn_verifiers[position])
        return self

    def attested_mismatch(self, position: int, opening: tuple[int, int, bytes, int, bytes]) -> Life:
        """This verifier has found something else."""
        who = self.drawn_verifiers[position]
        self.market.attest(self.id, mismatch(self.id, who, opening), sender=who)
        return self

    def revealed(self, *positions: int, lists: Sequence[Any] | None = None) -> Life:
        """The solver opens the traces of these verifiers (all, if none is named)."""
        for j in positions or range(self.terms.verifiers):
            self.market.reveal(self.id, j, *(lists or self.result.opening(self.picks(j))), sender=self.world.solver)
        return self

    def claimed(self, position: int, opening: tuple[int, int, bytes, int, bytes]) -> Life:
        """This verifier opens its mismatch."""
        self.market.claim_mismatch(self.id, *opening, sender=self.drawn_verifiers[position])
        return self

    def settled(self) -> Life:
        """A stranger settles."""
        self.market.settle(self.id, sender=self.world.stranger)
        return self

    def expired(self) -> Life:
        """A stranger ends what is over."""
        self.market.expire(self.id, sender=self.world.stranger)
        return self

    def late(self) -> Life:
        """The deadline passes by one second."""
        self.world.mine(seconds=self.info.deadline + 1 - self.world.now)
        return self

    def last_moment(self) -> Life:
        """The last second of the deadline comes."""
        self.world.mine(seconds=self.info.deadline - self.world.now)
        return self
