"""A dataset: named columns with one row per example."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.errors import BlobRefused, NotFoundError, UsageError

from . import archive, merkle
from .roots import dataset_header, dataset_root, row_leaves
from .tensors import Array, by_name, dtype_of, raw

__all__ = ["Dataset"]


class Dataset:
    """Columns of shape [rows, ...], all with the same number of rows (at least one). Raises UsageError otherwise."""

    def __init__(self, columns: Mapping[str, Array]) -> None:
        self.columns = dict(columns)
        lengths = {column.shape[:1] for column in self.columns.values()}
        if len(lengths) != 1 or not next(iter(lengths), ()) or lengths == {(0,)}:
            raise UsageError("a dataset has one or more columns with one common, positive number of rows")
        for name, column in self.columns.items():
            dtype_of(name, column)

    @classmethod
    def parse(cls, data: bytes | memoryview) -> Dataset:
        """From the bytes of a safetensors file, without copying. Raises BlobRefused."""
        try:
            return cls(archive.parse(data))
        except UsageError as error:
            raise BlobRefused(f"not a dataset: {error.message}") from None

    @classmethod
    def load(cls, path: Path) -> Dataset:
        """From a safetensors file, mapped into memory: rows are read when they are used.

        The caller has checked the file's hash (the store does). Raises NotFoundError, BlobRefused.
        """
        try:
            with path.open("rb") as file:
                return cls.parse(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
        except FileNotFoundError:
            raise NotFoundError(f"no dataset at {path}") from None
        except ValueError:  # an empty file cannot be mapped
            raise BlobRefused("not a dataset: the file is empty") from None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))

    @cached_property
    def root(self) -> bytes:
        """The dataset's root; reads every row once."""
        return dataset_root(self.columns)

    def take(self, rows: NDArray[np.int64]) -> dict[str, Array]:
        """The rows with these indices, in this order, as fresh C-contiguous arrays [len(rows), ...]."""
        return {name: column[rows] for name, column in self.columns.items()}

    @cached_property
    def _tree(self) -> merkle.Tree:
        return merkle.Tree(row_leaves(self.columns))

    @cached_property
    def header(self) -> bytes:
        """Number of columns and the type bytes of each column's row: what the root binds besides the rows."""
        return dataset_header(self.columns)

    def row(self, index: int) -> bytes:
        """The bytes of one row: of each column, in name order."""
        return b"".join(bytes(raw(self.columns[name][index])) for name in by_name(self.columns))

    def prove(self, index: int) -> tuple[bytes, ...]:
        """The siblings of a row's leaf, from the leaf up; reads every row once."""
        return self._tree.prove(index)

    def encode(self) -> bytes:
        """The dataset as a safetensors file (see `archive`)."""
        return b"".join(archive.encode(self.columns))
