"""A value of the graph while it is lowered: a strided window on a tensor. Windows compose; nothing is copied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from ..types import DType

__all__ = ["Shape", "Value", "contiguous"]

Shape = tuple[int, ...]


def contiguous(shape: Shape) -> Shape:
    """Row-major strides, in elements."""
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return tuple(strides)


@dataclass(frozen=True)
class Value:
    """Element i of the value is element offset + strides·i of `tensor`, whose `size` elements are counted row-major."""

    dtype: DType
    shape: Shape
    tensor: str
    size: int
    strides: Shape
    offset: int = 0

    @classmethod
    def of(cls, tensor: str, dtype: DType, shape: Shape) -> Value:
        """The whole of a tensor."""
        return cls(dtype, shape, tensor, prod(shape), contiguous(shape))

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def count(self) -> int:
        """Number of elements of the value (not of its tensor)."""
        return prod(self.shape)

    @property
    def is_whole(self) -> bool:
        """Whether it is its tensor, element for element."""
        if self.offset or self.count != self.size:
            return False
        return all(d == 1 or s == t for d, s, t in zip(self.shape, self.strides, contiguous(self.shape), strict=True))

    def transpose(self, order: Shape) -> Value:
        """Axes in another order, as numpy.transpose."""
        return replace(self, shape=tuple(self.shape[a] for a in order), strides=tuple(self.strides[a] for a in order))

    def expand(self, shape: Shape) -> Value:
        """Broadcast to `shape` (which must be a valid target), repeating elements with stride 0."""
        if shape == self.shape:
            return self
        missing = len(shape) - self.rank
        strides = [0] * missing
        for stride, have, want in zip(self.strides, self.shape, shape[missing:], strict=True):
            strides.append(stride if have == want else 0)
        return replace(self, shape=shape, strides=tuple(strides))

    def slice(self, axis: int, start: int, count: int, step: int = 1) -> Value:
        """Elements start, start + step, ... (`count` of them) along `axis`."""
        shape, strides = list(self.shape), list(self.strides)
        offset = self.offset + (start * strides[axis] if count else 0)
        shape[axis], strides[axis] = count, strides[axis] * step
        return replace(self, shape=tuple(shape), strides=tuple(strides), offset=offset)

    def drop(self, axis: int) -> Value:
        """Without an axis of length 1."""
        return replace(
            self,
            shape=self.shape[:axis] + self.shape[axis + 1 :],
            strides=self.strides[:axis] + self.strides[axis + 1 :],
        )

    def insert(self, axis: int) -> Value:
        """With a new axis of length 1 before `axis`."""
        stride = self.strides[axis] * self.shape[axis] if axis < self.rank else 1
        return replace(
            self,
            shape=(*self.shape[:axis], 1, *self.shape[axis:]),
            strides=(*self.strides[:axis], stride, *self.strides[axis:]),
        )

    def reshape(self, shape: Shape) -> Value | None:
        """The same elements in row-major order under another shape, or None where that is not a strided window.

        The method is numpy's (`_attempt_nocopy_reshape`): groups of axes with equal products are matched, and each
        group of old axes must be evenly spaced.
        """
        if shape == self.shape:
            return self
        if self.count <= 1:
            return replace(self, shape=shape, strides=contiguous(shape))
        old = [(d, s) for d, s in zip(self.shape, self.strides, strict=True) if d != 1]
        strides: list[int] = []
        at = new = 0
        while at < len(old):
            first = at
            have, want = old[at][0], shape[new]
            members = [shape[new]]
            while have != want:
                if have < want:
                    at += 1
                    have *= old[at][0]
                else:
                    new += 1
                    want *= shape[new]
                    members.append(shape[new])
            for (_, outer), (length, inner) in zip(old[first:at], old[first + 1 : at + 1], strict=True):
                if outer != length * inner:
                    return None
            strides += [old[at][1] * s for s in contiguous(tuple(members))]
            at, new = at + 1, new + 1
        strides += [1] * (len(shape) - new)
        return replace(self, shape=shape, strides=tuple(strides))

    def structure(self) -> tuple[Shape, dict[int, int]] | None:
        """The tensor's own shape and which axis of it each axis of the value walks.

        Exists where the value is the whole tensor with its axes permuted or repeated (stride 0; such axes are not in
        the mapping). None otherwise.
        """
        if self.offset:
            return None
        walked = [a for a in range(self.rank) if self.strides[a] or self.shape[a] == 1]
        walked.sort(key=lambda a: -self.strides[a])
        expected = 1
        for axis in reversed(walked):
            if self.shape[axis] != 1:
                if self.strides[axis] != expected:
                    return None
                expected *= self.shape[axis]
        if expected != self.size:
            return None
        return tuple(self.shape[a] for a in walked), {a: n for n, a in enumerate(walked)}
