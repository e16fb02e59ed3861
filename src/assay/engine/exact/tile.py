"""The register tile of a product: rows × vectors of accumulators, one fma chain per element in increasing k."""

from __future__ import annotations

from dataclasses import dataclass

import llvmlite.ir as ir

from assay.program.types import DType

from .code import F32, I1, I32, I64, PTR, VOID, Code, integer
from .frame import loop
from .storage import memory_type, pack

__all__ = ["Tile"]


@dataclass(frozen=True)
class Tile:
    """A tile of `rows` rows and `vectors` vectors of `width` lanes; the last vector has `tail` live lanes.

    Element (m, k) of A is at m·row_stride + k·a_step, row k of B at k·b_step with its columns side by side.
    The result is stored as `dtype`; where it already holds partial chains, it is binary32.
    """

    rows: int
    vectors: int
    width: int
    tail: int
    row_stride: int
    a_step: int
    b_step: int
    initial: int
    dtype: DType

    @property
    def name(self) -> str:
        """Unique in its module."""
        fields = (self.rows, self.vectors, self.width, self.tail, self.row_stride, self.a_step, self.b_step)
        return "assay.tile." + ".".join(map(str, fields)) + f".{self.initial:08x}.{self.dtype}"

    def function(self, module: ir.Module) -> ir.Function:
        """void tile(a, b, c, count, c_stride, first): c = chain over `count` terms, from `initial` or from c itself."""
        found = module.globals.get(self.name)
        if found is not None:
            return found
        function = ir.Function(module, ir.FunctionType(VOID, [PTR, PTR, PTR, I64, I64, I1]), self.name)
        function.linkage = "internal"
        function.attributes.add("nounwind")
        function.attributes.add("noinline")
        for argument in function.args[:3]:
            argument.add_attribute("noalias")
        self._emit(function)
        return function

    def _emit(self, function: ir.Function) -> None:
        b = ir.IRBuilder(function.append_basic_block("entry"))
        code = Code(b, self.width)
        a, rows_of_b, c, count, c_stride, first = function.args
        begin = self._begin(code, c, c_stride, first)

        def step(k: ir.Value, acc: list[ir.Value]) -> list[ir.Value]:
            line = code.element(rows_of_b, F32, b.mul(k, integer(self.b_step)))
            columns = [self._load(code, line, n, n == self.vectors - 1) for n in range(self.vectors)]
            column = code.element(a, F32, b.mul(k, integer(self.a_step)))
            result = []
            for m in range(self.rows):
                x = b.load(code.element(column, F32, integer(m * self.row_stride)), typ=F32, align=4)
                wide = code.splat(x)
                result += [code.fma(wide, columns[n], acc[m * self.vectors + n]) for n in range(self.vectors)]
            return result

        final = loop(b, integer(0), count, 1, begin, step)
        for m in range(self.rows):
            for n in range(self.vectors):
                self._store(code, self._at(code, c, c_stride, m, n), final[m * self.vectors + n], n)
        b.ret_void()

    def _begin(self, code: Code, c: ir.Value, c_stride: ir.Value, first: ir.Value) -> list[ir.Value]:
        """The accumulators: `initial`, or what c holds."""
        fresh = code.immediate(DType.FLOAT32, self.initial)
        count = self.rows * self.vectors
        if self.dtype is not DType.FLOAT32:
            return [fresh] * count
        b = code.builder
        entry, resume, ready = b.block, b.append_basic_block("resume"), b.append_basic_block("ready")
        b.cbranch(first, ready, resume)
        b.position_at_end(resume)
        held = []
        for m in range(self.rows):
            for n in range(self.vectors):
                held.append(self._load(code, self._at(code, c, c_stride, m, n), 0, n == self.vectors - 1))
        b.branch(ready)
        b.position_at_end(ready)
        phis = []
        for value in held:
            phi = b.phi(value.type)
            phi.add_incoming(fresh, entry)
            phi.add_incoming(value, resume)
            phis.append(phi)
        return phis

    def _at(self, code: Code, c: ir.Value, c_stride: ir.Value, row: int, vector: int) -> ir.Value:
        offset = code.builder.add(code.builder.mul(c_stride, integer(row)), integer(vector * self.width))
        return code.element(c, memory_type(self.dtype), offset)

    def _mask(self, code: Code) -> ir.Value:
        return code.each(I1, [int(lane < self.tail) for lane in range(self.width)])

    def _load(self, code: Code, line: ir.Value, vector: int, last: bool) -> ir.Value:
        """Vector number `vector` from `line` on; of the last one only the live lanes are touched."""
        pointer = code.element(line, F32, integer(vector * self.width))
        wide = code.wide(F32)
        if not last or self.tail == self.width:
            return code.builder.load(pointer, typ=wide, align=4)
        args = [pointer, ir.Constant(I32, 4), self._mask(code), code.constant(F32, 0.0)]
        return code.intrinsic("masked.load", wide, args, [wide, PTR])

    def _store(self, code: Code, pointer: ir.Value, value: ir.Value, vector: int) -> None:
        stored = pack(code, self.dtype, value)
        if vector < self.vectors - 1 or self.tail == self.width:
            code.builder.store(stored, pointer, align=self.dtype.itemsize)
            return
        if self.dtype is DType.FLOAT32:
            args = [stored, pointer, ir.Constant(I32, 4), self._mask(code)]
            code.intrinsic("masked.store", VOID, args, [stored.type, PTR])
            return
        for lane in range(self.tail):  # LLVM 22 widens a masked store of one truncated lane: it writes 4 bytes for 2
            place = code.element(pointer, memory_type(self.dtype), integer(lane))
            value = code.builder.extract_element(stored, ir.Constant(I32, lane)) if self.width > 1 else stored
            code.builder.store(value, place, align=self.dtype.itemsize)
