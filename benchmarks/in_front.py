"""The measuring code of this checkout in front of any fuseprop, old or new.

``python -m benchmarks.in_front MODULE DEVICE`` is ``python -m fuseprop.benchmarks.worker MODULE DEVICE``, but
for where `fuseprop.benchmarks` comes from: the rest of fuseprop is whichever this process finds first, and
that room is the one of this checkout, whether the other has another, or none. So two checkouts are measured
by the same code, under the same names.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location

import fuseprop

from .origin import MEASURING, ROOM


def put_in_front() -> None:
    """Make `fuseprop.benchmarks` that of this checkout; nothing may have imported another before."""
    spec = spec_from_file_location(MEASURING, ROOM / "__init__.py", submodule_search_locations=[str(ROOM)])
    assert spec is not None
    assert spec.loader is not None
    room = module_from_spec(spec)
    sys.modules[MEASURING] = room
    fuseprop.benchmarks = room
    spec.loader.exec_module(room)


if __name__ == "__main__":
    put_in_front()
    from fuseprop.benchmarks.worker import main

    main(*sys.argv[1:])
