"""What the service needs of rooms that it may not import: teaching and looking into networks need torch.

Whoever makes the application hands it objects of these shapes; `child` has those that work through other processes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Tell = Callable[[float, str], None]
Question = Literal["runs", "report", "compare", "labels", "decide", "undo", "explain", "export"]


@dataclass(frozen=True)
class Commission:
    """What shall be taught.

    data: a folder with a folder of pictures a class. labels: the label behind each of those folders' names. base: the
    model file to begin with. add: its own classes stay. runs_dir: where the run folder is made.
    """

    data: Path
    labels: dict[str, str]
    base: Path
    add: bool
    runs_dir: Path

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}


class Teacher(Protocol):
    """Teaches a network new characters."""

    async def teach(self, commission: Commission, tell: Tell) -> dict[str, Any]:
        """Teach, and return {"model": path, "way", "ways": [...], "accuracy": {"mean", "spread", "folds"} or None,
        "seconds"}.

        tell: told how far it is, 0 to 1, and what is being done. Cancelling ends the work at once. Raises `Refusal`
        with the reason when it fails.
        """


class Looker(Protocol):
    """Looks at runs and into networks."""

    async def ask(self, question: Question, **facts: Any) -> dict[str, Any]:
        """The answer to a question, as plain values. Raises `Refusal`."""

    async def close(self) -> None:
        """Let go of everything."""
