"""What a verifier commits to before the solver opens its traces: the market contract recomputes these hashes."""

from __future__ import annotations

from collections.abc import Sequence

from eth_abi.abi import encode
from eth_utils.crypto import keccak

__all__ = ["REASONS", "match_commitment", "mismatch_commitment"]

REASONS = {
    1: "the state differs from the replay",
    2: "the data was withheld",
    3: "the initial state is not the task's",
    4: "the trajectory is malformed",
}
"""Why a verifier says that a result does not hold, as the contract numbers it."""


def match_commitment(task: str, verifier: str, digests: Sequence[bytes]) -> str:
    """Commitment (64 hex digits) to having replayed every drawn interval; `digests` are 32 bytes each, in drawn order.

    It binds the verifier's address, so copying another verifier's commitment is worth nothing (DESIGN 7.1).
    """
    inner = keccak(b"".join(digests))
    return keccak(encode(["bytes32", "address", "bytes32"], [_word(task), verifier, inner])).hex()


def mismatch_commitment(
    task: str, verifier: str, interval: int, step: int, found_root: str, reason: int, salt: bytes
) -> str:
    """Commitment (64 hex digits) to a mismatch, opened after all attestations are in. `found_root` is hex, `salt` 32 bytes."""
    kinds = ["bytes32", "address", "uint256", "uint256", "bytes32", "uint256", "bytes32"]
    values = [_word(task), verifier, interval, step, _word(found_root), reason, salt]
    return keccak(encode(kinds, values)).hex()


def _word(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
