"""Counts and durations for a monitor, in Prometheus' text format.

Source: "Exposition formats", version 0.0.4, prometheus.io/docs/instrumenting/exposition_formats.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

_BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_STATM = Path("/proc/self/statm")
_PAGE_BYTES = 4096

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """What has been served so far. Written to by the event loop alone.

    gauges: name -> a function that gives the value of now.
    """

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self.gauges: dict[str, Callable[[], float]] = {"process_resident_memory_bytes": resident_bytes}
        self._requests: Counter[Labels] = Counter()
        self._durations: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS_SECONDS) + 1))
        self._seconds: dict[str, float] = defaultdict(float)

    def record(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request that is over. route: the template, such as "/api/v1/runs/{name}", never the path itself."""
        self._requests[(("method", method), ("route", route), ("status", str(status)))] += 1
        self._durations[route][bisect_left(_BOUNDS_SECONDS, seconds)] += 1
        self._seconds[route] += seconds

    def text(self) -> str:
        """Everything, as a monitor reads it."""
        lines = ["# TYPE glyphlab_requests_total counter"]
        lines += [_line("glyphlab_requests_total", dict(labels), n) for labels, n in sorted(self._requests.items())]
        lines.append("# TYPE glyphlab_request_seconds histogram")
        for route, counts in sorted(self._durations.items()):
            lines += self._histogram(route, counts)
        for name, read in self.gauges.items():
            lines += [f"# TYPE {name} gauge", _line(name, {}, read())]
        return "\n".join(lines) + "\n"

    def _histogram(self, route: str, counts: list[int]) -> Iterable[str]:
        name, total = "glyphlab_request_seconds", 0
        for bound, count in zip([*map(str, _BOUNDS_SECONDS), "+Inf"], counts, strict=True):
            total += count
            yield _line(f"{name}_bucket", {"route": route, "le": bound}, total)
        yield _line(f"{name}_sum", {"route": route}, round(self._seconds[route], 6))
        yield _line(f"{name}_count", {"route": route}, total)


def resident_bytes() -> float:
    """Memory that this process holds; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    shown = str(int(value)) if value == int(value) else repr(value)
    return f"{name}{{{inside}}} {shown}" if inside else f"{name} {shown}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
