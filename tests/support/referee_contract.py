"""The contracts `referee` and `arithmetic` on an EVM without a chain around it: revm where it is installed, else py-evm."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from typing import Any

from eth_abi import decode, encode
from eth_utils.crypto import keccak

from assay.contracts import artifact

__all__ = ["FAST", "Referee", "Refused", "transaction"]

FAST = importlib.util.find_spec("pyrevm") is not None
CALLER = "0x" + "11" * 20
GAS = 1 << 34
WORDS = "uint256[]"
EXECUTE = ["bytes", "uint256", "uint256", "uint256", WORDS, "bytes32", "uint256", "bytes"]
START = ["bytes", "uint256", "bytes32", "uint256", "bytes"]


class Refused(Exception):
    """The contract has reverted; the text is its reason, "" where there is none."""


class _Revm:
    def __init__(self) -> None:
        import pyrevm

        self._evm = pyrevm.EVM()

    def deploy(self, code: bytes) -> str:
        return str(self._evm.deploy(CALLER, code))

    def call(self, to: str, data: bytes) -> tuple[bytes, int]:
        try:
            output = bytes(self._evm.message_call(CALLER, to, data, gas=GAS))
        except RuntimeError as error:  # "Revert { gas_used: .., output: 0x.. }", or a halt without output
            found = re.search("output: 0x([0-9a-f]*)", str(error))
            raise Refused(_reason(bytes.fromhex(found[1] if found else ""))) from None
        return output, int(self._evm.result.gas_used) - transaction(data)


class _PyEvm:
    def __init__(self) -> None:
        import boa

        self._env = boa.env

    def deploy(self, code: bytes) -> str:
        return str(self._env.deploy_code(bytecode=code)[0])

    def call(self, to: str, data: bytes) -> tuple[bytes, int]:
        done = self._env.execute_code(to_address=to, data=data, gas=GAS)
        if done.is_error:
            raise Refused(_reason(bytes(done.output)))
        return bytes(done.output), int(done.get_gas_used())


def transaction(data: bytes) -> int:
    """Gas of a transaction with this data, before anything is executed."""
    return 21_000 + sum(16 if byte else 4 for byte in data)


def _reason(output: bytes) -> str:
    return str(decode(["string"], output[4:])[0]) if len(output) > 4 else ""


class Referee:
    """The shipped contracts. `gas` is what the last call used, without the transaction around it."""

    def __init__(self, fast: bool = FAST) -> None:
        self._evm = _Revm() if fast else _PyEvm()
        arithmetic = self._evm.deploy(artifact("arithmetic").bytecode)
        self._address = self._evm.deploy(artifact("referee").bytecode + encode(["address"], [arithmetic]))
        self.gas = 0

    def call(self, name: str, types: Sequence[str], values: Sequence[Any], returns: Sequence[str]) -> tuple[Any, ...]:
        """Any function. Raises Refused."""
        selector = keccak(text=f"{name}({','.join(types)})")[:4]
        output, self.gas = self._evm.call(self._address, selector + encode(types, values))
        return decode(returns, output)

    def raw(self, data: bytes) -> bytes:
        """A call with these bytes."""
        return self._evm.call(self._address, data)[0]

    def facts(self, kernel: bytes) -> tuple[int, ...]:
        """dtype, order, elements, terms, piece."""
        return tuple(self.call("facts", ["bytes"], [kernel], ["(uint256,uint256,uint256,uint256,uint256)"])[0])

    def terms(self, kernel: bytes) -> int:
        """Terms of an element."""
        return int(self.call("terms", ["bytes"], [kernel], ["uint256"])[0])

    def start(self, kernel: bytes, element: int, root: bytes, depth: int, opened: bytes) -> list[int]:
        """The accumulator before the first term."""
        return list(self.call("start", START, [kernel, element, root, depth, opened], [WORDS])[0])

    def execute(
        self,
        kernel: bytes,
        element: int,
        first: int,
        last: int,
        acc: Sequence[int],
        root: bytes,
        depth: int,
        opened: bytes,
    ) -> list[int]:
        """The accumulator after a piece."""
        values = [kernel, element, first, last, list(acc), root, depth, opened]
        return list(self.call("execute", EXECUTE, values, [WORDS])[0])

    def finish(self, kernel: bytes, acc: Sequence[int]) -> int:
        """The stored bits."""
        return int(self.call("finish", ["bytes", WORDS], [kernel, list(acc)], ["uint256"])[0])
