"""The sampler `feistel-1`: which dataset row is used at (step, position), and which intervals a verifier replays.

A balanced Feistel network of 8 rounds on 2h bits, with cycle walking down to [0, n) (Black and Rogaway, "Ciphers with
arbitrary finite domains", CT-RSA 2002); its round function is the finaliser of MurmurHash3. Integer operations only,
so that a contract computes it too.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from assay.errors import UsageError
from assay.words.task import Audit, TaskSpec

from . import merkle

__all__ = ["audit_intervals", "batches_root", "interval_root", "permute", "permute_many", "rows", "sampler_key"]

ROUNDS = 8
MASK32 = 0xFFFFFFFF
BLOCK_ROWS = 1 << 16
TABLE_RATIO = 8


def _check(n: int, key: bytes) -> None:
    if not 1 <= n <= 2**53 or len(key) != 32:
        raise UsageError("a permutation needs 1 <= n <= 2**53 and a key of 32 bytes", n=n, key=key.hex())


def permute(x: int, n: int, key: bytes) -> int:
    """The image of `x` under the permutation of [0, n) that the 32-byte `key` names: the clear version."""
    _check(n, key)
    if not 0 <= x < n:
        raise UsageError("a permutation of n elements takes 0 <= x < n", x=x, n=n)
    if n == 1:
        return 0
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = x >> half, x & mask
        for r in range(ROUNDS):
            t = (right + int.from_bytes(key[4 * r : 4 * r + 4], "big")) & MASK32
            t ^= t >> 16
            t = t * 0x85EBCA6B & MASK32
            t ^= t >> 13
            t = t * 0xC2B2AE35 & MASK32
            t ^= t >> 16
            left, right = right, left ^ (t & mask)
        x = left << half | right
        if x < n:
            return x


def permute_many(x: NDArray[np.uint64], n: int, key: bytes) -> NDArray[np.uint64]:
    """`permute` of every element of `x` (1-D, each below n): the fast version, equal bit for bit."""
    _check(n, key)
    if n == 1:
        return np.zeros_like(x)
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    keys = np.frombuffer(key, ">u4").astype(np.uint32)
    # Walking a cycle takes many short passes; where the whole network fits into a table, each is one look-up.
    domain = 1 << 2 * half
    table = _network(np.arange(domain, dtype=np.uint64), half, keys) if domain <= TABLE_RATIO * len(x) else None

    def once(y: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return _network(y, half, keys) if table is None else table[y]

    out = once(x)
    while len(walking := np.flatnonzero(out >= n)):
        out[walking] = once(out[walking])
    return out


def _network(x: NDArray[np.uint64], half: int, keys: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """One pass over 2·half <= 64 bits. Both halves fit 32 bits, so the arithmetic of uint32 is the round function's."""
    mask, shift = np.uint32((1 << half) - 1), np.uint64(half)
    left, right = (x >> shift).astype(np.uint32), x.astype(np.uint32) & mask
    for key in keys:
        t = right + key
        t ^= t >> np.uint32(16)
        t *= np.uint32(0x85EBCA6B)
        t ^= t >> np.uint32(13)
        t *= np.uint32(0xC2B2AE35)
        t ^= t >> np.uint32(16)
        t &= mask
        t ^= left
        left, right = right, t
    return left.astype(np.uint64) << shift | right


def sampler_key(seed: int, epoch: int) -> bytes:
    """The key of one pass over the dataset: sha256(0a || seed 8 BE || epoch 8 BE)."""
    return sha256(b"\x0a" + seed.to_bytes(8, "big") + epoch.to_bytes(8, "big")).digest()


@lru_cache(8)
def _block(seed: int, block: int, epoch: int, total: int) -> NDArray[np.int64]:
    """Part `block` of an epoch: computing a step's rows alone would cost more than a small step itself."""
    start, stop = block * BLOCK_ROWS, min(total, (block + 1) * BLOCK_ROWS)
    found = permute_many(np.arange(start, stop, dtype=np.uint64), total, sampler_key(seed, epoch)).astype(np.int64)
    found.flags.writeable = False
    return found


def _positions(seed: int, first: int, last: int, total: int) -> NDArray[np.int64]:
    """The rows at positions first..last-1 of the endless stream; each epoch of `total` positions is a permutation."""
    pieces = []
    while first < last:
        epoch, within = divmod(first, total)
        block, offset = divmod(within, BLOCK_ROWS)
        piece = _block(seed, block, epoch, total)[offset : offset + last - first]
        pieces.append(piece)
        first += len(piece)
    return np.concatenate(pieces)


def rows(seed: int, step: int, batch_size: int, total: int) -> NDArray[np.int64]:
    """The `batch_size` row indices of `step`, each in [0, total), in the order in which they enter the batch."""
    return _positions(seed, step * batch_size, (step + 1) * batch_size, total)


def batches_root(seed: int, start: int, stop: int, batch_size: int, total: int) -> bytes:
    """Root over the steps start..stop-1; a step's leaf hash is the `bytes_root` of its rows, 8 bytes BE each."""
    leaves: list[bytes] = []
    width, block = 8 * batch_size, max(1, BLOCK_ROWS // batch_size)
    for first in range(start, stop, block):
        last = min(stop, first + block)
        stream = _positions(seed, first * batch_size, last * batch_size, total).astype(">i8").tobytes()
        leaves += [merkle.bytes_root(stream[at : at + width]) for at in range(0, len(stream), width)]
    return merkle.root(leaves)


def interval_root(spec: TaskSpec, index: int) -> bytes:
    """`batches_root` of interval `index` of a task: what the checkpoint at its end binds."""
    start, stop = spec.bounds(index)
    return batches_root(spec.seed, start, stop, spec.batch_size, spec.rows)


def audit_intervals(audit_seed: bytes, j: int, audit: Audit, intervals: int) -> tuple[int, ...]:
    """The intervals that the j-th drawn verifier replays, in the contract's order.

    The verifiers share one permutation of the intervals, so together they cover as many different ones as possible;
    once verifiers × audit.intervals exceeds `intervals`, it starts again (one verifier may then meet one twice).
    """
    first = j * audit.intervals
    return tuple(permute((first + t) % intervals, intervals, audit_seed) for t in range(audit.intervals))
