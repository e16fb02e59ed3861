"""What has a code root can be disputed; what could not be is refused before anybody puts money on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.errors import ProgramRefused
from assay.program import DType, Port
from assay.proof import code_root
from assay.proof.code import METRIC_BYTES, METRICS, ROW_BYTES


def wider(program, more):
    """The program with a column of `more` bytes per row that it does not read."""
    batch = next(iter(program.batch.values())).shape[0]
    return replace(program, inputs=(*program.inputs, Port("batch/more", DType.UINT8, (batch, more))))


def with_metrics(program, ports):
    kept = tuple((port, tensor) for port, tensor in program.outputs if not port.name.startswith("metric/"))
    tensor = next(tensor for port, tensor in program.outputs if port.name.startswith("metric/"))
    return replace(program, outputs=(*kept, *((port, tensor) for port in ports)))


def test_rows_that_a_contract_can_be_shown(toy):
    program = toy.runner.executable.program
    row = sum(port.nbytes // port.shape[0] for port in program.batch.values())
    assert len(code_root(wider(program, ROW_BYTES - row))) == 32
    with pytest.raises(ProgramRefused, match="row of the dataset"):
        code_root(wider(program, ROW_BYTES - row + 1))


def test_metrics_that_a_contract_can_be_shown(toy):
    program = toy.runner.executable.program
    scalars = [Port(f"metric/m{n}", DType.FLOAT32, ()) for n in range(METRICS + 1)]
    assert len(code_root(with_metrics(program, scalars[:-1]))) == 32
    with pytest.raises(ProgramRefused, match="metrics"):
        code_root(with_metrics(program, scalars))
    wide = Port("metric/wide", DType.FLOAT32, (METRIC_BYTES // 4 + 1,))
    with pytest.raises(ProgramRefused, match="wide"):
        code_root(with_metrics(program, [wide]))
