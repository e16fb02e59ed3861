"""A chain with the shipped contracts on it, and a task whose life reads as moves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import boa
import rlp
from contract_reference import Result, audit_seed_of, drawn_intervals, finding, match
from eth_abi.abi import encode
from eth_utils.address import to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak

import assay.contracts
from assay.contracts import artifact

SOLVER, VERIFIER, WHISTLEBLOWER = 1, 2, 3
NONE, OPEN, ASSIGNED, COMMITTED, AUDITED, SETTLED, REFUNDED, DISPUTED = range(8)
SOLVER_MINIMUM, VERIFIER_MINIMUM, WHISTLEBLOWER_MINIMUM, UNBONDING = 500, 300, 200, 1000
VERIFIER_LOCK, WHISTLEBLOWER_LOCK = 75, 50
VERIFIER_COLLATERAL = 80
SOLVER_STAKE = 20_000
MONEY = 10_000 * 10**6
BURNED = "0x000000000000000000000000000000000000dEaD"
HERE = Path(__file__).parent
SOURCES = Path(assay.contracts.__file__).parent / "vyper"


class Work(NamedTuple):
    """What is computed, and how one quarrels about it, in the contract's order."""

    spec: bytes = b"\x11" * 32
    code_root: bytes = b"\x44" * 32
    initial_root: bytes = b"\x55" * 32
    dataset_root: bytes = b"\x66" * 32
    rows: int = 1000
    batch_size: int = 10
    seed: int = 7
    ways: int = 32
    clock: int = 600
    extension: int = 60
    bond: int = 100

    @property
    def hash(self) -> bytes:
        """What the terms name."""
        return keccak(encode([f"({','.join(['bytes32'] * 4 + ['uint256'] * 7)})"], [tuple(self)]))


class Terms(NamedTuple):
    """The market's terms, in the contract's order."""

    work: bytes = Work().hash
    program_root: bytes = b"\x22" * 32
    steps: int = 43
    interval: int = 5
    price: int = 1_000_000
    fee: int = 70_000
    verifiers: int = 2
    audit_intervals: int = 3
    collateral: int = 400
    verifier_collateral: int = VERIFIER_COLLATERAL
    open_for: int = 100
    work_for: int = 200
    patrol_for: int = 0
    attest_for: int = 300
    reveal_for: int = 400
    forced: int = 0

    @property
    def escrow(self) -> int:
        """What posting costs."""
        return self.price + self.fee * self.verifiers


class Key(NamedTuple):
    """What a task is called by."""

    submitter: Any
    salt: bytes
    terms: Terms

    @property
    def id(self) -> bytes:
        """The task's id."""
        kinds = f"(address,bytes32,(bytes32,bytes32{',uint256' * 14}))"
        return keccak(encode([kinds], [(str(self.submitter), self.salt, tuple(self.terms))]))


class Sworn(NamedTuple):
    """The result that the market keeps the hash of."""

    root: bytes = bytes(32)
    final_root: bytes = bytes(32)
    trajectory: bytes = bytes(32)
    trajectory_size: int = 0
    committed_at: int = 0
    anchor: int = 0
    seats: int = 0
    seed: bytes = bytes(32)
    verifiers: list[Any] = []  # noqa: RUF012

    @property
    def hash(self) -> bytes:
        """What the market keeps."""
        words = (*self[:-1], [str(one) for one in self.verifiers])
        return keccak(encode([f"(bytes32,bytes32,bytes32{',uint256' * 4},bytes32,address[])"], [words]))


def deploy(name: str, *args: tuple[str, Any]) -> Any:
    """The shipped contract, constructed with (type, value) pairs."""
    shipped = artifact(name)
    tail = encode([kind for kind, _ in args], [value for _, value in args])
    address, _ = boa.env.deploy_code(bytecode=shipped.bytecode + tail)
    return boa.loads_abi(json.dumps(shipped.abi), name=name).at(address)


def load(name: str) -> Any:
    """One of the contracts beside this file."""
    boa.interpret.set_search_paths([str(SOURCES)])
    return boa.load(str(HERE / f"{name}.vy"))


def next_address(ahead: int) -> str:
    """Where the contract that is deployed after `ahead` others will be."""
    deployer = to_canonical_address(str(boa.env.eoa))
    nonce = boa.env.evm.vm.state.get_nonce(deployer)
    return to_checksum_address(keccak(rlp.encode([deployer, nonce + ahead]))[12:])


def events(contract: Any, through: Any = None) -> list[tuple[str, dict[str, Any]]]:
    """What the contract logged in its last call, or in the last call of another one that called it: names and fields."""
    found = []
    for log in contract.get_logs((through or contract)._computation):
        fields = log._asdict()
        if str(fields.pop("address")) == str(contract.address):
            found.append((type(log).__name__, fields))
    return found


def event(contract: Any, name: str, through: Any = None) -> dict[str, Any]:
    """The only event of that name in the last call."""
    (fields,) = [fields for kind, fields in events(contract, through) if kind == name]
    return fields


class World:
    """The contracts, a clock, and people with money who trust the contracts with it. The game lets anybody rule."""

    def __init__(self, token: Any = None, members: bool = True) -> None:
        self.mine()
        self.token = token or deploy("token")
        self.game = load("forwarding_game")
        minima = (SOLVER_MINIMUM, VERIFIER_MINIMUM, WHISTLEBLOWER_MINIMUM, UNBONDING)
        addresses = [("address", self.token.address), ("address", next_address(2))]
        self.stakes = deploy("stakes", *addresses, *(("uint256", value) for value in minima))
        self.rules = deploy("rules")
        parts = [("address", part.address) for part in (self.token, self.stakes, self.rules, self.game)]
        self.market = deploy("market", *parts, ("address", next_address(1)))
        self.jackpot = deploy("jackpot", parts[0], ("address", self.market.address))
        assert self.market.jackpot() == self.jackpot.address
        assert self.stakes.market() == self.market.address
        self.game.attach(self.market.address)
        self.submitter, self.solver, self.stranger = (self.person(n) for n in ("submitter", "solver", "stranger"))
        self.verifiers: list[Any] = []
        if members:
            self.stakes.register(SOLVER, SOLVER_STAKE, "http://solver", sender=self.solver)
            self.verifiers = [self.verifier() for _ in range(4)]
        self.mine()

    def person(self, name: str = "") -> Any:
        """A new address with money."""
        who = boa.env.generate_address(name or None)
        self.token.faucet(sender=who)
        for contract in (self.stakes, self.market, self.jackpot):
            self.token.approve(contract.address, 2**256 - 1, sender=who)
        return who

    def verifier(self) -> Any:
        """A new staked verifier."""
        return self.member(VERIFIER, VERIFIER_MINIMUM)

    def whistleblower(self) -> Any:
        """A new staked whistleblower."""
        return self.member(WHISTLEBLOWER, WHISTLEBLOWER_MINIMUM)

    def member(self, role: int, stake: int) -> Any:
        """Somebody new with a stake in a role."""
        who = self.person()
        self.stakes.register(role, stake, "http://somewhere", sender=who)
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

    def task(self, salt: int = 1, submitter: Any = None, **changes: Any) -> Life:
        """A task that is not posted yet."""
        return Life(self, Key(submitter or self.submitter, salt.to_bytes(32, "big"), Terms(**changes)))

    def locked(self, who: Any, role: int) -> int:
        """What of a stake is locked."""
        return self.stakes.members(who, role).locked


class Life:
    """One task. Each move is a transaction by whoever may make it, and returns the task, so that moves chain."""

    def __init__(self, world: World, key: Key) -> None:
        self.world = world
        self.market = world.market
        self.key = key
        self.terms, self.salt, self.id = key.terms, key.salt, key.id
        self.work = Work()
        self.sworn = Sworn()
        self.sworn_before_draw = self.sworn
        self.is_settled = False
        self.sealers: set[Any] = set()

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
        return list(self.sworn.verifiers)

    def picks(self, position: int) -> list[int]:
        """The intervals of a verifier, by the specification."""
        audit_seed = audit_seed_of(self.sworn.seed)
        return drawn_intervals(position, self.terms.audit_intervals, self.result.intervals, audit_seed)

    def reader_of(self, interval: int) -> int:
        """Position of the verifier that replays `interval`."""
        (position,) = [j for j in range(self.terms.verifiers) if interval in self.picks(j)]
        return position

    def posted(self) -> Life:
        """The submitter pays."""
        self.market.post(self.salt, self.terms, self.work, sender=self.key.submitter)
        return self

    def accepted(self, solver: Any = None) -> Life:
        """The solver takes it."""
        self.market.accept(self.key, sender=solver or self.world.solver)
        return self

    def committed(self, root: bytes | None = None, final_root: bytes | None = None) -> Life:
        """The solver swears to its result."""
        root = self.result.root if root is None else root
        final = self.result.final_root if final_root is None else final_root
        solver = self.info.solver
        self.market.commit(self.key, root, final, b"\x33" * 32, 4711, sender=solver)
        told = event(self.market, "Committed")
        self.sworn = Sworn(root, final, b"\x33" * 32, 4711, told["committed_at"], told["anchor"], told["seats"])
        return self

    def reanchored(self) -> Life:
        """The result is as the last call, which took a new block for the draw, has left it."""
        told = event(self.market, "Reanchored")
        self.sworn = self.sworn._replace(anchor=told["anchor"], seats=told["seats"], seed=bytes(32), verifiers=[])
        return self

    def drawn(self) -> Life:
        """A stranger draws, one block later."""
        self.world.mine()
        return self.drawn_now()

    def drawn_now(self) -> Life:
        """A stranger draws at once."""
        self.sworn = Sworn(*self.market.draw(self.key, self.sworn, sender=self.world.stranger))
        return self

    def previewed(self) -> Life:
        """Everybody knows who will be drawn, a block later, though nobody has drawn."""
        self.world.mine()
        self.sworn_before_draw = self.sworn
        with boa.env.anchor():
            self.drawn_now()
        return self

    def sealed_by(self, who: Any) -> bytes:
        """What the market keeps of somebody's finding."""
        return self.market.sealed(self.id, who)

    def match_of(self, position: int) -> bytes:
        """What the verifier at a position seals that has replayed and found the same."""
        return match(self.id, self.sworn.verifiers[position], self.result.digests_of(self.picks(position)))

    def attested(self, *positions: int) -> Life:
        """These verifiers (all, if none is named) have found what the solver found."""
        for j in positions or range(self.terms.verifiers):
            sworn = self.sworn if self.market.results(self.id) == self.sworn.hash else self.sworn_before_draw
            self.market.attest(self.key, sworn, self.match_of(j), sender=self.drawn_verifiers[j])
            self.sealers.add(self.drawn_verifiers[j])
        return self

    def attested_lazily(self, position: int) -> Life:
        """This verifier has made something up."""
        self.market.attest(self.key, self.sworn, keccak(b"made up"), sender=self.drawn_verifiers[position])
        return self

    def attested_finding(self, position: int, found: tuple[int, int, bytes]) -> Life:
        """This verifier has found something else."""
        who = self.drawn_verifiers[position]
        self.market.attest(self.key, self.sworn, finding(self.id, who, found), sender=who)
        return self

    def accused(self, who: Any, found: tuple[int, int, bytes]) -> Life:
        """Somebody who was not drawn has found something else."""
        self.market.accuse(self.key, self.sworn, finding(self.id, who, found), sender=who)
        return self

    def revealed(self, *positions: int, lists: Sequence[Any] | None = None) -> Life:
        """The solver opens the traces of these verifiers (all, if none is named)."""
        for j in positions or [j for j, who in enumerate(self.drawn_verifiers) if any(self.sealed_by(who))]:
            opened = lists or self.result.opening(self.picks(j))
            self.market.reveal(self.key, self.sworn, j, *opened, sender=self.info.solver)
            self.is_settled = any(name == "Settled" for name, _ in events(self.market))
        return self

    def disputed(self, who: Any, found: tuple[int, int, bytes]) -> Life:
        """The game opens what `who` had sealed."""
        assert self.world.game.dispute(self.key, self.sworn, who, *found) == self.info.solver
        return self

    def ruled(self, who: Any, upheld: bool) -> Life:
        """The game of `who` is over."""
        self.world.game.rule(self.key, self.sworn, who, upheld)
        return self

    def conceded(self, interval: int) -> Life:
        """The solver admits a fault."""
        self.market.concede(self.key, self.sworn, interval, sender=self.info.solver)
        return self

    def settled(self) -> Life:
        """A stranger settles, unless the last reveal has done so."""
        if self.is_settled:
            self.is_settled = False
            return self
        self.market.settle(self.key, self.sworn, sender=self.world.stranger)
        return self

    def expired(self, by: Any = None) -> Life:
        """A stranger, or somebody else, ends what is over. If nobody had attested, others are drawn then."""
        self.market.settle(self.key, self.sworn, sender=by or self.world.stranger)
        if any(name == "Reanchored" for name, _ in events(self.market)):
            self.reanchored()
        return self

    def late(self) -> Life:
        """The deadline passes by one second."""
        self.world.mine(seconds=self.info.deadline + 1 - self.world.now)
        return self

    def last_moment(self) -> Life:
        """The last second of the deadline comes."""
        self.world.mine(seconds=self.info.deadline - self.world.now)
        return self
