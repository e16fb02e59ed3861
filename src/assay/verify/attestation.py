"""What is sealed before the solver opens its traces: the market contract recomputes these hashes."""

from __future__ import annotations

from collections.abc import Sequence

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from assay.words import Kind

__all__ = ["blinded", "finding_commitment", "match_commitment"]


def match_commitment(task: str, verifier: str, digests: Sequence[bytes]) -> str:
    """Commitment (64 hex digits) to having replayed every drawn interval; `digests` are 32 bytes each, in drawn order.

    It binds the verifier's address, so copying another verifier's commitment is worth nothing (DESIGN 7.1).
    """
    inner = keccak(b"".join(digests))
    return keccak(encode(["bytes32", "address", "bytes32"], [_word(task), verifier, inner])).hex()


def finding_commitment(task: str, account: str, kind: Kind, interval: int, salt: bytes) -> str:
    """Commitment (64 hex digits) to something being wrong, opened as a dispute when nobody can seal any more, whose id it
    then is. `salt` has 32 bytes."""
    kinds = ["bytes32", "address", "uint256", "uint256", "bytes32"]
    return keccak(encode(kinds, [_word(task), account, int(kind), interval, salt])).hex()


def blinded(found_root: str, blind: bytes) -> bytes:
    """The salt of a finding that hides the state root which was found: keccak256(abi_encode(found_root, blind))."""
    return keccak(_word(found_root) + blind)


def _word(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
