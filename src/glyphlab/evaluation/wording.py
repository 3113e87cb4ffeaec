"""Figures in words, for tables that people read. What is not known is a question mark."""

from __future__ import annotations

UNKNOWN = "?"


def share(value: float | None) -> str:
    """A share, 0 to 1, as percent: "97.25%"."""
    return UNKNOWN if value is None else f"{value:.2%}"


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
