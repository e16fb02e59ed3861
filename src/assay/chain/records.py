"""What market and game hand to each other: the chain keeps hashes, callers bring the records (contracts/vyper/records.vy).

bytes32 are 64 hex digits, addresses checksummed, amounts in the currency's smallest unit, times Unix seconds. A record's
`hash` (64 hex digits) is keccak256 of its ABI encoding.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from .contract import ZERO_WORD

__all__ = ["Opening", "Sworn", "TaskKey", "Terms", "Work"]

_ADDRESSES = ("submitter",)


def _type(record: type) -> str:
    kinds = {"str": "bytes32", "int": "uint256", "Terms": "", "tuple[str, ...]": "address[]"}
    parts = []
    for field in fields(record):
        kind = "address" if field.name in _ADDRESSES else kinds[str(field.type)]
        parts.append(kind or _type(Terms))
    return f"({','.join(parts)})"


def _wire(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.startswith("0x") else bytes.fromhex(value)
    if isinstance(value, int):
        return value
    if isinstance(value, tuple):
        return list(value)
    return tuple(_wire(getattr(value, field.name)) for field in fields(value))


class _Hashed:
    __slots__ = ()

    @property
    def hash(self) -> str:
        """keccak256(abi_encode(self)), which is what contracts keep or compare."""
        return keccak(encode([_type(type(self))], [_wire(self)])).hex()


@dataclass(frozen=True, slots=True)
class Work(_Hashed):
    """What is to be computed, and how one quarrels about it. `bond` is in the smallest unit, the clocks are seconds."""

    spec: str
    code_root: str
    initial_root: str
    dataset_root: str
    rows: int
    batch_size: int
    seed: int
    ways: int
    clock: int
    extension: int
    bond: int


@dataclass(frozen=True, slots=True)
class Terms(_Hashed):
    """What a submitter posts. `work` is the hash of a Work; the windows are seconds for one state each."""

    work: str
    program_root: str
    steps: int
    interval: int
    price: int
    fee: int
    verifiers: int
    audit_intervals: int
    collateral: int
    open_for: int
    work_for: int
    patrol_for: int
    attest_for: int
    reveal_for: int


@dataclass(frozen=True, slots=True)
class TaskKey(_Hashed):
    """What a task is called by; its hash is the task's id."""

    submitter: str
    salt: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Sworn(_Hashed):
    """What the solver swore to, and who was drawn to check it. `seed` is zero and `verifiers` is empty before the draw."""

    root: str
    final_root: str
    trajectory: str
    trajectory_size: int
    committed_at: int
    anchor: int
    seats: int
    seed: str = ZERO_WORD
    verifiers: tuple[str, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether the verifiers are there."""
        return self.seed != ZERO_WORD


@dataclass(frozen=True, slots=True)
class Opening:
    """What a solver reveals of one interval: its trace digest and the Merkle path of its leaf, sibling first."""

    digest: str
    prev_root: str
    state_root: str
    batches: str
    proof: tuple[str, ...]
