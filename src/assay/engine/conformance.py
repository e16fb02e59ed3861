"""How much of ONNX an engine covers: the standard's own node tests, each passed, unsupported or wrong."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.errors import AssayError, RefusedError

__all__ = ["CHEAP", "Result", "Tally", "cases", "examine", "operators_of", "reason_of", "run"]

CHEAP = 200_000
"""Scalar operations up to which a case runs in the clear interpreter, too, and must have the same bits there."""

_EXPANDED = re.compile(r"_expanded(_ver\d+)?$")
_NAMES = re.compile(r"^[^:]*: ")


@dataclass(frozen=True)
class Result:
    """What became of one case: `outcome` is passed, unsupported or wrong; `reason` says why it did not pass."""

    case: str
    operator: str
    outcome: str
    reason: str = ""


@dataclass
class Tally:
    """Counts of many results, in all and per operator."""

    passed: int = 0
    unsupported: int = 0
    wrong: int = 0
    operators: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        """Count one result."""
        entry = self.operators.setdefault(result.operator, {"passed": 0, "unsupported": {}, "wrong": []})
        if result.outcome == "passed":
            self.passed += 1
            entry["passed"] += 1
        elif result.outcome == "unsupported":
            self.unsupported += 1
            entry["unsupported"][result.reason] = entry["unsupported"].get(result.reason, 0) + 1
        else:
            self.wrong += 1
            entry["wrong"].append(result.case)


def cases() -> list[Any]:
    """The node tests that ship in the installed onnx package (`onnx.backend.test.case.test_case.TestCase`)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the expected values contain overflows and divisions by zero on purpose
        from onnx.backend.test.loader import load_model_tests

        return list(load_model_tests(kind="node"))


def run(engine: str, chosen: Callable[[str, str], bool] = lambda name, operator: True) -> Iterator[Result]:
    """Examine the cases for whose name and operator `chosen` is true, in the standard's order."""
    found = cases()
    operators = operators_of(found)
    for case in found:
        if chosen(case.name, operators[case.name]):
            yield examine(case, operators[case.name], engine)


def operators_of(found: list[Any]) -> dict[str, str]:
    """Case name -> the operator that it tests. A function that is written out belongs to the operator it defines."""
    single = {c.name: c.model.graph.node[0].op_type for c in found if len(c.model.graph.node) == 1}
    result = {}
    for case in found:
        name = _EXPANDED.sub("", case.name)
        result[case.name] = single.get(case.name) or single.get(name) or case.model.graph.node[-1].op_type
    return result


def examine(case: Any, operator: str, engine: str) -> Result:
    """Run one case and compare types, shapes and values within the case's own tolerances."""
    from onnx.backend.test.runner import Runner

    from .onnx_backend import AssayBackend

    representation = AssayBackend.prepare(case.model, engine=engine)
    try:
        for inputs, expected in case.data_sets:
            given, wanted = ([_normal(x) for x in values] for values in (inputs, expected))
            found = representation.run(given)
            Runner.assert_similar_outputs(wanted, found, case.rtol, case.atol)
            if engine == "exact":
                _same_bits(representation, given, found)
    except RefusedError as refusal:
        return Result(case.name, operator, "unsupported", reason_of(refusal))
    except (AssertionError, AssayError) as error:
        return Result(case.name, operator, "wrong", str(error))
    except Exception as error:  # whatever else is raised is a fault of ours, and counts as a wrong answer
        return Result(case.name, operator, "wrong", f"{type(error).__name__}: {error}")
    return Result(case.name, operator, "passed")


def reason_of(refusal: RefusedError) -> str:
    """The refusal's message without the name of the node, so that equal reasons are counted together."""
    operator = refusal.evidence.get("operator")
    message = refusal.message
    if operator and message.startswith(f"{operator} node "):
        message = f"{operator}: {_NAMES.sub('', message)}"
    return message


def _same_bits(representation: Any, given: list[Any], found: tuple[Any, ...]) -> None:
    from .clear import Interpreter

    values = representation.named(given)
    executable, decisive = representation.specialised(values)
    program = executable.program
    if program.cost.operations > CHEAP or len(program.kernels) > 200:
        return
    clear = Interpreter(program).run({name: array for name, array in values.items() if name not in decisive})
    for (port, _), array in zip(program.outputs, found, strict=True):
        if clear[port.name].tobytes() != np.asarray(array).tobytes():
            raise AssertionError(f"the output {port.name!r} has other bits in the clear interpreter")


def _normal(value: Any) -> Any:
    """A test's value as the runner gives it to a backend: tensors as arrays."""
    from onnx import TensorProto, numpy_helper

    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return value
