"""The command in forked children: one process pays for the imports, and each run is a process all the same.

A child has standard streams and signals of its own, and ends as Python ends. It can tell when it begins to
read, to train and to save.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from importlib import import_module
from io import FileIO, TextIOWrapper
from pathlib import Path
from time import monotonic


class Forks:
    """A process with the command imported, which runs it in children, one after the other.

    Used in a ``with`` block.
    """

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def start(self, *arguments, stdout=os.devnull, stderr=os.devnull, **options):
        """Begin to run the command; return the child's process number.

        The streams are paths of files, pipes or devices; None for a stream that is closed. Options: `marks`,
        whether phases are told; `unbuffered`, whether the streams are, as by ``python -u``; `most_bytes`,
        which no file may outgrow.
        """
        order = {"arguments": [str(argument) for argument in arguments], **options}
        order |= {name: None if path is None else str(path) for name, path in streams(stdout, stderr)}
        print(json.dumps(order), file=self._process.stdin, flush=True)
        what, number = self._hear()
        while what != "pid":  # what an earlier child told when nobody listened any more
            what, number = self._hear()
        return int(number)

    def marks(self):
        """Yield what the child tells, phases with their times; the last is ("status", its exit code)."""
        while True:
            what, text = self._hear()
            if what == "status":
                yield what, int(text)
                return
            yield text, monotonic()

    def run(self, *arguments, **options):
        """Run the command; return its exit code, that of Python's subprocess for a signal."""
        self.start(*arguments, **options)
        return list(self.marks())[-1][1]

    def _hear(self):
        what, _, text = self._process.stdout.readline().partition(" ")
        return what, text.strip()


def streams(stdout, stderr):
    return [("stdout", stdout), ("stderr", stderr)]


def _serve():
    """Fork for each line of standard input."""
    import_module("fuseprop.cli")  # which the children are spared

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for children
    told = os.dup(1)
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            _run(json.loads(line), told)  # and end as a process does
            return
        os.write(told, f"pid {child}\n".encode())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(told, f"status {status}\n".encode())


def _run(order, told):
    from fuseprop.__main__ import main

    os.close(0)
    os.open(os.devnull, os.O_RDONLY)
    if order.get("marks"):
        _mark(told)
    for descriptor, name in enumerate(("stdout", "stderr"), 1):
        if order[name] is None:
            os.close(descriptor)
            stream = None
        else:
            file = os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            os.dup2(file, descriptor)
            os.close(file)
            errors = "strict" if name == "stdout" else "backslashreplace"
            if order.get("unbuffered"):
                raw = FileIO(descriptor, "w")
                stream = TextIOWrapper(raw, encoding="utf-8", errors=errors, write_through=True)
            else:
                stream = open(descriptor, "w", encoding="utf-8", errors=errors, buffering=1)  # noqa: PTH123, SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    if "most_bytes" in order:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["most_bytes"],) * 2)
    sys.argv = ["fuseprop", *order["arguments"]]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


def _mark(told):
    """Tell each phase as it begins."""
    from fuseprop.model.fitting import Fitting
    from fuseprop.model.model import Model

    def marked(function, before, after=None):
        def call(*arguments, **named):
            os.write(told, f"mark {before}\n".encode())
            made = function(*arguments, **named)
            if after is not None:
                os.write(told, f"mark {after}\n".encode())
            return made

        return call

    train = sys.modules["fuseprop.cli.train"]
    train.load_table = marked(train.load_table, "reading")
    Fitting.run = marked(Fitting.run, "training")
    Model.save = marked(Model.save, "saving", "saved")


if __name__ == "__main__":
    _serve()
