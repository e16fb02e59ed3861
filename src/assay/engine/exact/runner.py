"""The native loop over a program's steps: one call runs them all, on every thread, with as few barriers as possible."""

from __future__ import annotations

from collections.abc import Callable

import llvmlite.ir as ir

from .code import I32, I64, PTR, VOID, integer
from .frame import loop
from .function import ENTRY
from .native import Machine

__all__ = ["COLUMNS", "RUN", "declare_run"]

RUN = "assay.run"
COLUMNS = 6
"""A step is six int64: entry address, address of its slots, units, grain, wait (0 or 1), shared (0 or 1)."""

_SPINS = 2000


def declare_run(module: ir.Module, target: Machine) -> None:
    """void assay.run(tensors, steps, count, thread, threads, arrivals, scratch).

    Every thread calls it. A step that is not shared runs on thread 0; before a step with `wait`, all threads meet.
    `arrivals` is an int64 that was 0 before the first thread came. The floating-point environment is the caller's
    outside, and round-to-nearest with subnormals inside.
    """
    kind = ir.FunctionType(VOID, [PTR, PTR, I64, I64, I64, PTR, PTR])
    function = ir.Function(module, kind, RUN)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    tensors, steps, count, thread, threads, arrivals, scratch = function.args
    restore = _environment(b, target)

    def step(index: ir.Value, carried: list[ir.Value]) -> list[ir.Value]:
        base = b.mul(index, integer(COLUMNS))

        def column(n: int) -> ir.Value:
            return b.load(b.gep(steps, [b.add(base, integer(n))], source_etype=I64), typ=I64)

        met = carried[0]
        wait = b.and_(b.icmp_signed("!=", column(4), integer(0)), b.icmp_signed(">", threads, integer(1)))
        target_count = b.add(met, b.select(wait, threads, integer(0)))
        with b.if_then(wait):
            _meet(b, arrivals, target_count, target)
        low, high = _share(b, column(2), column(3), column(5), thread, threads)
        with b.if_then(b.icmp_signed("<", low, high)):
            entry = b.inttoptr(column(0), PTR)
            b.call(_Callee(entry), [tensors, b.inttoptr(column(1), PTR), low, high, scratch])
        return [target_count]

    loop(b, integer(0), count, 1, [integer(0)], step)
    restore()
    b.ret_void()


class _Callee(ir.Value):
    """A function pointer that knows its type: llvmlite's opaque pointers do not."""

    function_type = ENTRY

    def __init__(self, pointer: ir.Value) -> None:
        self.type = PTR
        self._pointer = pointer

    def get_reference(self) -> str:
        return str(self._pointer.get_reference())


def _share(
    b: ir.IRBuilder, units: ir.Value, grain: ir.Value, shared: ir.Value, thread: ir.Value, threads: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """This thread's units [low, high): equal parts, rounded up to the grain."""
    groups = b.sdiv(b.add(units, b.sub(grain, integer(1))), grain)
    part = b.mul(b.sdiv(b.add(groups, b.sub(threads, integer(1))), threads), grain)
    alone = b.icmp_signed("==", shared, integer(0))
    part = b.select(alone, units, part)
    low = b.mul(part, thread)
    end = b.add(low, part)
    return low, b.select(b.icmp_signed("<", end, units), end, units)


def _meet(b: ir.IRBuilder, arrivals: ir.Value, expected: ir.Value, target: Machine) -> None:
    """Wait until all threads are here: `arrivals` only grows. Spin for some microseconds, then let others run."""
    b.atomic_rmw("add", arrivals, integer(1), "acq_rel")
    entry, spin, give, done = b.block, *(b.append_basic_block(n) for n in ("spin", "give", "met"))
    b.branch(spin)
    b.position_at_end(spin)
    tries = b.phi(I64)
    tries.add_incoming(integer(0), entry)
    here = b.load_atomic(arrivals, "acquire", 8, typ=I64)
    if target.x86:
        pause = b.module.globals.get("llvm.x86.sse2.pause")
        b.call(pause or ir.Function(b.module, ir.FunctionType(VOID, []), "llvm.x86.sse2.pause"), [])
    after = b.add(tries, integer(1))
    waiting = b.append_basic_block("waiting")
    b.cbranch(b.icmp_signed(">=", here, expected), done, waiting)
    b.position_at_end(waiting)
    tries.add_incoming(after, waiting)
    b.cbranch(b.icmp_signed("<", after, integer(_SPINS)), spin, give)
    b.position_at_end(give)
    yielding = b.module.globals.get("assay_yield")
    b.call(yielding or ir.Function(b.module, ir.FunctionType(I32, []), "assay_yield"), [])
    tries.add_incoming(after, give)
    b.branch(spin)
    b.position_at_end(done)


def _environment(b: ir.IRBuilder, target: Machine) -> Callable[[], None]:
    """Set the floating-point environment of exact-1; the returned function puts the caller's back."""
    if not target.x86:
        return lambda: None
    slot = b.alloca(I32)
    kind = ir.FunctionType(VOID, [PTR])
    save = ir.Function(b.module, kind, "llvm.x86.sse.stmxcsr")
    load = ir.Function(b.module, kind, "llvm.x86.sse.ldmxcsr")
    b.call(save, [slot])
    old = b.load(slot, typ=I32)
    b.store(ir.Constant(I32, 0x1F80), slot)
    b.call(load, [slot])

    def restore() -> None:
        b.store(old, slot)
        b.call(load, [slot])

    return restore
