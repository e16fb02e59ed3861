"""The game's contracts on an EVM beside the pure rules: every move is made on both, and they must agree."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import boa
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from quarrel import INTERVAL, SOLVER, STEPS, Claims, Toy

from assay.chain.abi import Abi, revert_reason
from assay.contracts import artifact
from assay.dispute.calls import ContractCall, Matter, call_of, opening_words
from assay.dispute.case import Case
from assay.dispute.game import Outcome, apply, open_data, open_interval, open_leaf
from assay.dispute.moves import Move
from assay.dispute.record import ENDED, Game, Kind
from assay.errors import RefusedError

CHALLENGER = to_checksum_address("0x" + "c4" * 20)
STRANGER = to_checksum_address("0x" + "ab" * 20)
BURN = "0x000000000000000000000000000000000000dEaD"
HERE = Path(__file__).parent
SOURCES = Path(__file__).parents[3] / "src" / "assay" / "contracts" / "vyper"
TERMS = {
    "work": "bytes32", "program_root": "bytes32", "steps": "uint256", "interval": "uint256", "price": "uint256",
    "fee": "uint256", "verifiers": "uint256", "audit_intervals": "uint256", "collateral": "uint256",
    "open_for": "uint256", "work_for": "uint256", "patrol_for": "uint256", "attest_for": "uint256",
    "reveal_for": "uint256",
}  # fmt: skip
KEY = f"(address,bytes32,({','.join(TERMS.values())}))"
RESULT = "(bytes32,bytes32,bytes32,uint256,uint256,uint256,uint256,bytes32,address[])"


def _deploy(name: str, *args: tuple[str, Any]) -> str:
    tail = encode([kind for kind, _ in args], [value for _, value in args])
    return str(boa.env.deploy_code(bytecode=artifact(name).bytecode + tail)[0])


class Table:
    """Where games are played: token, a market that allows everything, referee, evidence, trajectory, game."""

    def __init__(self, token: Any = None) -> None:
        self.token_contract = token
        self.token = str(token.address) if token else _deploy("token")
        boa.interpret.set_search_paths([str(SOURCES)])
        self.market = boa.load(str(HERE / "recording_market.vy"), SOLVER)
        referee = _deploy("referee", ("address", _deploy("arithmetic")))
        evidence = _deploy("evidence", ("address", referee))
        trajectory = _deploy("trajectory")
        addresses = (self.token, str(self.market.address), evidence, trajectory)
        game = _deploy("game", *[("address", one) for one in addresses])
        self.address = {"game": game, "evidence": evidence, "trajectory": trajectory, "token": self.token}
        self.abi = {name: Abi(artifact(name).abi) for name in ("game", "evidence", "trajectory", "token")}
        for who in (CHALLENGER,):
            self.run(who, ContractCall("token", "faucet", ()))
            self.run(who, ContractCall("token", "approve", (game, 2**256 - 1)))
        self.gas: list[tuple[str, int]] = []

    @property
    def now(self) -> int:
        """The chain's clock."""
        return int(boa.env.evm.patch.timestamp)

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        boa.env.evm.patch.timestamp += seconds
        boa.env.evm.patch.block_number += 1

    def run(self, sender: str, call: ContractCall) -> list[tuple[str, dict[str, Any]]]:
        """Send a transaction; its events by name. Raises RefusedError with the contract's words."""
        abi, to = self.abi[call.contract], self.address[call.contract]
        data = abi.encode(call.function, *call.arguments)
        done = boa.env.execute_code(to_address=to, sender=sender, data=data, gas=2**32)
        if done.is_error:
            raise RefusedError(revert_reason(bytes(done.output)) if len(done.output) else "")
        if hasattr(self, "gas"):
            fee = 21_000 + sum(16 if byte else 4 for byte in data)
            self.gas.append((call.function, fee + done.get_gas_used() - min(done.get_gas_refund(), (fee + done.get_gas_used()) // 5)))
        found = []
        for address, topics, body in done.get_log_entries():
            for name, where in self.address.items():
                if int(where, 16) == int.from_bytes(address, "big"):
                    event = self.abi[name].decode_log([t.to_bytes(32, "big") for t in topics], body)
                    assert event is not None
                    found.append(event)
        return found

    def view(self, name: str, *args: Any) -> Any:
        """A view of the game contract."""
        data = self.abi["game"].encode(name, *args)
        done = boa.env.execute_code(to_address=self.address["game"], data=data, gas=2**32)
        return self.abi["game"].decode(name, bytes(done.output))

    def balance(self, who: str) -> int:
        """What somebody has of the currency."""
        data = self.abi["token"].encode("balanceOf", who)
        return int.from_bytes(boa.env.execute_code(to_address=self.token, data=data).output, "big")


class Play:
    """One game, on the contract and by the pure rules."""

    def __init__(self, table: Table, toy: Toy, claims: Claims, salt: int = 1) -> None:
        self.table, self.toy, self.claims, self.salt = table, toy, claims, salt.to_bytes(32, "big")
        self.key = {
            "submitter": STRANGER,
            "salt": self.salt,
            "terms": dict.fromkeys(TERMS, 1)
            | {"work": toy.work.digest, "program_root": toy.program_root, "steps": STEPS, "interval": INTERVAL},
        }
        self.result = {
            "root": claims.root, "final_root": claims.roots[STEPS], "trajectory": b"\x33" * 32, "trajectory_size": 4711,
            "committed_at": 1, "anchor": 2, "seats": 3, "seed": b"\x34" * 32, "verifiers": [STRANGER],
        }  # fmt: skip
        key_words = (STRANGER, self.salt, tuple(self.key["terms"].values()))
        self.case: Case = replace(
            toy.case(claims),
            task=keccak(encode([KEY], [key_words])),
            result=keccak(encode([RESULT], [tuple(self.result.values())])),
        )
        self.matter = Matter(table.address["game"], self.key, self.result, asdict(toy.work))
        self.id = b""
        self.game: Game | Outcome | None = None
        self.history: list[tuple[Game | None, Move | str, int]] = []

    def begin(self, kind: Kind, k: int, call: ContractCall, model: Any) -> Game | Outcome:
        """Open on both."""
        self.id = self.case.finding(CHALLENGER, kind, k, self.salt)
        return self._both(call, model, CHALLENGER, "open", None)

    def open(self, kind: Kind, k: int, first: int | None = None, last: int | None = None) -> Game | Outcome:
        """About an interval."""
        openings, work = self.claims.openings, self.matter.work
        pair = openings[k if first is None else first], openings[k + 1 if last is None else last]
        arguments = (kind, self.key, self.result, work, k, self.salt, *self.toy.coded, *map(opening_words, pair))
        now = self.table.now
        return self.begin(
            kind,
            k,
            ContractCall("game", "open", arguments),
            lambda: open_interval(self.case, kind, k, CHALLENGER, now, self.toy.coded, *pair),
        )

    def open_leaf(self, k: int) -> Game | Outcome:
        """Demand the leaves of an interval."""
        call = ContractCall("game", "open_leaf", (self.key, self.result, self.matter.work, k, self.salt))
        now = self.table.now
        return self.begin(Kind.LEAF, k, call, lambda: open_leaf(self.case, k, CHALLENGER, now))

    def open_data(self, k: int, index: int, number: int, chunk: int) -> Game | Outcome:
        """Demand a KiB."""
        leaf, (entry, proof) = self.claims.openings[index], self.toy.entry(number)
        head = (self.key, self.result, self.matter.work, k, index, self.salt, *self.toy.coded, opening_words(leaf))
        call = ContractCall("game", "open_data", (*head, number, entry, proof, chunk))
        now, coded = self.table.now, self.toy.coded
        return self.begin(
            Kind.DATA,
            k,
            call,
            lambda: open_data(self.case, k, index, CHALLENGER, now, coded, leaf, number, entry, proof, chunk),
        )

    def make(self, move: Move, by: str) -> Game | Outcome:
        """A move on both. Raises RefusedError if both refuse it with the same words."""
        game = self.game
        assert isinstance(game, Game)
        now = self.table.now
        refunded = self.table.market.state(self.case.task) == 6
        return self._both(
            call_of(self.id, game, move, self.matter),
            lambda: apply(game, move, now, by, self.case, refunded),
            by,
            move,
            game,
        )

    def _both(self, call: ContractCall, model: Any, by: str, move: Move | str, before: Game | None) -> Game | Outcome:
        try:
            wanted = model()
        except RefusedError as error:
            try:
                self.table.run(by, call)
            except RefusedError as theirs:
                assert theirs.message == error.message or not error.message, (error.message, theirs.message, move)
                raise error from None
            raise AssertionError(f"only the rules refuse {move}: {error.message}") from None
        events = dict(self.table.run(by, call))
        self.history.append((before, move, self.table.now))
        if isinstance(wanted, Game):
            assert self.table.view("games", self.id) == wanted.digest.hex()
            assert Game.of(events["Moved"]["game"]) == wanted
        else:
            ended = events["Ended"]
            assert (ended["upheld"], ended["reason"]) == (wanted.upheld, wanted.reason)
            assert (ended["paid"], ended["burned"]) == (wanted.paid, wanted.burned)
            assert self.table.view("games", self.id) == ENDED.hex()
        self.game = wanted
        return wanted


__all__ = ["BURN", "CHALLENGER", "SOLVER", "STRANGER", "Play", "Table"]
