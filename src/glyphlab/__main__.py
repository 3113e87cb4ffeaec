"""The process of the command line: ``glyphlab``, or ``python -m glyphlab``."""

from __future__ import annotations

from typing import NoReturn

from glyphlab.cli.stopping import hear_ctrl_c, one_line_when_stopped


def main() -> NoReturn:
    """Run the command line on the process's arguments. Ctrl-C is heard before the commands are imported."""
    hear_ctrl_c()
    with one_line_when_stopped():
        from glyphlab.cli.main import main as run
    run()


if __name__ == "__main__":
    main()
