"""What the processor of this machine calls itself."""

from __future__ import annotations

import platform
import re
from pathlib import Path

KEYS = ("model name", "cpu family", "model")
"""Of the lines of /proc/cpuinfo."""


def processor() -> str:
    """Return what the processor calls itself; its family and model too where that names no model."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        text = info.read_text()
        lines = (re.search(rf"^{key}\s*:\s*(.+)$", text, re.MULTILINE) for key in KEYS)
        name, family, model = (found[1].strip() if found else "" for found in lines)
        if name:
            which = f" (family {family}, model {model})" if family and model else ""
            return name if re.search(r"\d", name) else name + which
    return platform.processor() or platform.machine()
