"""The game's contracts on an EVM beside the pure rules: every move is made on both, and they must agree."""

from __future__ import annotations

from dataclasses import asdict, replace
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
SUBMITTER, VERIFIER, STRANGER = (to_checksum_address(f"0x{digit * 40}") for digit in ("b", "d", "e"))
PEOPLE = (SUBMITTER, SOLVER, VERIFIER, CHALLENGER, STRANGER)
BURN = "0x000000000000000000000000000000000000dEaD"
TERMS = {
    "work": "bytes32", "program_root": "bytes32", "steps": "uint256", "interval": "uint256", "price": "uint256",
    "fee": "uint256", "verifiers": "uint256", "audit_intervals": "uint256", "collateral": "uint256",
    "open_for": "uint256", "work_for": "uint256", "patrol_for": "uint256", "attest_for": "uint256",
    "reveal_for": "uint256",
}  # fmt: skip
KEY = f"(address,bytes32,({','.join(TERMS.values())}))"
RESULT = "(bytes32,bytes32,bytes32,uint256,uint256,uint256,uint256,bytes32,address[])"


PLACES = {name: to_checksum_address(f"0x{i:040x}") for i, name in enumerate(("stakes", "market", "game"), 0xA0001)}
"""Where contracts that know each other are; a chain's own addresses could be foreseen as well."""


def _deploy(name: str, *args: tuple[str, Any]) -> str:
    tail = encode([kind for kind, _ in args], [value for _, value in args])
    code = artifact(name).bytecode + tail
    return str(boa.env.deploy_code(bytecode=code, override_address=PLACES.get(name))[0])


class Table:
    """Where games are played: all contracts, a submitter, a solver, a drawn verifier, a whistleblower with a grudge."""

    def __init__(self, token: Any = None) -> None:
        self.gas: list[tuple[str, int]] = []
        self.mine()
        self.token = str(token.address) if token else _deploy("token")
        kinds = ["address", "address", "uint256", "uint256", "uint256", "uint256"]
        stakes = _deploy("stakes", *zip(kinds, (self.token, PLACES["market"], 500, 300, 200, 1000), strict=True))
        market = _deploy("market", *[("address", one) for one in (self.token, stakes, PLACES["game"])])
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
            "work": toy.work.digest, "program_root": toy.program_root, "steps": STEPS, "interval": INTERVAL,
            "price": 10**6, "fee": 10**5, "verifiers": 1, "audit_intervals": 1, "collateral": 1000, **windows,
        }  # fmt: skip
        self.key = {"submitter": SUBMITTER, "salt": self.salt, "terms": terms}
        task = keccak(encode([KEY], [(SUBMITTER, self.salt, tuple(terms.values()))]))
        self.result: dict[str, Any] = {}
        self.case: Case = replace(toy.case(claims), task=task)
        self.matter = Matter(table.address["game"], self.key, self.result, asdict(toy.work))
        self.id = b""
        self.game: Game | Outcome | None = None
        self.history: list[tuple[Game | None, Move | str, int]] = []

    def sealed(self, kind: Kind, k: int) -> None:
        """The task's life until a finding of this kind about interval `k` may be opened."""
        table, claims, key = self.table, self.claims, self.key
        self.id = self.case.finding(CHALLENGER, kind, k, self.salt)
        table.send(SUBMITTER, "market", "post", self.salt, key["terms"], self.matter.work)
        table.send(SOLVER, "market", "accept", key)
        final = claims.roots[STEPS]
        found = table.send(SOLVER, "market", "commit", key, claims.root, final, b"\x33" * 32, 4711)["Committed"]
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

    def begin(self, kind: Kind, k: int, call: ContractCall, model: Any) -> Game | Outcome:
        """Open on both."""
        return self._both(call, model, CHALLENGER, "open", None)

    def open(self, kind: Kind, k: int, first: int | None = None, last: int | None = None) -> Game | Outcome:
        """About an interval."""
        self.sealed(kind, k)
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
        self.sealed(Kind.LEAF, k)
        call = ContractCall("game", "open_leaf", (self.key, self.result, self.matter.work, k, self.salt))
        now = self.table.now
        return self.begin(Kind.LEAF, k, call, lambda: open_leaf(self.case, k, CHALLENGER, now))

    def open_data(self, k: int, index: int, number: int, chunk: int) -> Game | Outcome:
        """Demand a KiB."""
        self.sealed(Kind.DATA, k)
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
        now, refunded = self.table.now, self.table.view("state", self.case.task, of="market") == 6
        return self._both(
            call_of(self.id, game, move, self.matter),
            lambda: apply(game, move, now, by, self.case, refunded),
            by,
            move,
            game,
        )

    def make_at(self, game: Game, move: Move, at: int, by: str) -> Game | Outcome:
        """A move at a time that is not before now."""
        assert game == self.game
        self.table.wait(at - self.table.now)
        return self.make(move, by)

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
