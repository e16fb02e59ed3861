"""Attacks by somebody who takes no role: old signatures used again, and files that are not what they seem."""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import msgspec
import numpy as np
import rlp
from eth_utils.crypto import keccak
from onnx import TensorProto, helper, numpy_helper

from assay.chain import Call, Client
from assay.chain.node import Node
from assay.errors import AssayError, Reverted
from assay.market import Package, quote
from assay.market.terms import terms, work
from assay.roles.submitter import Submitter
from assay.words import Blob, TaskState, canonical

from .arena import RATE, WINDOWS, Arena
from .balance import Ended, balance
from .outcome import Outcome

__all__ = ["HostileBlob", "ReplayedSignature"]

GAS = 400_000
"""Given to calls that are bound to fail, so that they are sent all the same."""


@dataclass(frozen=True)
class ReplayedSignature:
    """Sends again what others have signed: on this chain, on another one, and their words under its own name."""

    name: str = "replayed_signature"
    sentence: str = "a stranger sends again what others have signed, here and on another chain"

    def prepare(self, arena: Arena) -> None:
        """Nothing."""

    def run(self, arena: Arena) -> Outcome:
        """Let an honest task live, and then repeat every transaction of it."""
        started, block = time.monotonic(), arena.client.head().number
        stranger = arena.stranger(self.name)
        before = arena.books()
        task, package = arena.post(self.name)
        arena.see_through(task)
        arena.settle_books()
        found = list(_transactions(arena.client, block + 1))
        accepted = sum(_is_taken(arena.client, _raw(each)) for each in found)
        with Node(arena.devnet.folder / "elsewhere.sqlite", chain_id=31338) as url, Client(url) as elsewhere:
            accepted += sum(_is_taken(elsewhere, _raw(each)) for each in found)
        contracts = arena.network.contracts
        asked = [each for each in found if _address(each["to"]) in (contracts.market.lower(), contracts.game.lower())]
        accepted += sum(_goes_through(stranger, each) for each in asked)
        ended = [Ended(arena.receipt(task), package)]
        outcome = balance(self.name, arena, before, arena.books(), block, ended, [self.name], started)
        by = f"the chain: {2 * len(found)} transactions refused; the contracts: {len(asked)} calls refused"
        return msgspec.structs.replace(outcome, caught=not accepted, by=by, harmless=outcome.harmless and not accepted)


def _transactions(client: Client, first: int) -> Iterator[dict[str, Any]]:
    for number in range(first, client.head().number + 1):
        block = client.ask("eth_getBlockByNumber", hex(number), False)
        for name in block["transactions"]:
            yield client.ask("eth_getTransactionByHash", name)


def _address(text: str | None) -> str:
    return (text or "").lower()


def _raw(found: dict[str, Any]) -> str:
    """The signed bytes of a mined transaction (EIP-1559), from what any node tells about it."""
    numbers = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
    fields: list[Any] = [int(found[name], 16) for name in numbers]
    fields += [bytes.fromhex((found["to"] or "0x")[2:]), int(found["value"], 16), bytes.fromhex(found["input"][2:]), []]
    fields += [int(found[name], 16) for name in ("yParity", "r", "s")]
    raw: bytes = b"\x02" + rlp.encode(fields)
    assert "0x" + keccak(raw).hex() == found["hash"], "these are the bytes that were signed"
    return "0x" + raw.hex()


def _is_taken(client: Client, raw: str) -> bool:
    """Whether a chain takes signed bytes a second time."""
    try:
        client.ask("eth_sendRawTransaction", raw)
    except AssayError:
        return False
    return True


def _goes_through(stranger: Submitter, found: dict[str, Any]) -> bool:
    """Whether a contract does for the stranger what somebody else has asked for."""
    client = stranger.session.client
    try:
        client.send(Call(found["to"], bytes.fromhex(found["input"][2:]), gas=GAS))
    except Reverted:
        return False
    return True


@dataclass(frozen=True)
class HostileBlob:
    """Posts tasks whose files are bombs, torn, endless or named like a path, and talks to the depot in the same way."""

    name: str = "hostile_blob"
    sentence: str = "a submitter names files that are bombs, torn, endless, or called like a path"

    def prepare(self, arena: Arena) -> None:
        """Nothing."""

    def run(self, arena: Arena) -> Outcome:
        """Post them all, see that nobody touches them, and that the market goes on meanwhile."""
        started, block = time.monotonic(), arena.client.head().number
        stranger = arena.stranger(self.name)
        before, running = arena.books(), arena.devnet.status()
        hostile = [self._post(arena, stranger, package) for package in self._tasks(arena, stranger)]
        through = self._paths(arena)
        task, package = arena.post(self.name)  # an honest one, behind all of them
        arena.see_through(task)
        market = stranger.session.market
        taken = [each for each in hostile if market.state(each) is not TaskState.OPEN]
        for each in hostile:
            if each not in taken:
                market.cancel(each)
        arena.settle_books()
        alive = arena.devnet.status() == running
        receipt = arena.receipt(task)
        outcome = balance(
            self.name, arena, before, arena.books(), block, [Ended(receipt, package)], [self.name], started
        )
        caught = not taken and not through and alive and receipt.outcome == "settled"
        by = f"solvers: {len(hostile) - len(taken)} of {len(hostile)} tasks not taken; the depot: {through} paths followed"
        return msgspec.structs.replace(outcome, caught=caught, by=by, harmless=outcome.harmless and caught)

    def _tasks(self, arena: Arena, stranger: Submitter) -> Iterator[Package]:
        store = stranger.session.store
        fair = arena.package(store, self.name, seed=secrets.randbits(32))
        source = store.get(fair.spec.program)
        files = {
            "program": (source[: len(source) // 2], _bomb(), b"PK\x03\x04" + bytes(4096)),
            "initial": (struct.pack("<Q", 2**60) + b"{}", store.get(fair.spec.initial)[:-1]),
            "dataset": (b"", _overlapping()),
        }
        for field, contents in files.items():
            for content in contents:
                yield self._with(arena, stranger, fair, **{field: store.put(content)})
        endless = msgspec.structs.replace(fair.spec.dataset, size=1 << 50)
        yield self._with(arena, stranger, fair, dataset=endless)
        deep = store.put(b"[" * 50_000)
        stranger.session.publish(deep)
        yield replace(fair, blob=deep)

    def _with(self, arena: Arena, stranger: Submitter, fair: Package, **blobs: Blob) -> Package:
        spec = msgspec.structs.replace(fair.spec, name="../../../../tmp/escaped", **blobs)
        package = replace(fair, spec=spec, blob=stranger.session.store.put(canonical(spec)))
        for blob in (package.blob, *(blob for blob in blobs.values() if blob.size < 1 << 30)):
            stranger.session.publish(blob)
        return package

    def _post(self, arena: Arena, stranger: Submitter, package: Package) -> str:
        """Post whatever it is, without any check of ours."""
        price = quote(package.program, package.spec, 2 * RATE)
        session = stranger.session
        session.token.approve(session.market.address, price.escrow)
        return session.market.post(secrets.token_hex(32), terms(package, price, WINDOWS), work(package, price, WINDOWS))

    def _paths(self, arena: Arena) -> int:
        """How many requests for a place outside of its store a depot carries out."""
        (depot,) = arena.network.depots
        names = ("../escaped", "..%2fescaped", "%2e%2e%2fescaped", "..%5cescaped", "escaped", "0" * 63 + "/", "0" * 64)
        with httpx2.Client(timeout=5, trust_env=False) as client:
            answers = [client.put(f"{depot}/blobs/{name}", content=b"not its hash") for name in names]
        escaped = [path for path in arena.devnet.folder.rglob("escaped")]
        return sum(answer.is_success for answer in answers) + len(escaped)


def _bomb() -> bytes:
    """A program of a few bytes that wants a tensor of 2^42 elements."""
    shape = numpy_helper.from_array(np.array([2**21, 2**21], np.int64), "shape")
    node = helper.make_node("ConstantOfShape", ["shape"], ["next/a"])
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "bomb",
        [info("state/a", TensorProto.FLOAT, [2**21, 2**21])],
        [info("next/a", TensorProto.FLOAT, [2**21, 2**21])],
        [shape],
    )
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    ).SerializeToString()
    return made


def _overlapping() -> bytes:
    """A safetensors file of which two tensors are the same bytes."""
    entry = {"dtype": "F32", "shape": [64, 8], "data_offsets": [0, 2048]}
    header = msgspec.json.encode({"x": entry, "y": entry})
    return struct.pack("<Q", len(header)) + header + bytes(2048)
