"""Where a kernel reads and writes: coordinates, views, bounds and the values of operands, for a block of indices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from ..errors import AssayError
from ..program.kernel import Axis, Const, Coordinate, Operand
from .clear_float import Array

__all__ = ["Block", "blocks", "constant", "locate", "read"]


@dataclass(frozen=True)
class Block:
    """Indices of a kernel's domain and fold, one int64 array per axis, which broadcast against each other.

    `points` span a box of the domain, an axis of the arrays for each axis of the domain; `terms` vary along one more
    axis in front.
    """

    points: tuple[Array, ...]
    terms: tuple[Array, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the box."""
        return tuple(i.size for i in self.points)

    def with_terms(self, start: int, stop: int, fold: tuple[int, ...]) -> Block:
        """The same points with the fold's row-major indices start..stop-1."""
        k = np.arange(start, stop, dtype=np.int64).reshape(-1, *(1 for _ in self.points))
        return Block(self.points, tuple(k // prod(fold[a + 1 :]) % size for a, size in enumerate(fold)))


def blocks(domain: tuple[int, ...], limit: int) -> Iterator[Block]:
    """Boxes of at most `limit` points that, in turn, cover the domain in row-major order."""
    if 0 in domain:
        return
    cut = next((a for a in range(len(domain)) if prod(domain[a + 1 :]) <= limit), 0)
    step = max(1, limit // prod(domain[cut + 1 :]))
    for outer in product(*(range(size) for size in domain[:cut])):
        for start in range(0, domain[cut] if domain else 1, step):
            ranges = [range(i, i + 1) for i in outer]
            ranges += [range(start, min(start + step, domain[cut]))] if domain else []
            ranges += [range(size) for size in domain[cut + 1 :]]
            yield Block(tuple(np.ix_(*(np.arange(r.start, r.stop, dtype=np.int64) for r in ranges))))


def constant(operand: Const) -> Array:
    """The value of a constant, shape ()."""
    return np.array(operand.bits, f"u{operand.dtype.itemsize}").view(operand.dtype.numpy)


def _position(axis: Axis, block: Block, earlier: Sequence[Array]) -> Array:
    """n = offset + strides·i + fold_strides·r + indirect, in int64."""
    n = np.asarray(axis.offset, np.int64)
    for stride, i in (
        *zip(axis.strides, block.points, strict=True),
        *zip(axis.fold_strides, block.terms, strict=False),
    ):
        if stride:
            n = n + stride * i
    return n + earlier[axis.indirect].astype(np.int64) if axis.indirect >= 0 else n


def locate(
    axes: tuple[Axis, ...], view: tuple[int, ...], block: Block, earlier: Sequence[Array]
) -> tuple[Array, Array]:
    """(flat index, inside): the row-major position under `view`, and whether there is an element; 0 where not."""
    flat, inside = np.asarray(0, np.int64), np.asarray(True)
    for axis, size, stride in zip(axes, view, _strides(view), strict=True):
        n = _position(axis, block, earlier)
        if axis.divisor != 1:
            inside = inside & (n % axis.divisor == 0)
            n = n // axis.divisor
        if n.size and (n.min() < 0 or n.max() >= size):
            inside = inside & (n >= 0) & (n < size)
        flat = flat + n * stride
    return (flat, inside) if inside.all() else (np.where(inside, flat, 0), inside)


def _strides(shape: tuple[int, ...]) -> list[int]:
    return [prod(shape[a + 1 :]) for a in range(len(shape))]


def read(operand: Operand, block: Block, earlier: Sequence[Array], tensors: Mapping[str, Array]) -> tuple[Array, Array]:
    """(values, inside): the operand's stored values over the block, broadcastable, and where its read is inside."""
    if isinstance(operand, Const):
        return constant(operand), np.asarray(True)
    if isinstance(operand, Coordinate):
        return _position(operand.axis, block, earlier), np.asarray(True)
    tensor = tensors[operand.tensor].reshape(-1)
    flat, inside = locate(operand.axes, operand.view, block, earlier)
    if inside.all():
        return tensor[flat], inside
    if operand.outside is None:
        raise AssayError(f"a read of {operand.tensor} leaves its view", tensor=operand.tensor, view=operand.view)
    outside = np.array(operand.outside, f"u{tensor.dtype.itemsize}").view(tensor.dtype)
    found = tensor[flat] if tensor.size else outside
    return np.where(inside, found, outside), inside
