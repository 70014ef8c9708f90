"""What compute-sanitizer found, by kernel, and what of that is ours.

Its tools watch every kernel of a process, cuBLAS's too, and NVIDIA's manual says that they can report what is
no error. So findings are told apart by whose kernel they are in:

* in one of ours, or in none that is known, a finding is **ours**. memcheck's always are: where cuBLAS reads
  or writes outside an array, we gave it the wrong address or shape;
* what initcheck, racecheck and synccheck find inside a kernel of **cuBLAS** is listed apart. Libraries read
  memory whose values they then do not use (an output that is multiplied by 0, padding, their workspace), and
  synchronize by means that racecheck does not follow. That no product of ours reads an array that nothing was
  written to is shown without a GPU, where new memory is all NaN (`host_device.py`);
* a **call** of CUDA that failed, with no kernel in it, is listed apart as well: its caller was told, and a
  program that cannot go on after it fails, which is ours.
"""

import re
from collections import Counter
from dataclasses import dataclass

from launched import ALL, PRODUCT

PREFIX = "========="
OURS, LIBRARY, CALL = "ours", "library", "calls"

LIBRARY_IS_RIGHT = ("initcheck", "racecheck", "synccheck")
"""The tools whose findings inside cuBLAS are listed apart."""

CUBLAS = re.compile(r"cublas|cutlass|gemm|gemv|xmma|nvjet|splitk", re.IGNORECASE)
"""What stands in the names of cuBLAS's kernels, and of its libraries in a host's backtrace."""

HOST = "Saved host backtrace"
NO_FINDING = re.compile(
    r"COMPUTE-SANITIZER|.*SUMMARY:|Target application|Internal Sanitizer|(Error|Warning): (?!Race reported)"
)
"""Lines about the tool itself, such as that it knows no such device."""

API = re.compile(r"Program hit \w+")
COPY = "a copy between host and device"

BY_NAME = {}
for _expression in ALL:
    BY_NAME.setdefault(_expression.partition("<")[0], []).append(_expression)
del BY_NAME[PRODUCT]


@dataclass(frozen=True)
class Finding:
    """One report of a tool: whose it is, in which kernels or which call, and its first line."""

    whose: str
    where: tuple[str, ...]
    what: str


def findings(tool, text):
    """Return all findings that the text of a tool tells, also one that was cut off."""
    return [_finding(tool, block) for block in _blocks(text) if not NO_FINDING.match(block[0])]


def _blocks(text):
    """Return the lines of each report. The first has one space after the prefix, the others several."""
    blocks = []
    for line in text.splitlines():
        if line.startswith(PREFIX):
            said = line[len(PREFIX) :]
            if re.match(r" \S", said):
                blocks.append([said.strip()])
            elif said.strip() and blocks:
                blocks[-1].append(said.strip())
    return blocks


def _finding(tool, block):
    host = next((i for i, line in enumerate(block) if line.startswith(HOST)), len(block))
    device, frames = block[:host], block[host:]
    what = block[0]
    ours = kernels_in(" ".join(device))
    if ours:
        return Finding(OURS, ours, what)
    if API.match(what):
        return Finding(CALL, (_call(what),), what)
    if what.startswith("Host API"):
        return Finding(OURS, (COPY,), what)
    if any(CUBLAS.search(line) for line in (*_places(device), *frames)):
        where = next(iter(_places(device)), "a kernel without a name")
        if tool in LIBRARY_IS_RIGHT:
            return Finding(LIBRARY, (where,), what)
        return Finding(OURS, (PRODUCT,), f"{what}, in {where}")
    return Finding(OURS, tuple(_places(device)[:1]) or (what,), what)


def kernels_in(text):
    """Return the listed kernels that a text names, demangled or not.

    Where it does not tell the template's arguments, these are all kernels of that name.
    """
    found = []
    for name, expressions in BY_NAME.items():
        for arguments in re.findall(rf"(?<![\w:]){name}\s*(<[^()]*(?:\(bool\)[01][^()]*)?>)?\s*\(", text):
            expression = name + _normalized(arguments)
            found += [expression] if expression in expressions else expressions
        if re.search(rf"_Z{len(name)}{name}(?!\w*_Z)", text):
            found += expressions
    return tuple(dict.fromkeys(found))


def _normalized(arguments):
    spelled = arguments.replace("(bool)1", "true").replace("(bool)0", "false")
    return re.sub(r"\s*,\s*", ", ", spelled).replace(" >", ">")


def _places(device):
    """Return the functions that the lines of a report name, without parameters."""
    found = []
    for line in device:
        place = re.search(r"\bat (?:0x[0-9a-f]+ in )?(?:\S+:\d+:)?(.+?)(?: in \S+)?$", line)
        if place and not line.startswith(("Address", "by thread")):
            function = re.sub(r"\((int|bool|unsigned int|long)\)", "", place[1])
            found.append(re.sub(r"\+0x[0-9a-f]+$", "", function.partition("(")[0]).strip()[:120])
    return found


def _call(what):
    """Return the call that failed and how: one line for however many addresses."""
    told = re.search(r"(Program hit \w+).*(?: on| in) CUDA API call to (\w+)", what)
    return f"{told[1]} in {told[2]}" if told else what[:120]


def verdict(tool, text, *, status, seconds, watched, done):
    """Return what a tool said, as a record has it.

    Parameters
    ----------
    status : int or None
        How compute-sanitizer ended; None: its time was over.
    watched : list of str
        The kernels that the program launched.
    done : bool
        Whether the program came to its end.
    """
    counted = {OURS: Counter(), LIBRARY: Counter(), CALL: Counter()}
    examples, found = {}, findings(tool, text)
    for finding in found:
        counted[finding.whose].update(finding.where)
        for where in finding.where:
            examples.setdefault(where, finding.what)
    told = re.search(r"SUMMARY: (\d+) (?:errors?|hazards? displayed)", text)
    record = {
        "seconds": round(seconds, 1),
        **{whose: dict(places) for whose, places in counted.items()},
        "examples": examples,
        "not_printed": max(0, int(told[1]) - len(found)) if told else 0,
        "watched": watched,
    }
    tail = text.strip()[-1500:]
    if record[OURS]:
        said = "findings"
    elif status is None:
        said = "not finished"
    elif "SUMMARY:" not in text:  # some virtual machines do not let it watch
        said = "did not run"
    elif not done:
        said = "failed"
    else:
        said = "undecided" if record["not_printed"] else "clean"
    return {"verdict": said, **record, **({} if said == "clean" else {"said": tail})}
