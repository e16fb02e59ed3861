"""The native loop over a program's steps: one call runs them all. Threads take pieces of the large ones as they come.

Nobody waits for a thread, only for pieces of work: a thread that the system does not run takes none, so a busy
machine slows a run down but does not stall it. Which thread takes which piece changes no bit.
"""

from __future__ import annotations

from collections.abc import Callable

import llvmlite.ir as ir

from .code import I32, I64, PTR, VOID, integer
from .frame import loop
from .function import ENTRY
from .native import Machine

__all__ = ["COLUMNS", "COUNTERS", "RUN", "declare_run"]

RUN = "assay.run"
COLUMNS = 6
"""A step is six int64: entry address, address of its slots, units, piece (units taken at once), wait, shared (0 or 1).

Before a step with `wait`, all work since the last such step is done. A step that is not shared runs on thread 0.
"""
COUNTERS = 16
"""Two counters per step, on cache lines of their own: units taken, and 8 int64 further units done. They never go back:
run number e of the program takes the units from e·units on, so that a thread that comes late finds nothing to do."""

_SPINS = 2000


def declare_run(module: ir.Module, target: Machine) -> None:
    """void assay.run(tensors, steps, count, thread, threads, round, counters, scratch).

    Thread 0 returns when all work of the round is done. The floating-point environment is the caller's outside, and
    round-to-nearest with subnormals inside.
    """
    kind = ir.FunctionType(VOID, [PTR, PTR, I64, I64, I64, I64, PTR, PTR])
    function = ir.Function(module, kind, RUN)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    restore = _environment(builder, target)
    _Round(builder, target, *function.args).emit()
    restore()
    builder.ret_void()


class _Callee(ir.Value):  # type: ignore[misc]
    """A function pointer that knows its type: llvmlite's opaque pointers do not."""

    function_type = ENTRY

    def __init__(self, pointer: ir.Value) -> None:
        self.type = PTR
        self._pointer = pointer

    def get_reference(self) -> str:
        return str(self._pointer.get_reference())


class _Round:
    """One thread's walk over the steps."""

    def __init__(self, builder: ir.IRBuilder, target: Machine, *args: ir.Value) -> None:
        self.b, self.target = builder, target
        self.tensors, self.steps, self.count, self.thread, self.threads, self.round, self.counters, self.scratch = args

    def emit(self) -> None:
        b = self.b
        alone = b.icmp_signed("==", self.threads, integer(1))
        with b.if_else(alone) as (one, many):
            with one:
                loop(b, integer(0), self.count, 1, (), self._whole)
            with many:
                (since,) = loop(b, integer(0), self.count, 1, [integer(0)], self._step)
                with b.if_then(b.icmp_signed("==", self.thread, integer(0))):
                    self._await(since, self.count)

    def _whole(self, n: ir.Value, carried: list[ir.Value]) -> tuple[()]:
        self._call(n, integer(0), self._column(n, 2))
        return ()

    def _step(self, n: ir.Value, carried: list[ir.Value]) -> list[ir.Value]:
        b, (since,) = self.b, carried
        wait = b.icmp_signed("!=", self._column(n, 4), integer(0))
        with b.if_then(wait):
            self._await(since, n)
        shared = b.icmp_signed("!=", self._column(n, 5), integer(0))
        with b.if_else(shared) as (together, single):
            with together:
                self._take(n)
            with single, b.if_then(b.icmp_signed("==", self.thread, integer(0))):
                units = self._column(n, 2)
                self._call(n, integer(0), units)
                b.atomic_rmw("add", self._counter(n, 8), units, "acq_rel")
        return [b.select(wait, n, since)]

    def _column(self, n: ir.Value, column: int) -> ir.Value:
        place = self.b.add(self.b.mul(n, integer(COLUMNS)), integer(column))
        return self.b.load(self.b.gep(self.steps, [place], source_etype=I64), typ=I64)

    def _counter(self, n: ir.Value, at: int) -> ir.Value:
        place = self.b.add(self.b.mul(n, integer(COUNTERS)), integer(at))
        return self.b.gep(self.counters, [place], source_etype=I64)

    def _call(self, n: ir.Value, low: ir.Value, high: ir.Value) -> None:
        b = self.b
        entry, slots = b.inttoptr(self._column(n, 0), PTR), b.inttoptr(self._column(n, 1), PTR)
        with b.if_then(b.icmp_signed("<", low, high)):
            b.call(_Callee(entry), [self.tensors, slots, low, high, self.scratch])

    def _take(self, n: ir.Value) -> None:
        """Take pieces of step `n` until none is left, and run them."""
        b, units = self.b, self._column(n, 2)
        start = b.mul(self.round, units)
        end, taken, piece = b.add(start, units), self._counter(n, 0), self._column(n, 3)
        look, claim, work, left = (b.append_basic_block(x) for x in ("look", "claim", "work", "left"))
        b.branch(look)
        b.position_at_end(look)
        low = b.load_atomic(taken, "acquire", 8, typ=I64)
        b.cbranch(b.icmp_signed("<", low, end), claim, left)
        b.position_at_end(claim)
        high = b.add(low, piece)
        high = b.select(b.icmp_signed("<", high, end), high, end)
        won = b.extract_value(b.cmpxchg(taken, low, high, "acq_rel", "acquire"), 1)
        b.cbranch(won, work, look)
        b.position_at_end(work)
        self._call(n, b.sub(low, start), b.sub(high, start))
        b.atomic_rmw("add", self._counter(n, 8), b.sub(high, low), "acq_rel")
        b.branch(look)
        b.position_at_end(left)

    def _await(self, first: ir.Value, last: ir.Value) -> None:
        """Return when the steps [first, last) are done. Spin for some microseconds, then let others run."""

        def step(n: ir.Value, carried: list[ir.Value]) -> tuple[()]:
            following = self.b.add(self.round, integer(1))
            self._reach(self._counter(n, 8), self.b.mul(following, self._column(n, 2)))
            return ()

        loop(self.b, first, last, 1, (), step)

    def _reach(self, counter: ir.Value, goal: ir.Value) -> None:
        b = self.b
        before, spin, more, give, done = b.block, *(b.append_basic_block(x) for x in ("spin", "more", "give", "done"))
        b.branch(spin)
        b.position_at_end(spin)
        tries = b.phi(I64)
        tries.add_incoming(integer(0), before)
        there = b.icmp_signed(">=", b.load_atomic(counter, "acquire", 8, typ=I64), goal)
        b.cbranch(there, done, more)
        b.position_at_end(more)
        if self.target.x86:
            self._library("llvm.x86.sse2.pause", VOID)
        after = b.add(tries, integer(1))
        tries.add_incoming(after, more)
        b.cbranch(b.icmp_signed("<", after, integer(_SPINS)), spin, give)
        b.position_at_end(give)
        self._library("assay_yield", I32)
        tries.add_incoming(after, give)
        b.branch(spin)
        b.position_at_end(done)

    def _library(self, name: str, result: ir.Type) -> None:
        function = self.b.module.globals.get(name)
        self.b.call(function or ir.Function(self.b.module, ir.FunctionType(result, []), name), [])


def _environment(b: ir.IRBuilder, target: Machine) -> Callable[[], None]:
    """Set the floating-point environment of exact-1; the returned function puts the caller's back.

    On x86-64 it is MXCSR: rounding to nearest, subnormals kept, every exception masked. On Arm it is FPCR, whose bits
    all mean a deviation: flushing (FZ, FZ16, FIZ), other NaN (DN, AH, NEP), other formats (AHP, EBF), another rounding,
    traps.
    """
    if not target.x86:
        save = ir.Function(b.module, ir.FunctionType(I64, []), "llvm.aarch64.get.fpcr")
        load = ir.Function(b.module, ir.FunctionType(VOID, [I64]), "llvm.aarch64.set.fpcr")
        word = b.call(save, [])
        b.call(load, [integer(0)])
        return lambda: b.call(load, [word])
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
