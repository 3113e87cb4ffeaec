"""A worker's side of the conversation in lines of JSON, see `glyphlab.web.child`."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TextIO

from glyphlab.errors import GlyphlabError, RunError
from glyphlab.process import wait_for_input

Value = dict[str, Any]
Tell = Callable[[float, str], None]
Answer = Callable[[Value, Tell], Value]

FAREWELL_SECONDS = 2.0  # for an answer that is being made when nobody is there any more to hear it


class Refused(Exception):  # noqa: N818 - an answer, as `web.refusals.Refusal` is
    """A question that cannot be answered; status: as HTTP has them."""

    def __init__(self, status: int, code: str, message: str, cure: str) -> None:
        super().__init__(message)
        self.value = {"status": status, "code": code, "message": message, "cure": cure}


def converse(answers: dict[str, Answer], farewell_seconds: float = FAREWELL_SECONDS) -> None:
    """Answer questions until the input ends. answers: a function for each kind of question.

    The input ends when the service does, however that comes about; an answer that is then still being made is given
    up after `farewell_seconds`, so that no process is left behind. What is written is whole or not there at all.
    Standard output belongs to the conversation: whatever else is printed goes to standard error.
    """
    lines: SimpleQueue[str | None] = SimpleQueue()

    def listen() -> None:
        for line in iter(_next_line, ""):
            lines.put(line)
        lines.put(None)
        time.sleep(farewell_seconds)
        os._exit(1)

    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        threading.Thread(target=listen, daemon=True).start()
        while (line := lines.get()) is not None:
            question = json.loads(line)
            _say(out, _answered(answers, question, lambda share, message: _tell(out, share, message)))


def _next_line() -> str:
    """One question is asked at a time, so that none can lie unseen in Python's own buffer."""
    wait_for_input()
    return sys.stdin.readline()


def _answered(answers: dict[str, Answer], question: Value, tell: Tell) -> Value:
    try:
        return {"answer": answers[question["ask"]](question["with"], tell)}
    except Refused as refused:
        return {"error": refused.value}
    except GlyphlabError as error:
        message, _, cure = str(error).partition("; ")
        status = 404 if isinstance(error, RunError) else 422
        return {"error": {"status": status, "code": "invalid", "message": message, "cure": cure}}
    except ModuleNotFoundError as error:
        return {
            "error": {
                "status": 501,
                "code": "not_installed",
                "message": f"this needs {error.name}, which is not installed",
                "cure": 'install it with: pip install "glyphlab[train]"',
            }
        }
    except Exception:  # a bug: the service logs it, the worker lives on
        return {
            "error": {
                "status": 500,
                "code": "bug",
                "message": "an error in Glyphlab; its log tells more",
                "cure": "please report it",
                "traceback": traceback.format_exc(),
            }
        }


def _tell(out: TextIO, share: float, message: str) -> None:
    _say(out, {"progress": share, "message": message})


def _say(out: TextIO, value: Value) -> None:
    out.write(json.dumps(value) + "\n")
    out.flush()
