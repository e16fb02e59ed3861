"""What a dispute is about, as the chain has it: the task's terms and work, and what the solver swears to."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

__all__ = ["Case", "Work"]


@dataclass(frozen=True)
class Work:
    """Field by field the struct of records.vy."""

    spec: bytes
    code_root: bytes
    initial_root: bytes
    dataset_root: bytes
    rows: int
    batch_size: int
    seed: int
    ways: int
    clock: int
    extension: int
    bond: int

    @property
    def digest(self) -> bytes:
        """keccak256(abi_encode(Work))."""
        return keccak(encode(["bytes32"] * 4 + ["uint256"] * 7, astuple(self)))


@dataclass(frozen=True)
class Case:
    """A task and its result. `task` is its id, `result` keccak256(abi_encode(Result)); the other roots are SHA-256."""

    task: bytes
    result: bytes
    solver: str
    work: Work
    program_root: bytes
    steps: int
    interval: int
    root: bytes
    final_root: bytes

    @property
    def intervals(self) -> int:
        """Number of intervals; the last one may be shorter."""
        return -(-self.steps // self.interval)

    def finding(self, challenger: str, kind: int, interval: int, salt: bytes) -> bytes:
        """What the challenger seals before it may open a game, and then the game's id."""
        kinds = ["bytes32", "address", "uint256", "uint256", "bytes32"]
        return keccak(encode(kinds, [self.task, challenger, kind, interval, salt]))
