"""``python -m fuseprop`` is the command ``fuseprop``."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="fuseprop")
