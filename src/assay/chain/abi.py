"""Contract ABI to and from plain Python: bytes32 as 64 hex digits, addresses checksummed, structs as dicts by name.

Other bytes are `bytes`. The encoding itself is eth-abi's; web3, which wraps the same functions, takes a second to import.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from ..errors import ChainUnavailable, UsageError

__all__ = ["Abi", "revert_reason"]

Parameter = Mapping[str, Any]
_PANIC = {0x01: "assertion", 0x11: "arithmetic overflow", 0x12: "division by zero", 0x32: "index out of range"}


def _type(parameter: Parameter) -> str:
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(map(_type, parameter['components']))}){kind.removeprefix('tuple')}"


def _decode(kinds: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """As eth-abi does, but strings stay bytes: no contract checks that they are UTF-8, and anybody may have written them."""
    return decode([kind.replace("string", "bytes") for kind in kinds], data)


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


def _element(parameter: Parameter) -> Parameter:
    return {**parameter, "type": parameter["type"].rpartition("[")[0]}


def _to_wire(parameter: Parameter, value: Any) -> Any:
    kind = parameter["type"]
    if kind.endswith("]"):
        element = _element(parameter)
        return [_to_wire(element, item) for item in value]
    if kind == "tuple":
        if set(value) != {part["name"] for part in parameter["components"]}:
            raise UsageError(f"{parameter['name']} needs the fields {[p['name'] for p in parameter['components']]}")
        return tuple(_to_wire(part, value[part["name"]]) for part in parameter["components"])
    if kind == "bytes32":
        word = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else value
        if len(word) != 32:  # eth-abi would fill it up
            raise ValueError(f"{parameter['name']} must be 64 hex digits, not {value!r}")
        return word
    return value


def _from_wire(parameter: Parameter, value: Any) -> Any:
    kind = parameter["type"]
    if kind.endswith("]"):
        element = _element(parameter)
        return tuple(_from_wire(element, item) for item in value)
    if kind == "tuple":
        parts = parameter["components"]
        return {part["name"]: _from_wire(part, item) for part, item in zip(parts, value, strict=True)}
    if kind == "bytes32":
        return bytes(value).hex()
    if kind == "string":
        return _text(value)
    return to_checksum_address(value) if kind == "address" else value


def _signature(entry: Mapping[str, Any]) -> bytes:
    return keccak(text=f"{entry['name']}({','.join(map(_type, entry['inputs']))})")


class Abi:
    """The functions and events of one contract. No name is overloaded."""

    def __init__(self, entries: Iterable[Mapping[str, Any]]) -> None:
        listed = list(entries)
        self.functions = {entry["name"]: entry for entry in listed if entry["type"] == "function"}
        self.events = {_signature(entry): entry for entry in listed if entry["type"] == "event"}
        self._constructor: Mapping[str, Any] = next(
            (entry for entry in listed if entry["type"] == "constructor"), {"inputs": []}
        )

    def topic(self, name: str) -> str:
        """The first topic of the event `name`, as 0x-hex."""
        return next("0x" + topic.hex() for topic, entry in self.events.items() if entry["name"] == name)

    def constructor(self, *arguments: Any) -> bytes:
        """The arguments as they follow the creation code."""
        return _encode("the constructor", self._constructor["inputs"], arguments)

    def encode(self, name: str, *arguments: Any) -> bytes:
        """The call data of function `name`. Raises UsageError if the arguments do not fit."""
        entry = self.functions[name]
        return _signature(entry)[:4] + _encode(name, entry["inputs"], arguments)

    def decode(self, name: str, output: bytes) -> Any:
        """What function `name` returned: None, a value, or a tuple of several."""
        outputs = self.functions[name]["outputs"]
        try:
            values = _decode([_type(parameter) for parameter in outputs], output)
        except DecodingError as error:
            hint = "Check that the deployment belongs to this chain."
            raise ChainUnavailable(f"{name} answered {len(output)} strange bytes", hint=hint, name=name) from error
        found = tuple(_from_wire(parameter, value) for parameter, value in zip(outputs, values, strict=True))
        return None if not found else found[0] if len(found) == 1 else found

    def decode_log(self, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
        """An event's name and arguments, or None if it is none of this contract's."""
        entry = self.events.get(topics[0]) if topics else None
        if entry is None:
            return None
        plain = [parameter for parameter in entry["inputs"] if not parameter["indexed"]]
        values = dict(zip((p["name"] for p in plain), _decode([_type(p) for p in plain], data), strict=True))
        indexed = (parameter for parameter in entry["inputs"] if parameter["indexed"])
        for parameter, topic in zip(indexed, topics[1:], strict=True):
            values[parameter["name"]] = _decode([_type(parameter)], topic)[0]
        return entry["name"], {p["name"]: _from_wire(p, values[p["name"]]) for p in entry["inputs"]}


def _encode(name: str, parameters: Sequence[Parameter], arguments: Sequence[Any]) -> bytes:
    if len(parameters) != len(arguments):
        raise UsageError(f"{name} takes {len(parameters)} arguments, not {len(arguments)}")
    try:
        wire = [_to_wire(parameter, value) for parameter, value in zip(parameters, arguments, strict=True)]
        return encode([_type(parameter) for parameter in parameters], wire)
    except (EncodingError, TypeError, ValueError) as error:
        raise UsageError(f"{name}: {error}", function=name) from error


def revert_reason(output: bytes) -> str:
    """The words in a revert's data: Solidity's and Vyper's Error(string), a panic by name, else the bytes in hex."""
    try:
        if output[:4] == bytes.fromhex("08c379a0"):
            return _text(_decode(["string"], output[4:])[0])
        if output[:4] == bytes.fromhex("4e487b71"):
            code = decode(["uint256"], output[4:])[0]
            return f"panic: {_PANIC.get(code, hex(code))}"
    except DecodingError:
        pass
    return f"0x{output.hex()}" if output else "no reason given"
