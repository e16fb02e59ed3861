from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from assay.errors import BlobRefused, NotFoundError, UsageError
from assay.proof import Dataset, dataset_root, encode_state

COLUMNS = {
    "x": np.arange(60, dtype=np.float32).reshape(10, 2, 3),
    "y": np.arange(10, dtype=np.int64),
    "h": np.arange(10).astype(ml_dtypes.bfloat16),
    "flag": np.arange(10) % 2 == 0,
}


def test_rows_are_taken_in_order(tmp_path: Path) -> None:
    (tmp_path / "d.safetensors").write_bytes(Dataset(COLUMNS).encode())
    for dataset in (Dataset(COLUMNS), Dataset.load(tmp_path / "d.safetensors")):
        assert dataset.rows == 10
        taken = dataset.take(np.array([7, 0, 7]))
        assert taken.keys() == COLUMNS.keys()
        for name, array in taken.items():
            assert array.dtype == COLUMNS[name].dtype
            assert array.flags.c_contiguous
            assert array.flags.writeable
            assert array.tobytes() == COLUMNS[name][[7, 0, 7]].tobytes()
        assert dataset.root == dataset_root(COLUMNS)


def test_files_of_other_writers_are_read(tmp_path: Path) -> None:
    safetensors.numpy.save_file(dict(COLUMNS), tmp_path / "d")
    assert Dataset.load(tmp_path / "d").root == dataset_root(COLUMNS)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"x": np.zeros((), np.float32)},
        {"x": np.zeros((0, 3), np.float32)},
        {"x": np.zeros(3, np.float32), "y": np.zeros(4, np.float32)},
    ],
)
def test_columns_have_one_positive_length(columns: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Dataset(columns)
    (tmp_path / "d").write_bytes(encode_state(columns))
    with pytest.raises(BlobRefused, match="not a dataset"):
        Dataset.load(tmp_path / "d")


def test_no_file_and_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        Dataset.load(tmp_path / "none")
    (tmp_path / "empty").touch()
    with pytest.raises(BlobRefused):
        Dataset.load(tmp_path / "empty")
