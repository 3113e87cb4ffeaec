"""``python -m glyphlab`` is the command line."""

from glyphlab.cli.main import main

if __name__ == "__main__":
    main()
