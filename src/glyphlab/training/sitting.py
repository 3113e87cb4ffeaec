"""One sitting: a stretch of training whose outcome lies in a run folder, and the requests that end it."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType

from glyphlab.errors import RunError, quoted
from glyphlab.process import peak_memory_mb, stops_go_to
from glyphlab.training.checkpoint import TrainingState
from glyphlab.training.distributed import LostTouchError
from glyphlab.training.loop import Ending, Job, fit
from glyphlab.training.progress import Reporter
from glyphlab.training.run import Run


class StopSignal:
    """Turns the first Ctrl-C, or a request to terminate, into a wish that the loop asks for at safe points.

    A second Ctrl-C interrupts at once.
    """

    def __init__(self) -> None:
        self.requested = False

    def receive(self, number: int, frame: FrameType | None) -> None:
        """One request to stop, as a signal handler gets it."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def fit_in_folder(
    job: Job, state: TrainingState, run: Run, reporter: Reporter, stop: Callable[[], bool] | None = None
) -> None:
    """Train from here to whatever ends it, and make the closing entries in the run folder.

    stop: asked after every step; true ends the training as Ctrl-C does. Raises `RunError`.
    """
    signals = StopSignal()
    peak_before = run.environment.get("peak_memory_mb")
    try:
        with stops_go_to(signals.receive):
            ending = fit(job, state, run, reporter, lambda: signals.requested or (stop is not None and stop()))
    except LostTouchError as error:
        run.set_status("failed", state)
        raise RunError(f"{error}; continue with: glyphlab train --resume {quoted(run.folder)}") from error
    except RunError:
        run.set_status("failed", state)
        raise
    finally:
        reporter.stop()
    run.draw_curves(state.history)
    run.extend_environment(
        {
            "time_seconds": round(state.time_seconds, 3),
            "peak_memory_mb": max(filter(None, (peak_before, peak_memory_mb())), default=None),
        }
    )
    run.set_status(ending.value, state)
    if ending is Ending.INTERRUPTED:
        reporter.note(f"stopped and saved; continue with: glyphlab train --resume {quoted(run.folder)}")
