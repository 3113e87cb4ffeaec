"""A process that answers for pictures of single characters: started by `processes`, ends when its input does.

Frames in both directions: `processes.HEAD`, then JSON in ASCII, then bytes. In: the `answers.Wish` and the picture.
Out: one of the words `processes.ANSWER`, `ERROR` or, once at the start, `READY`; and the answer or the error as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from glyphlab.errors import GlyphlabError
from glyphlab.process import keep_freed_memory
from glyphlab.web.answers import Wish, answer_file, as_json
from glyphlab.web.limits import KEPT_BYTES, LARGEST_KEPT_BYTES
from glyphlab.web.processes import ANSWER, ERROR, HEAD, READY
from glyphlab.web.refusals import Refusal
from glyphlab.web.shelf import Shelf

Answering = Callable[[bytes, Wish], dict[str, Any]]


def serve(questions: BinaryIO, answers: BinaryIO, answer: Answering) -> None:
    """Answer each question, one after the other, until there are no more."""
    _say(answers, READY, b"")
    while len(head := questions.read(HEAD.size)) == HEAD.size:
        wish, content = (questions.read(length) for length in HEAD.unpack(head))
        try:
            _say(answers, ANSWER, as_json(answer(content, Wish(**json.loads(wish)))))
        except Exception as error:  # told to the service, which tells whoever asked
            # In ASCII: what is quoted from a request need not be valid Unicode.
            _say(answers, ERROR, json.dumps(_described(error)).encode("ascii"))


def main() -> None:
    """Serve on standard input and output."""
    import cv2

    settings = json.loads(sys.argv[1])
    shelf = Shelf(settings["models"], Path(settings["runs_dir"]), Path(settings["taught_dir"]))
    cv2.setNumThreads(1)
    keep_freed_memory(LARGEST_KEPT_BYTES, KEPT_BYTES)
    shelf.recognizer()
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # whatever a library may print is not taken for an answer
        serve(sys.stdin.buffer, answers, partial(answer_file, shelf, most_pixels=settings["most_pixels"]))


def _say(answers: BinaryIO, kind: str, body: bytes) -> None:
    word = kind.encode("ascii")
    answers.write(HEAD.pack(len(word), len(body)) + word + body)
    answers.flush()


def _described(error: Exception) -> dict[str, Any]:
    name = type(error).__name__
    if isinstance(error, Refusal):
        return {"class": name, "status": error.status_code} | {
            "code": error.code,
            "message": error.message,
            "cure": error.cure,
        }
    if isinstance(error, GlyphlabError):
        return {"class": name, "message": str(error)}
    return {"class": name, "traceback": "".join(traceback.format_exception(error))}


if __name__ == "__main__":
    main()
