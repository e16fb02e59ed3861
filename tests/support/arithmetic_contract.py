"""The contract `arithmetic` on an EVM without a chain around it: revm where it is installed (hundreds of times faster), else py-evm."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from eth_abi import decode, encode
from eth_utils.crypto import keccak

from assay.contracts import artifact
from assay.program.scalar import OPS
from assay.program.types import DType

FAST = importlib.util.find_spec("pyrevm") is not None
"""Whether the EVM is revm."""
BATCH = 512
GAS = 1 << 40
CALLER = "0x" + "11" * 20
TYPES, NUMBERS = list(DType), list(OPS)


class _Revm:
    def __init__(self, code: bytes) -> None:
        import pyrevm

        self._evm = pyrevm.EVM()
        self._address = self._evm.deploy(CALLER, code)

    def call(self, data: bytes) -> tuple[bytes, int]:
        output = bytes(self._evm.message_call(CALLER, self._address, data, gas=GAS))
        return output, int(self._evm.result.gas_used)


class _PyEvm:
    def __init__(self, code: bytes) -> None:
        import boa

        self._env = boa.env
        address, _ = boa.env.deploy_code(bytecode=code)
        self._address = address

    def call(self, data: bytes) -> tuple[bytes, int]:
        done = self._env.execute_code(to_address=self._address, data=data, gas=GAS)
        done.raise_if_error()
        return bytes(done.output), int(done.get_gas_used())


class Contract:
    """The shipped `arithmetic`, by operations' names."""

    def __init__(self, fast: bool = FAST) -> None:
        self._evm = (_Revm if fast else _PyEvm)(artifact("arithmetic").bytecode)

    def _call(self, name: str, types: Sequence[str], values: Sequence[object]) -> tuple[bytes, int]:
        selector = keccak(text=f"{name}({','.join(types)})")[:4]
        return self._evm.call(selector + encode(types, values))

    def apply(self, op: str, kind: DType, out: DType, *operands: int) -> int:
        """One operation, the way the referee asks."""
        numbers = [NUMBERS.index(op), TYPES.index(kind), TYPES.index(out), *operands, *[0] * (3 - len(operands))]
        return int.from_bytes(self._call("apply", ["uint256"] * 6, numbers)[0], "big")

    def widen(self, dtype: DType, bits: int) -> int:
        return int.from_bytes(self._call("widen", ["uint256"] * 2, [TYPES.index(dtype), bits])[0], "big")

    def store(self, dtype: DType, bits: int) -> int:
        return int.from_bytes(self._call("store", ["uint256"] * 2, [TYPES.index(dtype), bits])[0], "big")

    def apply_many(self, op: str, kind: DType, out: DType, operands: Sequence[Sequence[int]]) -> list[int]:
        """One result for each set of operands."""
        words = [sum(v << (64 * n) for n, v in enumerate(values)) for values in zip(*operands, strict=True)]
        return self._many("apply_many", [NUMBERS.index(op), TYPES.index(kind), TYPES.index(out)], words)

    def widen_many(self, dtype: DType, bits: Sequence[int]) -> list[int]:
        return self._many("widen_many", [TYPES.index(dtype)], bits)

    def store_many(self, dtype: DType, bits: Sequence[int]) -> list[int]:
        return self._many("store_many", [TYPES.index(dtype)], bits)

    def _many(self, name: str, numbers: Sequence[int], words: Sequence[int]) -> list[int]:
        types = [*["uint256"] * len(numbers), "uint256[]"]
        results: list[int] = []
        for start in range(0, len(words), BATCH):
            output, _ = self._call(name, types, [*numbers, words[start : start + BATCH]])
            results += decode(["uint256[]"], output)[0]
        return results
