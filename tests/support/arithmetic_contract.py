"""The contract `arithmetic` on an EVM without a chain: revm where pyrevm is installed (far faster), else py-evm."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import numpy as np
from eth_abi import encode
from eth_utils.crypto import keccak

from assay.contracts import artifact
from assay.program.scalar import OPS
from assay.program.types import DType

FAST = importlib.util.find_spec("pyrevm") is not None
"""Whether the EVM is revm."""
Bits = np.ndarray
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

    def transaction(self, data: bytes) -> int:
        """Gas of the transaction itself, which revm counts."""
        return 21_000 + sum(16 if byte else 4 for byte in data)


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

    def transaction(self, data: bytes) -> int:
        """A bare message has no transaction around it."""
        return 0


class Contract:
    """The shipped `arithmetic`, by operations' names."""

    def __init__(self, fast: bool = FAST) -> None:
        self._evm = (_Revm if fast else _PyEvm)(artifact("arithmetic").bytecode)

    def _call(self, name: str, types: Sequence[str], values: Sequence[object]) -> tuple[bytes, int]:
        return self._evm.call(_selector(name, types) + encode(types, values))

    def apply(self, op: str, kind: DType, out: DType, *operands: int) -> int:
        """One operation, the way the referee asks."""
        numbers = [NUMBERS.index(op), TYPES.index(kind), TYPES.index(out), *operands, *[0] * (3 - len(operands))]
        return int.from_bytes(self._call("apply", ["uint256"] * 6, numbers)[0], "big")

    def widen(self, dtype: DType, bits: int) -> int:
        return int.from_bytes(self._call("widen", ["uint256"] * 2, [TYPES.index(dtype), bits])[0], "big")

    def store(self, dtype: DType, bits: int) -> int:
        return int.from_bytes(self._call("store", ["uint256"] * 2, [TYPES.index(dtype), bits])[0], "big")

    def gas(self, op: str, kind: DType, out: DType, *operands: int) -> int:
        """What a call of `apply` costs whoever makes it, without the transaction around it."""
        numbers = [NUMBERS.index(op), TYPES.index(kind), TYPES.index(out), *operands, *[0] * (3 - len(operands))]
        data = _selector("apply", ["uint256"] * 6) + encode(["uint256"] * 6, numbers)
        _, gas = self._evm.call(data)
        return gas - self._evm.transaction(data)

    def apply_many(self, op: str, kind: DType, out: DType, operands: Sequence[Bits]) -> Bits:
        """One result for each set of operands."""
        return self._many("apply_many", [NUMBERS.index(op), TYPES.index(kind), TYPES.index(out)], operands)

    def widen_many(self, dtype: DType, bits: Bits) -> Bits:
        return self._many("widen_many", [TYPES.index(dtype)], [bits])

    def store_many(self, dtype: DType, bits: Bits) -> Bits:
        return self._many("store_many", [TYPES.index(dtype)], [bits])

    def _many(self, name: str, numbers: Sequence[int], operands: Sequence[Bits]) -> Bits:
        head = _selector(name, [*["uint256"] * len(numbers), "uint256[]"])
        head += encode(["uint256"] * (len(numbers) + 1), [*numbers, 32 * (len(numbers) + 1)])
        results = []
        for start in range(0, len(operands[0]), BATCH):
            parts = [bits[start : start + BATCH] for bits in operands]
            words = np.zeros((len(parts[0]), 4), ">u8")  # of 32 bytes each
            for n, bits in enumerate(parts):
                words[:, 3 - n] = bits
            output, _ = self._evm.call(head + encode(["uint256"], [len(words)]) + words.tobytes())
            found = np.frombuffer(output, ">u8").reshape(-1, 4)[2:]
            assert len(found) == len(words)
            assert not found[:, :3].any()
            results.append(found[:, 3].astype(np.uint64))
        return np.concatenate(results)


def _selector(name: str, types: Sequence[str]) -> bytes:
    return bytes(keccak(text=f"{name}({','.join(types)})")[:4])
