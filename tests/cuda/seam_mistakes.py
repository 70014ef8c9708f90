"""Mistakes that the Python of the CUDA seam is prone to, each with the rung that finds it and what that says.

file: {mistake: (text, what stands there instead, rung, finding)}. The rungs are those of tests/README.md:
"asked", of stand-ins for CUDA; "captured", whose graphs run in other orders; "summed", in steps that
processes take together; "reached", with two devices and threads; and "contract", what any backend's replays
are asked.
"""

import sys
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType

from fuseprop_cupy.device.kernel_list import KERNELS

PACKAGE = "fuseprop_cupy"

RACE = "race"
BITS = "not equal"
APART = "eps apart|elements? differ|wrote outside an array"
ISSUE = "            streams.issue(placed.stream, self.calls[placed.node])\n"
RECORD = """            if place in awaited:
                events[place] = streams.record(placed.stream)
"""
STREAM = "        self._cublas.set_stream(self._handle, stream)\n"
WORKSPACE = (
    "        self._cublas.set_workspace(self._handle, self._workspace.data.ptr, self._workspace.nbytes)\n"
)
SHARED = "threading.local()", 'type("Shared", (), {})()'

SEAM_MISTAKES = {
    "device/streams.py": {
        "handles moved late": (
            "        self._use(self._streams)\n        self._streams[0].begin_capture()\n",
            "        self._streams[0].begin_capture()\n        self._use(self._streams)\n",
            *("asked", "begin_capture"),
        ),
        "handles left where they were": (
            "self._use([self._cupy.cuda.get_current_stream()] * COUNT)",
            "self._use(self._at or [self._cupy.cuda.get_current_stream()] * COUNT)",
            *("asked", "use"),
        ),
        "a stream freed early": (
            "self._at, self._held = [], [*self._held, *streams]",
            "self._at = self._held = []",
            *("asked", "went while a handle|dangling"),
        ),
        "a wait dropped": ("self._streams[stream].wait_event(event)", "pass", "asked", "wait_event"),
        "an event of the main stream alone": (
            "self._streams[stream].record(event)",
            "self._streams[0].record(event)",
            *("asked", "record"),
        ),
        "the caller's stream not made current again": (
            "            before.use()",
            "            pass",
            "asked",
            "'current', 0",
        ),
        "a capture that does not end": (
            "                streams[0].end_capture()",
            "                pass",
            "asked",
            "end_capture",
        ),
        "one handle for both streams": (
            "self._blas[stream].product",
            "self._blas[0].product",
            "asked",
            "product",
        ),
    },
    "replay/capture.py": {
        "a wait dropped": (
            "for earlier in placed.after:",
            "for earlier in placed.after if placed.stream else ():",
            *("captured", f"{RACE}|Unjoined"),
        ),
        "a fork dropped": (
            "for earlier in placed.after:",
            "for earlier in placed.after if not placed.stream else ():",
            *("captured", "not part of the capture"),
        ),
        "a join dropped": ("for place in steps.joins:", "for place in ():", "captured", "Unjoined"),
        "an event before what it is of": (
            f"{ISSUE}{RECORD}",
            f"{RECORD}{ISSUE}",
            *("captured", f"{RACE}|not part of the capture|Unjoined"),
        ),
        "a step too many": (
            "in_sequence(self._conflicts, self._streams_of_nodes, times)",
            "in_sequence(self._conflicts, self._streams_of_nodes, times + 1)",
            *("contract", APART),
        ),
        "a step too few": (
            "in_sequence(self._conflicts, self._streams_of_nodes, times)",
            "in_sequence(self._conflicts, self._streams_of_nodes, max(1, times - 1))",
            *("contract", APART),
        ),
        "a graph of another length": (
            "self.graphs[times] = self._capture(times)",
            "self.graphs[times] = self._capture(self._length)",
            *("contract", APART),
        ),
        "handles left in the capture": (
            "                    self.streams.enter()",
            "                    pass",
            *("asked", "use"),
        ),
        "a failed capture that goes on": (
            "                    self.streams.abandon()\n",
            "",
            *("asked", "end_capture"),
        ),
        "garbage collected in a capture": ("    gc.disable()", "    gc.enable()", "asked", "True"),
    },
    "replay/replay.py": {
        "a process that gives up captures alone": (
            "enumerate(self._world.gathered(why))",
            "enumerate([why] * self._world.size)",
            *("summed", "different|have ended"),
        ),
        "graphs as long as one process likes": (
            "capture.length(self._nodes, times, left)",
            "capture.length(len(self._plan.nodes), times, left)",
            *("summed", "different|have ended"),
        ),
        "steps that the others do not take": (
            "            self._check(times)\n",
            "            pass\n",
            *("summed", "isinstance"),
        ),
        "a step too many, before the graphs": ("            left -= 1\n", "", "contract", APART),
        "graphs counted as one step": ("left -= steps", "left -= 1", "contract", APART),
        "steps forgotten that are left over": (
            "        _take(capture.calls, left)",
            "        _take(capture.calls, 0)",
            *("captured", BITS),
        ),
        "captured cold": (
            "        if not capture.warm:",
            "        if capture.warm is None:",
            *("captured", "first asked for"),
        ),
        "the streams of another caller's stream": (
            "if capture.streams is not streams:",
            "if capture.streams is None:",
            *("captured", "handles are not on the current stream|streams of its own"),
        ),
        "handles left where they were": (
            "        streams.enter()\n",
            "",
            *("captured", "handles are not on the current stream"),
        ),
    },
    "replay/deferred_sums.py": {
        "parts of bias gradients that are left until after the sum": (
            "for other in before[i + 1 :])",
            "for other in before[i + 1 :] if isinstance(other, Run))",
            *("summed", "0 == 3"),
        ),
    },
    "device/sums.py": {
        "communicators that end before their graphs": (
            "        for holder in list(self._holders):\n            holder.release()\n",
            "",
            *("summed", "released"),
        ),
        "an end that waits for others after a failure": (
            "            if failed:\n",
            "            if False:\n",
            *("summed", "aborted"),
        ),
        "one GPU for two": ("if (machine, bus) in first:", "if False:", "summed", "isinstance"),
        "an identity of its own": (
            "        identity = world.of_first(identity)\n",
            "        identity = nccl.get_unique_id()\n",
            *("summed", "different identities"),
        ),
        "a NCCL that one process lacks": (
            "        with agreeing(world):\n            machine,",
            "        if True:\n            machine,",
            *("summed", "isinstance"),
        ),
    },
    "replay/overlap.py": {
        "a sum that waits for nothing": (
            "= meet(earlier, nodes[j])",
            "= meet(earlier, nodes[j]) and not isinstance(nodes[j], Reduce)",
            *("summed", r"== \[\]"),
        ),
        "a stream that never joins the capture": (
            "                after.append(START)",
            "                pass",
            *("captured", "not part of the capture"),
        ),
        "a stream that is not joined at the end": (
            "if places and places[-1] > seen[0][other]]",
            "if places and other > 1]",
            *("captured", "Unjoined"),
        ),
        "only the last of the other stream looked at": (
            "reversed(on[other]))",
            "on[other][-1:])",
            *("captured", "=="),
        ),
    },
    "device/nodes.py": {
        "what is read written over": (
            "    return any(each.meets(also) or each.meets(later.reads) for each in written) or any(\n"
            "        each.meets(also) for each in earlier.reads\n    )",
            "    return any(each.meets(also) or each.meets(later.reads) for each in written)",
            *("captured", BITS),
        ),
    },
    "device/blas.py": {
        "the workspace before the stream": (
            f"{STREAM}{WORKSPACE}",
            f"{WORKSPACE}{STREAM}",
            *("asked", "set_workspace"),
        ),
        "factors rounded to TF32": (
            "cublas.ComputeType.COMPUTE_32F if",
            "cublas.ComputeType.COMPUTE_32F_FAST_TF32 if",
            *("asked", r"\{0\} == \{1\}"),
        ),
        "one handle for all owners": ("spare.pop()", "spare[-1]", "asked", "77 != 79"),
    },
    "device/products.py": {
        "one handle for all threads": (*SHARED, "asked", "is not"),
        "one workspace for all streams": (
            "if at is None or at.ptr != stream.ptr:",
            "if at is None:",
            *("asked", "is not None"),
        ),
        "a stream that may go": (
            "self._local.stream = made, stream",
            'self._local.stream = made, type("At", (), {"ptr": stream.ptr})',
            *("asked", "is not None"),
        ),
    },
    "device/device.py": {
        "a sum on another stream than the step": (
            "world, self.ordinal, self.current_stream().ptr)",
            "world, self.ordinal, 0)",
            *("summed", "array"),
        ),
        "the device set only once": (
            "        if self._current() != self.ordinal:\n            self._device.use()\n",
            "        if not hasattr(self, '_set'):\n            self._device.use()\n"
            "            self._set = True\n",
            *("reached", "1 == 0"),
        ),
        "the device set only once a thread": (
            "        if self._current() != self.ordinal:\n            self._device.use()\n",
            "        if not hasattr(self._local, 'set'):\n            self._device.use()\n"
            "            self._local.set = True\n",
            *("reached", "1 == 0"),
        ),
        "the device never set": (
            "            self._device.use()\n",
            "            pass\n",
            "reached",
            "0 == 1",
        ),
        "streams shared by all threads": (*SHARED, "reached", "=="),
        "streams shared by all streams": (
            "self.current_stream().ptr\n",
            "self.current_stream() and 0\n",
            "asked",
            "is not",
        ),
    },
    "operations/arrays.py": {
        "temporary memory shared by all threads": (*SHARED, "reached", "1 == 3"),
        "temporary memory shared by all streams": (
            " or self._local.stream.ptr != stream.ptr",
            "",
            *("reached", "!="),
        ),
    },
}


def read_module(file):
    """Return the text of a Python file of the backend."""
    return (Path(KERNELS).parent / file).read_text()


@contextmanager
def mistaken(file, old, new):
    """Let the backend, and what the tests have imported of it, be as if this stood in a file.

    The classes stay the ones that they are and get other methods, so that subclasses get them too; a method
    that asks for `super()` cannot be changed so.
    """
    module = sys.modules[f"{PACKAGE}.{file.removesuffix('.py').replace('/', '.')}"]
    before = dict(vars(module))
    path = Path(module.__file__)
    undo = []

    def put(owner, name, value):
        undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    exec(compile(path.read_text().replace(old, new), str(path), "exec"), vars(module))
    try:
        for name, original in before.items():
            changed = vars(module).get(name)
            if changed is original or getattr(original, "__module__", None) != module.__name__:
                continue
            if isinstance(original, type):
                for part, value in vars(changed).items():
                    if isinstance(value, FunctionType | property | classmethod | staticmethod):
                        put(original, part, value)
                setattr(module, name, original)
            elif isinstance(original, FunctionType):
                for importer in list(sys.modules.values()):
                    if importer is not module and vars(importer).get(name) is original:
                        put(importer, name, changed)
        yield
    finally:
        for owner, name, value in reversed(undo):
            setattr(owner, name, value)
        vars(module).clear()
        vars(module).update(before)
