"""Amounts, counts and times as people read them. Amounts are integers in the currency's smallest unit."""

from __future__ import annotations

__all__ = ["DECIMALS", "TERA", "UNIT", "amount", "ceil_div", "count", "parse_amount", "seconds"]

DECIMALS = 6
"""Decimals of the local network's play money."""

UNIT = 1_000_000
"""Smallest units in one token."""

TERA = 10**12
"""Prices are per tera-operation: 10^12 scalar operations."""


def ceil_div(numerator: int, denominator: int) -> int:
    """The smallest integer that is not below numerator / denominator (denominator > 0)."""
    return -(-numerator // denominator)


def amount(value: int, symbol: str = "") -> str:
    """`value` smallest units as a decimal number, exact: 1500000 -> "1.500000"."""
    sign = "-" if value < 0 else ""
    whole, part = divmod(abs(value), UNIT)
    return f"{sign}{whole:,}.{part:0{DECIMALS}d}" + (f" {symbol}" if symbol else "")


def parse_amount(text: str) -> int:
    """The inverse of `amount`, exact. Raises ValueError for anything but a decimal number with at most 6 decimals."""
    whole, _, part = text.strip().replace(",", "").partition(".")
    if not (whole + part).isascii() or not (whole + part).isdigit() or len(part) > DECIMALS:
        raise ValueError(f"not an amount with at most {DECIMALS} decimals: {text!r}")
    return int(whole or "0") * UNIT + int((part or "0").ljust(DECIMALS, "0"))


def count(value: int) -> str:
    """A count with an SI suffix: 12_300_000 -> "12.3 M"."""
    scaled = float(value)
    for suffix in ("", " k", " M", " G", " T", " P"):
        if abs(scaled) < 1000 or suffix == " P":
            return f"{scaled:.0f}" if suffix == "" else f"{scaled:.3g}{suffix}"
        scaled /= 1000
    raise AssertionError("unreachable")


def seconds(value: float) -> str:
    """A duration: 75 -> "1 min 15 s"."""
    whole = max(0, round(value))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
