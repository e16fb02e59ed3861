"""A walk over the raw protocol-buffer bytes of an ONNX file, before any parser allocates memory for them.

Two bytes of file can become a message of hundreds of bytes in memory, so the number of fields is bounded first.
Encoding: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from functools import cache
from typing import Any

from assay.errors import ProgramRefused

from .limits import Limits

__all__ = ["scan"]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 24
_INTEGER_TYPES = frozenset({3, 4, 5, 13, 14, 17, 18})  # FieldDescriptor.TYPE_*: the variable-length integers
_STRING_TYPE = 9
_PACKED, _TEXT = "packed", "text"

Table = dict[int, Any]
"""Field number -> what its length-delimited form holds: the Table of a message, _PACKED integers or _TEXT."""


@cache
def _tables() -> Table:
    """The table of ModelProto; those of nested messages hang below it."""
    from onnx import ModelProto

    tables: dict[str, Table] = {ModelProto.DESCRIPTOR.full_name: {}}
    pending: list[Any] = [ModelProto.DESCRIPTOR]
    while pending:
        descriptor = pending.pop()
        for field in descriptor.fields:
            if field.message_type:
                if field.message_type.full_name not in tables:
                    tables[field.message_type.full_name] = {}
                    pending.append(field.message_type)
                tables[descriptor.full_name][field.number] = tables[field.message_type.full_name]
            elif field.type in _INTEGER_TYPES:
                tables[descriptor.full_name][field.number] = _PACKED
            elif field.type == _STRING_TYPE:
                tables[descriptor.full_name][field.number] = _TEXT
    return tables[ModelProto.DESCRIPTOR.full_name]


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            break
    raise ProgramRefused("malformed ONNX file: a number is cut short or too long", offset=position)


def _check_text(text: bytes, position: int) -> None:
    # Parsers differ in what they make of other bytes: an exception, or a name that is no string.
    try:
        text.decode()
    except UnicodeDecodeError:
        raise ProgramRefused("malformed ONNX file: a text is not UTF-8", offset=position) from None


def scan(data: bytes, limits: Limits) -> int:
    """Count the fields of `data` as an ONNX ModelProto.

    Raises ProgramRefused when it is not well formed, has a name that is not UTF-8, nests too deeply, or exceeds
    `limits.fields` or `limits.packed_integers`. Takes about a second per million fields; tensor data is skipped.
    """
    stack: list[tuple[int, Table]] = []
    table, end, position = _tables(), len(data), 0
    fields = packed = 0
    while True:
        while position >= end:
            if not stack:
                return fields
            end, table = stack.pop()
        fields += 1
        if fields > limits.fields:
            raise ProgramRefused("the ONNX file has too many fields", limit=limits.fields)
        tag = data[position]
        position += 1
        if tag >= 0x80:
            tag, position = _varint(data, position - 1, end)
        kind = tag & 7
        if kind == _LENGTH:
            if position < end and data[position] < 0x80:
                length, position = data[position], position + 1
            else:
                length, position = _varint(data, position, end)
            if length > end - position:
                raise ProgramRefused("malformed ONNX file: a field is longer than what holds it", offset=position)
            holds = table.get(tag >> 3)
            if isinstance(holds, dict):
                if len(stack) >= _MAX_DEPTH:
                    raise ProgramRefused("the ONNX file nests too deeply", limit=_MAX_DEPTH)
                stack.append((end, table))
                table, end = holds, position + length
                continue
            if holds is _PACKED:
                packed += length
                if packed > limits.packed_integers:
                    raise ProgramRefused("too many integers outside raw_data", limit=limits.packed_integers)
            elif holds is _TEXT:
                _check_text(data[position : position + length], position)
            position += length
        elif kind == _VARINT:
            _, position = _varint(data, position, end)
        elif kind in (_FIXED32, _FIXED64):
            position += 4 if kind == _FIXED32 else 8
            if position > end:
                raise ProgramRefused("malformed ONNX file: a field is cut short", offset=position)
        else:
            raise ProgramRefused(f"malformed ONNX file: wire type {kind}", offset=position)
