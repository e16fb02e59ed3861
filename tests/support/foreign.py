"""Programs compiled for another processor and run by an emulator: the same bits on a machine that is not this one.

The code is what the engine itself would run there. It is linked with a start of a few instructions into a static
executable that needs no C library: it maps one file at a fixed address, where tables, inputs and room for the results
lie as they would in memory, runs the program's loop over its steps on one or more threads, and exits.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assay.engine import check_inputs
from assay.engine.exact.compiled import Compiled, build, entry
from assay.engine.exact.executable import PIECES, SHARED_FROM
from assay.engine.exact.native import Machine, assemble
from assay.engine.exact.runner import COLUMNS, COUNTERS, RUN
from assay.errors import AssayError
from assay.program.program import Program
from assay.program.types import Port

__all__ = ["AARCH64", "Emulated"]

Array = np.ndarray[Any, Any]

AARCH64 = Machine("generic", "+neon", 4, False, "aarch64-unknown-linux-gnu")
"""Any 64-bit Arm processor."""
BASE = 1 << 36
"""Where the file is mapped."""
ASSEMBLER, LINKER, EMULATOR = "aarch64-linux-gnu-as", "aarch64-linux-gnu-ld", "qemu-aarch64"
"""Commands of Debian's packages binutils-aarch64-linux-gnu and qemu-user."""
_STACK = 1 << 18
_HEADER = ("count", "threads", "tensors", "steps", "counters", "scratch", "stride", "stacks", "mode", "mode_after")
"""The int64 at the start of the file. `mode` is the control word that the caller of the program happens to have."""


class Emulated:
    """An `Executable` (see assay.engine) that runs `program` as a 64-bit Arm processor would.

    `mode` is what the floating-point control word FPCR holds when the program is called; afterwards `mode_after` is
    what it holds then. Raises AssayError if linker or emulator fail, FileNotFoundError if they are not installed.
    """

    def __init__(self, program: Program, threads: int = 1, mode: int = 0, shared_from: int = SHARED_FROM) -> None:
        self.program = program
        self.mode_after = -1
        code = build(program, AARCH64)
        self._image = _Image(code, program, threads, mode, shared_from)
        with tempfile.TemporaryDirectory() as folder:
            self._executable = _linked(code, Path(folder))

    def run(self, inputs: Mapping[str, Array], donate: Collection[str] = ()) -> dict[str, Array]:
        """See `assay.engine.Executable.run`."""
        with tempfile.TemporaryDirectory() as folder:
            executable, file = Path(folder) / "program", Path(folder) / "memory"
            executable.write_bytes(self._executable)
            executable.chmod(0o700)
            file.write_bytes(self._image.filled(check_inputs(self.program, inputs)))
            _tool([EMULATOR, str(executable), str(file)])
            memory = np.fromfile(file, np.uint8)
        self.mode_after = int(memory[: 8 * len(_HEADER)].view(np.int64)[_HEADER.index("mode_after")])
        return {port.name: self._image.read(memory, port, tensor) for port, tensor in self.program.outputs}


def _tool(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise AssayError(f"{command[0]} ended with {done.returncode}", output=done.stderr[-2000:])


def _linked(code: Compiled, folder: Path) -> bytes:
    """The static executable."""
    source, files = folder / "start.s", [folder / "start.o"]
    source.write_text(_ASSEMBLY)
    _tool([ASSEMBLER, "-o", str(files[0]), str(source)])
    for n, each in enumerate([assemble(_start(code.forms), AARCH64), *code.objects]):
        files.append(folder / f"{n}.o")
        files[-1].write_bytes(each)
    result = folder / "program"
    _tool([LINKER, "-static", "-nostdlib", "-z", "noexecstack", "-o", str(result), *map(str, files)])
    return result.read_bytes()


class _Image:
    """The file: header, tables, stacks, scratch memory, then every tensor, each part at a cache line."""

    def __init__(self, code: Compiled, program: Program, threads: int, mode: int, shared_from: int) -> None:
        self._size = 8 * len(_HEADER)
        count = len(code.stages)
        slots = np.array([n for stage in code.stages for n in stage.slots], np.int64)
        at = {name: self._room(8 * size) for name, size in (("tensors", len(code.tensors)), ("slots", len(slots)))}
        at |= {"steps": self._room(8 * COLUMNS * count), "counters": self._room(8 * COUNTERS * count)}
        at |= {"stacks": self._room(_STACK * threads), "scratch": self._room(threads * _line(code.scratch))}
        arena = self._room(code.arena)
        sizes = {p.name: p.nbytes for p in (*program.inputs, *(Port(t, p.dtype, p.shape) for p, t in program.outputs))}
        sizes |= {name: array.nbytes for name, array in program.constants.items()}
        self._places = {name: arena + offset for name, offset in code.offsets.items()}
        for name in dict.fromkeys((*code.tensors, *(tensor for _, tensor in program.outputs))):
            if name not in self._places:
                self._places[name] = self._room(sizes[name])
        self._memory = np.zeros(self._size, np.uint8)
        header = {"count": count, "threads": threads, "stride": _line(code.scratch), "mode": mode}
        header |= {name: BASE + at[name] for name in ("tensors", "steps", "counters", "scratch", "stacks")}
        self._put(0, np.array([header.get(name, 0) for name in _HEADER], np.int64))
        self._put(at["tensors"], np.array([BASE + self._places[name] for name in code.tensors], np.int64))
        self._put(at["slots"], slots)
        self._put(at["steps"], _steps(code, BASE + at["slots"], threads, shared_from))
        for name, array in program.constants.items():
            if name in self._places:
                self._put(self._places[name], array)

    def _room(self, size: int) -> int:
        """Where a new part of `size` bytes begins."""
        start = self._size
        self._size += _line(size)
        return start

    def _put(self, at: int, array: Array) -> None:
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self._memory[at : at + len(raw)] = raw

    def filled(self, inputs: Mapping[str, Array]) -> bytes:
        """The file with these inputs."""
        for name, array in inputs.items():
            if name in self._places:
                self._put(self._places[name], array)
        return self._memory.tobytes()

    def read(self, memory: Array, port: Port, tensor: str) -> Array:
        """The tensor that an output port shows, in a file that was run."""
        raw = memory[self._places[tensor] :][: port.nbytes]
        return raw.view(port.dtype.numpy).reshape(port.shape).copy()


def _line(size: int) -> int:
    return -(-size // 64) * 64


def _steps(code: Compiled, slots: int, threads: int, shared_from: int) -> Array:
    """The table that runner.py describes, with the numbers of functions in place of their addresses."""
    rows = []
    for stage in code.stages:
        shared = stage.points >= shared_from and stage.units > stage.grain
        piece = -(-stage.units // (stage.grain * threads * PIECES)) * stage.grain
        rows.append((stage.form, slots, stage.units, piece, stage.wait, shared))
        slots += 8 * len(stage.slots)
    return np.array(rows, np.int64).reshape(-1, COLUMNS)


_ASSEMBLY = """
        .globl _start, assay_call, assay_clone
_start: mov x0, sp
        bl assay_main
assay_call:                     // assay_call(number, six arguments): a system call of Linux
        mov x8, x0
        mov x0, x1
        mov x1, x2
        mov x2, x3
        mov x3, x4
        mov x4, x5
        mov x5, x6
        svc #0
        ret
assay_clone:                    // assay_clone(stack, thread): run assay_share(thread) on a thread of its own
        str x1, [x0, #-16]!
        mov x1, x0
        movz x0, #0x0f00        // memory, files and signals in common
        movk x0, #0x5, lsl #16
        mov x8, #220
        svc #0
        cbz x0, 1f
        ret
1:      ldr x0, [sp]
        bl assay_share
        mov x8, #93
        svc #0
        .section .note.GNU-stack, "", %progbits
"""


def _start(forms: int) -> str:
    """The rest of the executable's start, and the functions that LLVM takes for granted.

    System calls: openat 56, lseek 62, exit_group 94, sched_yield 124, mmap 222.
    """
    names = ", ".join(f"ptr @{entry(n)}" for n in range(forms))
    declared = "\n".join(f"declare void @{entry(n)}(ptr, ptr, i64, i64, ptr)" for n in range(forms))
    field = {name: BASE + 8 * n for n, name in enumerate(_HEADER)}
    loads = "\n".join(f"  %{name} = load i64, ptr inttoptr (i64 {at} to ptr)" for name, at in field.items())
    return f"""
@entries = internal constant [{forms} x ptr] [{names}]
{declared}
declare void @"{RUN}"(ptr, ptr, i64, i64, i64, i64, ptr, ptr)
declare i64 @assay_clone(i64, i64)
declare i64 @assay_call(i64, i64, i64, i64, i64, i64, i64)
declare void @llvm.aarch64.set.fpcr(i64)
declare i64 @llvm.aarch64.get.fpcr()

define i32 @assay_yield() {{
  %r = call i64 @assay_call(i64 124, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0)
  ret i32 0
}}

define ptr @memcpy(ptr %to, ptr %from, i64 %size) {{
  %none = icmp eq i64 %size, 0
  br i1 %none, label %done, label %more
more:
  %n = phi i64 [ 0, %0 ], [ %next, %more ]
  %source = getelementptr i8, ptr %from, i64 %n
  %byte = load volatile i8, ptr %source
  %target = getelementptr i8, ptr %to, i64 %n
  store volatile i8 %byte, ptr %target
  %next = add i64 %n, 1
  %end = icmp eq i64 %next, %size
  br i1 %end, label %done, label %more
done:
  ret ptr %to
}}

define ptr @memset(ptr %to, i32 %value, i64 %size) {{
  %byte = trunc i32 %value to i8
  %none = icmp eq i64 %size, 0
  br i1 %none, label %done, label %more
more:
  %n = phi i64 [ 0, %0 ], [ %next, %more ]
  %target = getelementptr i8, ptr %to, i64 %n
  store volatile i8 %byte, ptr %target
  %next = add i64 %n, 1
  %end = icmp eq i64 %next, %size
  br i1 %end, label %done, label %more
done:
  ret ptr %to
}}

define void @assay_share(i64 %thread) {{
{loads}
  call void @llvm.aarch64.set.fpcr(i64 %mode)
  %offset = mul i64 %thread, %stride
  %mine = add i64 %scratch, %offset
  %1 = inttoptr i64 %tensors to ptr
  %2 = inttoptr i64 %steps to ptr
  %3 = inttoptr i64 %counters to ptr
  %4 = inttoptr i64 %mine to ptr
  call void @"{RUN}"(ptr %1, ptr %2, i64 %count, i64 %thread, i64 %threads, i64 0, ptr %3, ptr %4)
  %after = call i64 @llvm.aarch64.get.fpcr()
  %first = icmp eq i64 %thread, 0
  br i1 %first, label %note, label %done
note:
  store i64 %after, ptr inttoptr (i64 {field["mode_after"]} to ptr)
  br label %done
done:
  ret void
}}

define void @assay_main(ptr %stack) {{
  %place = getelementptr i64, ptr %stack, i64 2
  %path = load i64, ptr %place
  %file = call i64 @assay_call(i64 56, i64 -100, i64 %path, i64 2, i64 0, i64 0, i64 0)
  %size = call i64 @assay_call(i64 62, i64 %file, i64 0, i64 2, i64 0, i64 0, i64 0)
  %base = call i64 @assay_call(i64 222, i64 {BASE}, i64 %size, i64 3, i64 17, i64 %file, i64 0)
  %mapped = icmp eq i64 %base, {BASE}
  br i1 %mapped, label %link, label %fail
fail:
  %f = call i64 @assay_call(i64 94, i64 2, i64 0, i64 0, i64 0, i64 0, i64 0)
  unreachable
link:
{loads}
  br label %steps_left
steps_left:
  %n = phi i64 [ 0, %link ], [ %next, %resolve ]
  %linked = icmp sge i64 %n, %count
  br i1 %linked, label %hire, label %resolve
resolve:
  %offset = mul i64 %n, {8 * COLUMNS}
  %at = add i64 %steps, %offset
  %column = inttoptr i64 %at to ptr
  %number = load i64, ptr %column
  %which = getelementptr ptr, ptr @entries, i64 %number
  %address = load i64, ptr %which
  store i64 %address, ptr %column
  %next = add i64 %n, 1
  br label %steps_left
hire:
  %thread = phi i64 [ 1, %steps_left ], [ %following, %begin ]
  %enough = icmp sge i64 %thread, %threads
  br i1 %enough, label %work, label %begin
begin:
  %following = add i64 %thread, 1
  %above = mul i64 %following, {_STACK}
  %top = add i64 %stacks, %above
  %id = call i64 @assay_clone(i64 %top, i64 %thread)
  %refused = icmp slt i64 %id, 0
  br i1 %refused, label %fail, label %hire
work:
  call void @assay_share(i64 0)
  %d = call i64 @assay_call(i64 94, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0)
  unreachable
}}
"""
