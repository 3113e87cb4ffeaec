"""Figures in words, for tables that people read. What is not known is a question mark."""

from __future__ import annotations

UNKNOWN = "?"


def percent(share: float, decimals: int = 1) -> str:
    """A share as percent without its sign; neither 0 nor 100 is shown for a share that is not exactly so."""
    least = 10.0**-decimals
    if share in (0.0, 1.0):
        return f"{100 * share:.0f}"
    if 100 * share < least / 2:
        return f"<{least:g}"
    if 100 * share >= 100 - least / 2:
        return f">{100 - least:g}"
    return f"{100 * share:.{decimals}f}"


def counted(number: int, thing: str) -> str:
    """``1 image``, ``2,000 images``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def shortened(name: str, longest: int = 16) -> str:
    """A class name cut to `longest` characters."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def share(value: float | None) -> str:
    """A share, 0 to 1, as percent: "97.25%"; never "100%" for less than all."""
    return UNKNOWN if value is None else f"{percent(value, 2)}%"


def count(value: float | None) -> str:
    """A whole number with thousands set apart: "12,345"."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """A time: "41.2 s", "2 min 19 s", "1 h 05 min"."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"
