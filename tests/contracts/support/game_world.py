"""The game's contracts on an EVM beside the pure rules: every move is made on both, and they must agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import boa
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from quarrel import SOLVER, Claims, Toy

from assay.chain.abi import Abi, revert_reason
from assay.contracts import artifact
from assay.dispute.calls import ContractCall, Matter, call_of, opening_words
from assay.dispute.case import Case
from assay.dispute.game import Outcome, apply, open_data, open_interval, open_leaf
from assay.dispute.moves import Move
from assay.dispute.record import ENDED, Game, Kind
from assay.errors import RefusedError

CHALLENGER = to_checksum_address("0x" + "c4" * 20)
SUBMITTER, VERIFIER, STRANGER = (to_checksum_address(f"0x{digit * 40}") for digit in ("b", "d", "e"))
PEOPLE = (SUBMITTER, SOLVER, VERIFIER, CHALLENGER, STRANGER)
BURN = "0x000000000000000000000000000000000000dEaD"
TERMS = {
    "work": "bytes32", "program_root": "bytes32", "steps": "uint256", "interval": "uint256", "price": "uint256",
    "fee": "uint256", "verifiers": "uint256", "audit_intervals": "uint256", "collateral": "uint256",
    "verifier_collateral": "uint256",
    "open_for": "uint256", "work_for": "uint256", "patrol_for": "uint256", "attest_for": "uint256",
    "reveal_for": "uint256", "forced": "uint256",
}  # fmt: skip
KEY = f"(address,bytes32,({','.join(TERMS.values())}))"
RESULT = "(bytes32,bytes32,bytes32,uint256,uint256,uint256,uint256,bytes32,address[])"


PLACES = {
    name: to_checksum_address(f"0x{i:040x}") for i, name in enumerate(("stakes", "market", "game", "jackpot"), 0xA0001)
}
"""Where contracts that know each other are; a chain's own addresses could be foreseen as well."""


def _deploy(name: str, *args: tuple[str, Any]) -> str:
    tail = encode([kind for kind, _ in args], [value for _, value in args])
    code = artifact(name).bytecode + tail
    return str(boa.env.deploy_code(bytecode=code, override_address=PLACES.get(name))[0])


def _begin_transaction(sender: str, to: str) -> None:
    """What a chain does between two transactions, and boa does not: nothing is warm, and what is stored is committed.

    Gas is then that of real transactions. Nothing can be rolled back any more.
    """
    state = boa.env.evm.vm.state
    state.lock_changes()
    state.clear_transient_storage()
    boa.env.evm.reset_access_counters()
    for address in (sender, to):
        state.mark_address_warm(bytes.fromhex(address[2:]))
    for precompile in range(1, 11):
        state.mark_address_warm(precompile.to_bytes(20, "big"))


class Table:
    """Where games are played: all contracts, a submitter, a solver, a drawn verifier, a whistleblower with a grudge."""

    def __init__(self, token: Any = None, exact: bool = False) -> None:
        self.exact = exact
        self.gas: list[tuple[str, int]] = []
        self.opened = ContractCall("", "", ())
        self.mine()
        self.token = str(token.address) if token else _deploy("token")
        kinds = ["address", "address", "uint256", "uint256", "uint256", "uint256"]
        stakes = _deploy("stakes", *zip(kinds, (self.token, PLACES["market"], 500, 300, 200, 1000), strict=True))
        parts = (self.token, stakes, _deploy("rules"), PLACES["game"], PLACES["jackpot"])
        market = _deploy("market", *[("address", one) for one in parts])
        referee = _deploy("referee", ("address", _deploy("arithmetic")))
        evidence, trajectory = _deploy("evidence", ("address", referee)), _deploy("trajectory")
        game = _deploy("game", *[("address", one) for one in (self.token, market, evidence, trajectory)])
        self.address = {"game": game, "evidence": evidence, "trajectory": trajectory}
        self.address |= {"token": self.token, "market": market, "stakes": stakes}
        self.abi = {name: Abi(artifact(name).abi) for name in self.address}
        for who in (SUBMITTER, SOLVER, VERIFIER, CHALLENGER):
            self.send(who, "token", "faucet")
            for spender in (game, market, stakes):
                self.send(who, "token", "approve", spender, 2**256 - 1)
        for role, who in enumerate((SOLVER, VERIFIER, CHALLENGER), 1):
            self.send(who, "stakes", "register", role, 10**6, "")
        self.mine()
        self.places = [*PEOPLE, game, market, stakes, BURN]
        self.supply = sum(map(self.balance, self.places))

    def mine(self, blocks: int = 1, seconds: int = 1) -> None:
        """Let blocks and seconds pass; boa's blocks have no hashes by themselves."""
        patch = boa.env.evm.patch
        patch.block_number += blocks
        patch.timestamp += seconds
        patch.prev_hashes = [keccak(b"%d" % (patch.block_number - back)) for back in range(1, 257)]

    def send(self, sender: str, contract: str, function: str, *arguments: Any) -> dict[str, dict[str, Any]]:
        """A transaction to any contract; its events by name."""
        return dict(self.run(sender, ContractCall(contract, function, arguments)))

    @property
    def now(self) -> int:
        """The chain's clock."""
        return int(boa.env.evm.patch.timestamp)

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.mine(seconds=seconds)

    def run(self, sender: str, call: ContractCall) -> list[tuple[str, dict[str, Any]]]:
        """Send a transaction; its events by name. Raises RefusedError with the contract's words."""
        abi, to = self.abi[call.contract], self.address[call.contract]
        data = abi.encode(call.function, *call.arguments)
        if self.exact:
            _begin_transaction(sender, to)
        done = boa.env.execute_code(to_address=to, sender=sender, data=data, gas=2**32)
        if done.is_error:
            raise RefusedError(revert_reason(bytes(done.output)) if len(done.output) else "")
        used = 21_000 + sum(16 if byte else 4 for byte in data) + done.get_gas_used()
        self.gas.append((call.function, used - min(done.get_gas_refund(), used // 5)))
        found = []
        for address, topics, body in done.get_log_entries():
            for name, where in self.address.items():
                if int(where, 16) == int.from_bytes(address, "big"):
                    event = self.abi[name].decode_log([t.to_bytes(32, "big") for t in topics], body)
                    assert event is not None
                    found.append(event)
        return found

    def view(self, name: str, *args: Any, of: str = "game") -> Any:
        """A view of a contract."""
        data = self.abi[of].encode(name, *args)
        done = boa.env.execute_code(to_address=self.address[of], data=data, gas=2**32)
        return self.abi[of].decode(name, bytes(done.output))

    def balance(self, who: str) -> int:
        """What somebody has of the currency."""
        return int(self.view("balanceOf", who, of="token"))


class Play:
    """One game, on the contract and by the pure rules."""

    def __init__(self, table: Table, toy: Toy, claims: Claims, salt: int = 1) -> None:
        self.table, self.toy, self.claims, self.salt = table, toy, claims, salt.to_bytes(32, "big")
        windows = {name: 1000 for name in ("open_for", "work_for", "patrol_for", "attest_for", "reveal_for")}
        terms = {
            "work": toy.work.digest, "program_root": toy.program_root, "steps": toy.steps, "interval": toy.interval,
            "price": 10**6, "fee": 10**5, "verifiers": 1, "audit_intervals": 1, "collateral": 1000,
            "verifier_collateral": 75, **windows, "reveal_for": 10_000, "forced": 0,
        }  # fmt: skip
        self.key = {"submitter": SUBMITTER, "salt": self.salt, "terms": terms}
        task = keccak(encode([KEY], [(SUBMITTER, self.salt, tuple(terms.values()))]))
        self.result: dict[str, Any] = {}
        self.case: Case = replace(toy.case(claims), task=task)
        self.matter = Matter(table.address["game"], self.key, self.result, asdict(toy.work))
        self.id = b""
        self.game: Game | Outcome | None = None
        self.first: Game | Outcome | None = None

    def sealed(self, kind: Kind, k: int) -> None:
        """The task's life until a finding of this kind about interval `k` may be opened."""
        table, claims, key = self.table, self.claims, self.key
        self.id = self.case.finding(CHALLENGER, kind, k, self.salt)
        table.send(SUBMITTER, "market", "post", self.salt, key["terms"], self.matter.work)
        table.send(SOLVER, "market", "accept", key)
        swears = (key, claims.root, claims.final_root, b"\x33" * 32, 4711)
        found = table.send(SOLVER, "market", "commit", *swears)["Committed"]
        names = ("root", "final_root", "trajectory", "trajectory_size", "committed_at", "anchor", "seats")
        self.result |= {name: found[name] for name in names} | {"seed": bytes(32), "verifiers": []}
        table.mine()
        drawn = table.send(VERIFIER, "market", "attest", key, self.result, b"\x0f" * 32)["Drawn"]
        self.result |= {"seed": drawn["seed"], "verifiers": list(drawn["verifiers"])}
        table.send(CHALLENGER, "market", "accuse", key, self.result, self.id)
        words = [
            bytes.fromhex(word) if isinstance(word, str) and len(word) == 64 else word for word in self.result.values()
        ]
        self.case = replace(self.case, result=keccak(encode([RESULT], [tuple(words)])))
        table.mine(seconds=1001)

    def open(self, kind: Kind, k: int, first: int | None = None, last: int | None = None) -> Game | Outcome:
        """About an interval, which was sealed before."""
        self.sealed(kind, k)
        return self.opened(kind, k, first, last)

    def opened(self, kind: Kind, k: int, first: int | None = None, last: int | None = None) -> Game | Outcome:
        """The opening alone."""
        openings, work = self.claims.openings, self.matter.work
        pair = openings[k if first is None else first], openings[k + 1 if last is None else last]
        arguments = (kind, self.key, self.result, work, k, self.salt, *self.toy.coded, *map(opening_words, pair))
        now = self.table.now
        call = self.table.opened = ContractCall("game", "open", arguments)
        coded = self.toy.coded
        return self._both(call, lambda: open_interval(self.case, kind, k, CHALLENGER, now, coded, *pair), CHALLENGER)

    def open_leaf(self, k: int) -> Game | Outcome:
        """Demand the leaves of an interval."""
        self.sealed(Kind.LEAF, k)
        call = ContractCall("game", "open_leaf", (self.key, self.result, self.matter.work, k, self.salt))
        now = self.table.now
        return self._both(call, lambda: open_leaf(self.case, k, CHALLENGER, now), CHALLENGER)

    def open_data(self, k: int, index: int, number: int, chunk: int) -> Game | Outcome:
        """Demand a KiB."""
        self.sealed(Kind.DATA, k)
        leaf, (entry, proof) = self.claims.openings[index], self.toy.entry(number)
        head = (self.key, self.result, self.matter.work, k, index, self.salt, *self.toy.coded, opening_words(leaf))
        call = ContractCall("game", "open_data", (*head, number, entry, proof, chunk))
        now, coded = self.table.now, self.toy.coded
        named = (coded, leaf, number, entry, proof, chunk)
        return self._both(call, lambda: open_data(self.case, k, index, CHALLENGER, now, *named), CHALLENGER)

    def make(self, move: Move, by: str) -> Game | Outcome:
        """A move on both. Raises RefusedError if both refuse it with the same words."""
        game = self.game
        assert isinstance(game, Game)
        now, refunded = self.table.now, self.table.view("state", self.case.task, of="market") == 6
        call = call_of(self.id, game, move, self.matter)
        return self._both(call, lambda: apply(game, move, now, by, self.case, refunded), by)

    def make_at(self, game: Game, move: Move, at: int, by: str) -> Game | Outcome:
        """A move at a time that is not before now."""
        assert game == self.game
        self.table.wait(at - self.table.now)
        return self.make(move, by)

    def _refusal(self, call: ContractCall, by: str) -> str | None:
        """The contract's words, None if it goes through."""
        try:
            self.table.run(by, call)
        except RefusedError as error:
            return error.message
        return None

    def _both(self, call: ContractCall, model: Callable[[], Game | Outcome], by: str) -> Game | Outcome:
        try:
            wanted = model()
        except RefusedError as error:
            words = self._refusal(call, by)
            if words is None or error.message not in ("", words):
                raise AssertionError(
                    f"{call.function}: the rules say {error.message!r}, the contract {words!r}"
                ) from None
            raise
        events = dict(self.table.run(by, call))
        if isinstance(wanted, Game):
            assert self.table.view("games", self.id) == wanted.digest.hex()
            assert Game.of(events["Moved"]["game"]) == wanted
        else:
            ended = events["Ended"]
            assert (ended["upheld"], ended["reason"]) == (wanted.upheld, wanted.reason)
            assert (ended["paid"], ended["burned"]) == (wanted.paid, wanted.burned)
            assert self.table.view("games", self.id) == ENDED.hex()
        self.first = wanted if self.game is None else self.first
        self.game = wanted
        return wanted


__all__ = ["BURN", "CHALLENGER", "SOLVER", "STRANGER", "Play", "Table"]
