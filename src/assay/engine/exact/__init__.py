"""The exact engine: kernels as native code through LLVM, with the bits of the clear interpreter."""

from .executable import Executable, compile

__all__ = ["Executable", "compile"]
