"""One kernel on its way into a step: its form, and the tensor in each of its slots."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from assay.program.kernel import Order

from .form import Form

__all__ = ["Part"]


@dataclass(frozen=True)
class Part:
    """A form and the tensor in each of its slots (what it makes first)."""

    form: Form
    tensors: tuple[str, ...]

    @property
    def output(self) -> str:
        """The (first) tensor that it makes."""
        return self.tensors[0]

    @property
    def pointwise(self) -> bool:
        """Whether it is a plain loop over its output."""
        return self.form.order is Order.NONE and self.form.target is None and prod(self.form.domain) > 0

    @property
    def product(self) -> bool:
        """Whether it is a chain of multiply-adds, which product.py knows how to block."""
        return self.form.order is Order.CHAIN and self.form.statements[-1].op == "fma"
