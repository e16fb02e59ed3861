"""The named functions as machine code: a fast evaluator for the measurement in accuracy.py.

Independent of the product's engine, so that it also serves as a second opinion on the bits.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from assay.program.functions import FUNCTIONS

__all__ = ["LlvmOps", "compile_function"]

F32, I32, I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)


class LlvmOps:
    """`Ops` that emits LLVM instructions. No fast-math flag is ever set."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.b = builder

    def _call(self, name: str, result: ir.Type, *args: ir.Value) -> ir.Value:
        module = self.b.module
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(result, [a.type for a in args]), name)
        return self.b.call(function, args)

    def f32(self, value: float | int) -> ir.Value:
        if isinstance(value, int):
            return self.b.bitcast(ir.Constant(I32, value), F32)
        return self.f32(struct.unpack("<I", struct.pack("<f", value))[0])

    def i32(self, value: int) -> ir.Value:
        return ir.Constant(I32, value)

    def __getattr__(self, name: str) -> Callable[..., ir.Value]:
        b = self.b
        compare = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "=="}
        if name in compare:
            return lambda x, y: b.fcmp_ordered(compare[name], x, y)
        unary = {"sqrt": "sqrt", "abs": "fabs", "floor": "floor", "round": "roundeven"}
        if name in unary:
            return lambda x: self._call(f"llvm.{unary[name]}.f32", F32, x)
        direct = {"add": b.fadd, "sub": b.fsub, "mul": b.fmul, "div": b.fdiv, "neg": b.fneg, "select": b.select}
        direct |= {"iadd": b.add, "isub": b.sub, "imul": b.mul, "iand": b.and_, "ior": b.or_, "ixor": b.xor}
        direct |= {"ishl": b.shl, "ishr": b.ashr, "band": b.and_, "bor": b.or_, "bnot": b.not_}
        return direct[name]

    def fma(self, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
        return self._call("llvm.fma.f32", F32, x, y, z)

    def to_int(self, x: ir.Value) -> ir.Value:
        return self._call("llvm.fptosi.sat.i32.f32", I32, x)

    def to_float(self, x: ir.Value) -> ir.Value:
        return self.b.sitofp(x, F32)

    def bits(self, x: ir.Value) -> ir.Value:
        return self.b.bitcast(x, I32)

    def from_bits(self, x: ir.Value) -> ir.Value:
        return self.b.bitcast(x, F32)


def _module(name: str, arity: int) -> ir.Module:
    module, pointer = ir.Module(), F32.as_pointer()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer] * (arity + 1) + [I64]), "run")
    for argument in function.args[:-1]:
        argument.add_attribute("noalias")
    entry, loop, done = (function.append_basic_block() for _ in range(3))
    b = ir.IRBuilder(entry)
    b.cbranch(b.icmp_signed(">", function.args[-1], I64(0)), loop, done)
    b.position_at_end(loop)
    i = b.phi(I64)
    i.add_incoming(I64(0), entry)
    operands = [b.load(b.gep(a, [i])) for a in function.args[1:-1]]
    b.store(FUNCTIONS[name](LlvmOps(b), *operands), b.gep(function.args[0], [i]))
    following = b.add(i, I64(1))
    i.add_incoming(following, loop)
    b.cbranch(b.icmp_signed("<", following, function.args[-1]), loop, done)
    b.position_at_end(done)
    b.ret_void()
    return module


def compile_function(name: str) -> Callable[..., np.ndarray[Any, Any]]:
    """FUNCTIONS[name] as a function of contiguous float32 arrays of one shape; gives a new float32 array."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    arity = 2 if name == "pow" else 1
    host = {"cpu": llvm.get_host_cpu_name(), "features": llvm.get_host_cpu_features().flatten()}
    machine = llvm.Target.from_default_triple().create_target_machine(opt=3, **host)
    module = llvm.parse_assembly(str(_module(name, arity)))
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    address = engine.get_function_address("run")
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)(address)

    def run(*operands: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        out = np.empty_like(operands[0])
        call(out.ctypes.data, *(x.ctypes.data for x in operands), out.size)
        return out

    run.owner = (engine, machine, module)  # type: ignore[attr-defined]  # MCJIT owns them: keep them together
    return run
