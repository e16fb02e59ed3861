"""The machine underneath: which instructions it has, and how LLVM assembly becomes functions that can be called."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from assay.errors import ConfigError

__all__ = ["LEVELS", "Library", "Machine", "assemble", "compiler_version", "machine"]

LEVELS = ("sse2", "avx2", "avx512")
"""Instruction sets that x86-64 can be restricted to; `native` is whatever the host has."""

_CPUS = {"sse2": ("x86-64", 4), "avx2": ("x86-64-v3", 8), "avx512": ("x86-64-v4", 16)}
_NEEDS = {"sse2": set(), "avx2": {"avx2", "fma", "bmi2"}, "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"}}
_LOCK = threading.RLock()


@dataclass(frozen=True)
class Machine:
    """A compilation target: LLVM's cpu and feature strings, and the number of 32-bit lanes of a register.

    It is x86-64 or 64-bit Arm; `triple` names one that is not the host (as in tests of Arm). Work is cut up for `threads`.
    """

    cpu: str
    features: str
    vector: int
    x86: bool
    triple: str = ""
    threads: int = 1

    @property
    def registers(self) -> int:
        """Number of vector registers."""
        return 32 if self.vector == 16 or not self.x86 else 16

    @property
    def fused(self) -> bool:
        """Whether there are instructions that multiply and add with one rounding, and that round to integers."""
        return not self.x86 or self.vector > 4 or {"+fma", "+sse4.1"} <= set(self.features.split(","))


@cache
def _host_features() -> frozenset[str]:
    with _LOCK:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        return frozenset(name for name, present in llvm.get_host_cpu_features().items() if present)


def machine(level: str | None = None) -> Machine:
    """The host, or the host restricted to `level` (default: the variable ASSAY_CPU_FEATURES, else `native`).

    Raises ConfigError for a level that is unknown or that the host does not have, and on other processors than x86-64
    and 64-bit Arm.
    """
    level = level or os.environ.get("ASSAY_CPU_FEATURES") or "native"
    present, host = _host_features(), platform.machine().lower()
    x86 = host in ("x86_64", "amd64")
    if not x86 and host not in ("aarch64", "arm64"):  # runner.py knows the control words of these two
        raise ConfigError(f"the exact engine does not know the processor {host!r}", known=["x86_64", "aarch64"])
    if level == "native":
        have = [name for name in LEVELS if x86 and _NEEDS[name] <= present]
        vector = _CPUS[have[-1]][1] if have else 4
        return Machine(llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), vector, x86)
    if level not in LEVELS or not x86 or not _NEEDS[level] <= present:
        raise ConfigError(f"this machine has no instruction set {level!r}", level=level, known=[*LEVELS, "native"])
    cpu, vector = _CPUS[level]
    return Machine(cpu, "", vector, x86)


def compiler_version() -> tuple[str, ...]:
    """What object code depends on besides the assembly and the machine: LLVM, its binding and the host's triple."""
    return ".".join(map(str, llvm.llvm_version_info)), llvmlite.__version__, llvm.get_process_triple()


def _create(target: Machine) -> llvm.TargetMachine:
    _host_features()
    if target.triple:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        foreign = llvm.Target.from_triple(target.triple)
        return foreign.create_target_machine(cpu=target.cpu, features=target.features, opt=2, reloc="static")
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, jit=True
    )


def assemble(source: str, target: Machine) -> bytes:
    """LLVM assembly as a relocatable object file. It is verified before any pass sees it.

    May be called from several threads at once, and they compile at once: each call has an LLVM context of its own.
    """
    context, builder = llvm.create_context(), _create(target)
    module = llvm.parse_assembly(source, context)
    module.verify()
    _optimise(module, builder)
    return _emit(module, builder)


@cache
def _unlocked(name: str, result: Any, *arguments: Any) -> Any:
    """A function of LLVM's binding without the lock that llvmlite holds around each; None if it has no such function.

    LLVM needs that lock only for what is shared: objects of one context are safe in the thread that made it.
    """
    try:
        function = ctypes.CDLL(llvm.ffi.lib._name)[name]
    except (AttributeError, OSError):
        return None
    function.restype, function.argtypes = result, arguments
    return function


def _pointer(reference: Any) -> ctypes.c_void_p:
    return ctypes.cast(reference._ptr, ctypes.c_void_p)


def _optimise(module: llvm.ModuleRef, target: llvm.TargetMachine) -> None:
    """A few passes: loops are written as vectors and invariants are hoisted already (0.1 s where -O2 takes 1.2 s)."""
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=1))
    passes = llvm.create_new_module_pass_manager()
    passes.add_simplify_cfg_pass()
    passes.add_instruction_combine_pass()
    passes.add_new_gvn_pass()
    passes.add_instruction_combine_pass()
    run = _unlocked("LLVMPY_RunNewModulePassManager", None, *[ctypes.c_void_p] * 3)
    if run is None:
        passes.run(module, builder)
    else:
        run(_pointer(passes), _pointer(module), _pointer(builder))


def _emit(module: llvm.ModuleRef, target: llvm.TargetMachine) -> bytes:
    words = ctypes.POINTER(ctypes.c_char_p)
    emit = _unlocked(
        "LLVMPY_TargetMachineEmitToMemory", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, words
    )
    start = _unlocked("LLVMPY_GetBufferStart", ctypes.c_void_p, ctypes.c_void_p)
    size = _unlocked("LLVMPY_GetBufferSize", ctypes.c_size_t, ctypes.c_void_p)
    dispose = _unlocked("LLVMPY_DisposeMemoryBuffer", None, ctypes.c_void_p)
    if emit is None or start is None or size is None or dispose is None:
        return bytes(target.emit_object(module))
    complaint = ctypes.c_char_p()
    buffer = emit(_pointer(target), _pointer(module), 1, ctypes.byref(complaint))
    if not buffer:
        raise RuntimeError(f"LLVM emits no object code: {(complaint.value or b'').decode(errors='replace')}")
    try:
        return ctypes.string_at(start(buffer), size(buffer))
    finally:
        dispose(buffer)


def _add_symbols() -> None:
    """Make the one library function that compiled code calls known to LLVM: give up the processor."""
    if sys.platform == "win32":
        give = ctypes.windll.kernel32.SwitchToThread
    else:
        give = ctypes.CDLL(None).sched_yield
    address = ctypes.cast(give, ctypes.c_void_p).value
    assert address is not None
    llvm.add_symbol("assay_yield", address)


class Library:
    """Object code in memory. The linker owns its target machine; both live exactly as long as this object."""

    def __init__(self, objects: Sequence[bytes], target: Machine) -> None:
        """Link what `assemble` made, for the same machine."""
        with _LOCK:
            _add_symbols()
            self._target = _create(target)
            self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), self._target)
            for each in objects:
                self._engine.add_object_file(llvm.ObjectFileRef.from_data(each))
            self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where a function starts."""
        return int(self._engine.get_function_address(name))
