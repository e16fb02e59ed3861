"""Gas of a task that nobody quarrels about, per transaction, on the embedded chain: one at a time, and ten in a batch.

`happy_path()` returns {move: gas} with bare transactions; `happy_path(10)` likewise with each actor's calls made by one
`multicall`, per task, where the solver settles in the same one in which it reveals. Deposits, stakes, approvals and
withdrawals are not counted.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from assay.chain import Call, Client, Deployment, Key, Market, Opening, Role, Terms, Work, deploy
from assay.chain.node import Node
from assay.proof import merkle

__all__ = ["happy_path"]

INTERVALS = 10

DRAW = random.Random(1)
"""Not secret: equal figures from run to run, but for the bytes of the time."""


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


class Trajectory:
    """A made-up result: the contract sees hashes only, so these cost what a real one's do."""

    def __init__(self, terms: Terms) -> None:
        draw = [[DRAW.randbytes(32) for _ in range(INTERVALS + 1)] for _ in range(3)]
        self.states, self.digests, self.batches = draw
        program = bytes.fromhex(terms.program_root)
        self.leaves = []
        for k in range(INTERVALS + 1):
            previous = self.states[k - 1] if k else bytes(32)
            trace = sha(b"\x05", self.digests[k]) if k else bytes(32)
            step = min(k * terms.interval, terms.steps).to_bytes(8, "big")
            self.leaves.append(sha(b"\x04", previous, self.states[k], step, self.batches[k], program, trace))

    @property
    def root(self) -> str:
        """The commitment."""
        return merkle.root(self.leaves).hex()

    def opening(self, interval: int) -> Opening:
        """What the solver reveals of an interval."""
        k = interval + 1
        roots = (self.states[k - 1].hex(), self.states[k].hex(), self.batches[k].hex())
        return Opening(self.digests[k].hex(), *roots, tuple(word.hex() for word in merkle.prove(self.leaves, k)))


class Street:
    """A submitter, a solver and a verifier who have everything that happens once behind them."""

    def __init__(self, url: str) -> None:
        self.people = {name: Client(url, Key(DRAW.randbytes(32))) for name in ("submitter", "solver", "verifier")}
        self.deployment: Deployment = deploy(self.people["submitter"])
        for name, client in self.people.items():
            token, stakes, market = self.deployment.connect(client)
            token.faucet()
            for spender in (stakes, market):
                token.approve(spender.address, 10**12)
            if name == "submitter":
                market.deposit(10**9)
            else:
                market.deposit(1)  # an account that has been paid before
                stakes.register(Role[name.upper()], 10**9, "http://127.0.0.1:7001")

    def tick(self) -> None:
        """Let a block and a second pass that are not part of the tale: the patrol is over only after its last second."""
        time.sleep(1.1)
        client = self.people["submitter"]
        client.send(Call(client.address, b""))

    def market(self, name: str) -> Market:
        """The market, as one of the three."""
        return self.deployment.connect(self.people[name])[2]


def task_terms(audited: int) -> tuple[Terms, Work]:
    """An ordinary task of 200 steps."""
    roots = (DRAW.randbytes(32).hex() for _ in range(5))
    work = Work(next(roots), next(roots), next(roots), next(roots), 50_000, 64, 7, 32, 3600, 600, 5_000_000)
    counts = {"steps": 20 * INTERVALS, "interval": 20, "price": 5_000_000, "fee": 500_000}
    audit = {"verifiers": 1, "audit_intervals": audited, "collateral": 20_000_000}
    windows = {"open_for": 3600, "work_for": 86400, "patrol_for": 0, "attest_for": 3600, "reveal_for": 1800}
    return Terms(work.digest, next(roots), **counts, **audit, **windows), work


def happy_path(batch: int = 1, audited: int = 3) -> dict[str, int]:
    """Gas of each move of a task, and their sum as `total`; averages over `batch` tasks that are handled together.

    One verifier replays `audited` of the ten intervals; each costs about 12k gas, most of it for what the solver shows.
    """
    DRAW.seed(1)
    with tempfile.TemporaryDirectory() as folder, Node(Path(folder) / "chain.db", dev=True) as url:
        found = _walk(Street(url), batch, audited)
    return found | {"total": sum(found.values())}


def _walk(street: Street, batch: int, audited: int) -> dict[str, int]:
    submitter, solver, verifier = (street.market(name) for name in ("submitter", "solver", "verifier"))
    gas = {}

    def sent(move: str, market: Market, calls: list[bytes]) -> None:
        alone = batch == 1
        receipt = market.client.send(Call(market.address, calls[0])) if alone else market.many(calls)
        gas[move] = receipt.gas_used // batch

    def each(move: Callable[[int], bytes]) -> list[bytes]:
        return [move(n) for n in range(batch)]

    encoded = submitter.abi.encode
    offers = [task_terms(audited) for _ in range(batch)]
    salts = [DRAW.randbytes(32).hex() for _ in offers]
    sent("post", submitter, each(lambda n: encoded("post", salts[n], asdict(offers[n][0]), asdict(offers[n][1]))))
    tasks = submitter.posted()
    keys = [submitter.record(task).words()[0] for task in tasks]
    sent("accept", solver, each(lambda n: encoded("accept", keys[n])))
    results = [Trajectory(offers[n][0]) for n in range(batch)]
    finals = [result.states[-1].hex() for result in results]
    sent("commit", solver, each(lambda n: encoded("commit", keys[n], results[n].root, finals[n], "ab" * 32, 4711)))
    street.tick()
    records = [verifier.record(task) for task in tasks]
    drawn = [list(record.drawn_intervals(0)) for record in records]
    seals = [_seal(task, verifier.client.address, results[n], drawn[n]) for n, task in enumerate(tasks)]
    sent("attest", verifier, each(lambda n: encoded("attest", keys[n], asdict(records[n].result), seals[n])))
    sworn = [asdict(record.preview) for record in records]
    time.sleep(1.1)  # the shortest patrol lasts until the next second
    reveals = each(lambda n: encoded("reveal", keys[n], sworn[n], 0, *_lists(results[n], drawn[n])))
    settles = each(lambda n: encoded("settle", keys[n], sworn[n]))
    if batch == 1:
        sent("reveal", solver, reveals)
        sent("settle", submitter, settles)
    else:
        sent("reveal and settle", solver, [call for pair in zip(reveals, settles, strict=True) for call in pair])
    assert all(submitter.task(task).state.name == "SETTLED" for task in tasks)
    return gas


def _seal(task: str, verifier: str, result: Trajectory, drawn: list[int]) -> str:
    found = keccak(b"".join(result.digests[k + 1] for k in drawn))
    return keccak(encode(["bytes32", "address", "bytes32"], [bytes.fromhex(task), verifier, found])).hex()


def _lists(result: Trajectory, drawn: list[int]) -> list[list[str]]:
    openings = [result.opening(k) for k in drawn]
    parts = [[getattr(o, name) for o in openings] for name in ("digest", "prev_root", "state_root", "batches")]
    return [*parts, [word for o in openings for word in o.proof]]


def main() -> int:
    """Print both tables on stderr, and one JSON object on stdout."""
    report = {"alone": happy_path(), "ten": happy_path(10)}
    for name, gas in report.items():
        sys.stderr.write(f"{name}\n" + "".join(f"  {move:18}{amount:>10,}\n" for move, amount in gas.items()))
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
