"""What can go wrong through no fault of the program, in one small family.

Everything that Glyphlab raises on purpose derives from `GlyphlabError`:

    GlyphlabError
    ├── DataError      a data set, a folder or a file of one is missing, damaged or inconsistent
    ├── ImageError     one picture cannot be used
    ├── RecipeError    a setting is unknown, of the wrong type, out of range or contradicts another
    ├── ModelError     a network, weights or a model file cannot be used
    └── RunError       a run folder cannot be written, continued or evaluated

A message is one line that says what is wrong, the value found, what was expected, and the cure. The command
line prints it and ends with exit code 2. Any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
import shlex
import sys
from collections.abc import Iterable


class GlyphlabError(Exception):
    """Base of all errors that a user can cause and mend."""


class DataError(GlyphlabError):
    """A data set, or a file of one, is missing, damaged or inconsistent."""


class ImageError(GlyphlabError):
    """One picture cannot be used."""


class RecipeError(GlyphlabError):
    """A recipe's settings are unknown, of the wrong type, out of range or contradictory."""


class ModelError(GlyphlabError):
    """A network, its weights or a model file cannot be used."""


class RunError(GlyphlabError):
    """A run folder cannot be written, continued or evaluated."""


class GlyphlabWarning(UserWarning):
    """What a user should know and what stops nothing. The command line prints it as one line."""


def quoted(word: object) -> str:
    """A path or a name as a shell takes it for one word, for the commands that messages offer."""
    if sys.platform == "win32":
        import subprocess

        return subprocess.list2cmdline([str(word)])
    else:
        return shlex.quote(str(word))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """End of an error message about an unknown name: the nearest known names, or all of them.

    Returns ``"did you mean 'mnist'?"``, or ``"known: a, b, c"`` where nothing is near.
    """
    options = list(known)
    folded = {option.lower(): option for option in options}
    near = [folded[key] for key in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)]
    if near:
        return "did you mean " + " or ".join(f"'{option}'" for option in near) + "?"
    return "known: " + ", ".join(options)
