"""How many single characters the service answers a second, how quickly, with what memory, and what it does when asked
for more than it can.

    python benchmarks/serve_load.py                      # 32 connections, 60 seconds
    python benchmarks/serve_load.py --seconds 5          # a first look
    python benchmarks/serve_load.py --requests 50000     # memory over so many requests

The service runs in a process of its own, this client beside it. Beyond capacity means 300 connections at once: each
request gets an answer or a 503 with Retry-After, and right afterwards everything is answered again. Exits 1 where a
goal is missed: 300 answers/s, 99th percentile 150 ms, no error, memory growth below 10 %.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import time
from collections import Counter
from itertools import cycle
from typing import Any

import numpy as np
from serving import Connection, Served, digit_pictures, form, request, served

LEAST_A_SECOND, MOST_P99_MS, MOST_GROWTH = 300.0, 150.0, 0.10
_WARM_REQUESTS = 2_000  # until caches and allocators have found their size
_OVERLOAD_CONNECTIONS, _OVERLOAD_SECONDS = 300, 5.0


async def load(service: Served, connections: int, seconds: float, requests: int | None) -> dict[str, Any]:
    """Ask without a pause on each connection until the time is over, or so many requests were sent."""
    pictures = digit_pictures()
    messages = {
        name: request("/api/v1/predict", *form(content, model="digits"), service.port)
        for name, content in pictures.items()
    }
    milliseconds: list[float] = []
    outcomes: Counter[str] = Counter()
    left = iter(range(requests if requests is not None else sys.maxsize))
    began = time.perf_counter()
    ends = began + seconds if requests is None else float("inf")

    async def client(number: int) -> None:
        connection, order = Connection(service.port), cycle(sorted(messages.items()))
        for _ in range(number % len(messages)):
            next(order)
        while time.perf_counter() < ends and next(left, None) is not None:
            name, message = next(order)
            sent = time.perf_counter()
            try:
                status, headers, body = await connection.send(message)
            except (OSError, asyncio.IncompleteReadError) as error:
                outcomes[type(error).__name__] += 1
                connection.close()
                continue
            if status == 200:
                milliseconds.append(1000 * (time.perf_counter() - sent))
                outcomes["right" if json.loads(body)["character"] == name else "wrong"] += 1
            else:
                outcomes[f"{status}{' with Retry-After' if 'retry-after' in headers else ''}"] += 1
                await asyncio.sleep(0.05)
        connection.close()

    await asyncio.gather(*map(client, range(connections)))
    took = time.perf_counter() - began
    percentiles = np.percentile(milliseconds, [50, 95, 99]) if milliseconds else np.full(3, np.nan)
    return {
        "connections": connections,
        "seconds": round(took, 2),
        "answers": len(milliseconds),
        "answers_a_second": round(len(milliseconds) / took, 1),
        "median_ms": round(float(percentiles[0]), 1),
        "p95_ms": round(float(percentiles[1]), 1),
        "p99_ms": round(float(percentiles[2]), 1),
        "outcomes": dict(outcomes),
    }


def measure(service: Served, chosen: argparse.Namespace) -> dict[str, Any]:
    """All of it: usual load, memory, too much load, recovery."""
    asyncio.run(load(service, chosen.connections, 0, _WARM_REQUESTS))
    before, used = service.memory_bytes, service.processor_seconds
    usual = asyncio.run(load(service, chosen.connections, chosen.seconds, chosen.requests))
    used = service.processor_seconds - used
    growth = service.memory_bytes / before - 1
    overload = asyncio.run(load(service, _OVERLOAD_CONNECTIONS, min(chosen.seconds, _OVERLOAD_SECONDS), None))
    recovered = asyncio.run(load(service, 4, 0, 100))
    return {
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "start_seconds": round(service.started_seconds, 2),
        "usual": usual,
        "processor_ms_an_answer": round(1000 * used / max(usual["answers"], 1), 2),
        "processes": len(service.pids),
        "memory_mb": round(before / 1e6, 1),
        "memory_growth": round(growth, 4),
        "overload": overload,
        "recovered": recovered,
    }


def missed(found: dict[str, Any]) -> list[str]:
    """The goals that were not reached, in words."""
    usual, overload = found["usual"], found["overload"]
    harmless = {"right", "503 with Retry-After"}
    checks = [
        (usual["answers_a_second"] >= LEAST_A_SECOND, f"{usual['answers_a_second']} answers/s"),
        (usual["p99_ms"] <= MOST_P99_MS, f"99th percentile {usual['p99_ms']} ms"),
        (set(usual["outcomes"]) == {"right"}, f"other than right under usual load: {usual['outcomes']}"),
        (found["memory_growth"] <= MOST_GROWTH, f"memory grew by {found['memory_growth']:.1%}"),
        (set(overload["outcomes"]) <= harmless, f"neither right nor refused beyond capacity: {overload['outcomes']}"),
        (overload["outcomes"].get("503 with Retry-After", 0) > 0, "no 503 beyond capacity"),
        (found["recovered"]["answers"] == 100, f"no recovery: {found['recovered']['outcomes']}"),
    ]
    return [text for reached, text in checks if not reached]


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--requests", type=int, help="so many requests instead of so many seconds")
    chosen = parser.parse_args()
    with served("--model", "digits") as service:
        found = measure(service, chosen)
        log = service.errors.read_text(encoding="utf-8")
    problems = missed(found) + (["the service logged errors"] if '"level": "error"' in log else [])
    print(json.dumps(found | {"missed": problems}, indent=2))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
