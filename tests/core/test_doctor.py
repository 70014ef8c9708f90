"""fuseprop doctor: what is installed, what works, what to type; never a traceback."""

import json
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop.backend import BackendUnavailable, Finding, registry
from fuseprop.backend.seam import VERSION
from fuseprop.cli import examination, main, processes_found
from fuseprop.installing import how_to_install


class Entry:
    def __init__(self, name, make):
        self.name, self.make = name, make

    def load(self):
        return self.make


@pytest.fixture
def installed(monkeypatch):
    """The installed backends, to be changed at will; nothing but NumPy at first."""
    entries = {"numpy": registry._installed()["numpy"]}
    monkeypatch.setattr(registry, "_installed", lambda: entries)
    return entries


def unavailable(dtype="float32", device="cuda:0"):
    raise BackendUnavailable("no driver. Type: nvidia-smi.")


def broken(dtype="float32", device="cuda:0"):
    raise OSError("cannot open shared object file")


def liar(method):
    """NumPy, but with one operation that computes something else."""

    def zero(self, *arguments, out, **options):
        out[...] = 0

    return type("Liar", (registry._installed()["numpy"].load(),), {method: zero})


def test_numpy_works_and_is_described(installed):
    report = examination.examine()
    assert report.works
    found = {finding.what: finding.found for finding in report.sections["numpy"]}
    assert {"NumPy", "BLAS", "CPU cores"} <= set(found)
    assert "threads" in found["BLAS"]
    assert report.backends == [Finding("numpy", "works on cpu")]
    assert report.verdict.startswith("The CPU can be used. Type: fuseprop train digits --device cpu")


def test_methods_that_a_backend_lacks_or_has_otherwise_are_named(installed):
    def matmul(self, a, b): ...

    kind = type("Partial", (registry._installed()["numpy"].load(),), {"matmul": matmul, "softmax": None})
    installed["mine"] = Entry("mine", kind)
    (finding,) = (finding for finding in examination.examine().backends if finding.what == "mine")
    assert not finding.ok
    assert (
        f"does not fit the protocol of fuseprop {fuseprop.__version__} (version {VERSION}): " in finding.found
    )
    assert "its matmul(a, b) cannot be called as matmul(a, b, *, out)" in finding.found
    assert "its softmax is None, where a method is expected" in finding.found


@pytest.mark.parametrize(
    ("backend", "found"),
    [
        (unavailable, "no driver. Type: nvidia-smi."),
        (broken, "the backend 'cupy' cannot be made: OSError: cannot open shared object file"),
        (liar("matmul"), "computes wrong on cpu: a matrix product"),
        (liar("bias_activation"), "computes wrong on cpu: the sigmoid kernel"),
    ],
    ids=["unavailable", "broken", "product", "kernel"],
)
def test_a_backend_that_does_not_work_says_why(installed, backend, found):
    installed["cupy"] = Entry("cupy", backend)
    report = examination.examine()
    assert Finding("cupy", found, ok=False) in report.backends
    assert report.works
    assert f"A GPU cannot: {found}" in report.verdict


def test_a_gpu_that_works_is_the_verdict(installed):
    class Works(registry._installed()["numpy"].load()):
        device = "cuda:0"

        def __init__(self, dtype="float32", device="cuda:0"):
            super().__init__(dtype)

    installed["cupy"] = Entry("cupy", Works)
    assert examination.examine().verdict == "A GPU can be used. Type: fuseprop train digits --device cuda"


def test_what_reads_tables_is_named_and_how_to_install_it(installed, monkeypatch):
    def tables():
        return next(one for one in examination.examine().sections["fuseprop"] if one.what == "tables")

    def failing(name):
        raise OSError("cannot open shared object file")

    assert tables().ok
    assert tables().found.startswith("DuckDB 2.")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert tables().found.startswith("DuckDB is not installed, narwhals 2.")
    assert (tables().ok, tables().fix) == (False, how_to_install("tables"))
    assert examination.examine().works
    monkeypatch.setattr(examination, "import_module", failing)
    assert tables().found.startswith("DuckDB fails: OSError: cannot open shared object file, narwhals fails")


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (ZeroDivisionError("half installed"), "ZeroDivisionError: half installed"),
        (SystemExit("\x1b[2J"), r"SystemExit: \x1b[2J"),
    ],
)
def test_an_examination_that_raises_is_a_finding(installed, monkeypatch, error, found):
    def diagnose():
        raise error

    monkeypatch.setattr(examination, "entry_points", lambda group: [Entry("mine", diagnose)])
    assert examination.examine().sections["mine"] == [Finding("examination", found, ok=False)]


def test_an_examination_keeps_to_its_own_section_and_to_findings(installed, monkeypatch):
    entries = [Entry("fuseprop", lambda: ["all is well"]), Entry("mine", lambda: 3)]
    monkeypatch.setattr(examination, "entry_points", lambda group: entries)
    sections = examination.examine().sections
    assert sections["fuseprop"][0].what == "fuseprop"
    assert (
        "expected a list of fuseprop.backend.Finding, got ['all is well']"
        in sections["fuseprop of another package"][0].found
    )
    assert sections["mine"] == [Finding("examination", "TypeError: 'int' object is not iterable", ok=False)]


def test_a_backend_that_ends_python_is_a_finding(installed):
    def ends(self, a, b, *, out):
        raise SystemExit(1)

    installed["mine"] = Entry(
        "mine", type("Ends", (registry._installed()["numpy"].load(),), {"matmul": ends})
    )
    assert Finding("mine", "fails: SystemExit: 1", ok=False) in examination.examine().backends


def test_the_command_prints_everything(installed, monkeypatch):
    installed["cupy"] = Entry("cupy", unavailable)
    missing = [Finding("wheels", "none", ok=False, fix="pip install them")]
    monkeypatch.setattr(examination, "entry_points", lambda group: [Entry("mine", lambda: missing)])
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0
    assert "  numpy             works on cpu" in result.stdout
    assert "! wheels            none. Type: pip install them" in result.stdout
    assert "! cupy              no driver. Type: nvidia-smi." in result.stdout
    assert result.stdout.splitlines()[-1].startswith("The CPU can be used.")


def test_the_command_as_json(installed):
    result = CliRunner().invoke(main, ["doctor", "--json"])
    report = json.loads(result.stdout)
    assert set(report) == {"sections", "backends", "verdict", "works"}
    assert report["works"] is True
    assert report["backends"] == [{"what": "numpy", "found": "works on cpu", "ok": True, "fix": ""}]


def test_code_that_is_not_installed_is_examined_too(installed, monkeypatch):
    """No installation says then where the backends are; there is nothing to replace."""

    def none(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", none)
    installed.clear()
    report = examination.examine()
    (found,) = (one for one in report.sections["fuseprop"] if one.what == "fuseprop")
    where = Path(fuseprop.__file__).parent
    text = f"{fuseprop.__version__}, not installed: imported from {where}"
    assert found == Finding("fuseprop", text, ok=False, fix=how_to_install())
    assert report.verdict == f"Nothing works here. Type: {how_to_install()}."


def test_nothing_works(installed):
    installed.clear()
    installed["cupy"] = Entry("cupy", unavailable)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert f"Nothing works here. Type: {how_to_install(again=True)}." in result.stdout


NO_MPI4PY = "raise ModuleNotFoundError(\"No module named 'mpi4py'\")"


@pytest.mark.parametrize(("program", "found"), [("import not_there", "fails: "), (NO_MPI4PY, "none")])
def test_an_mpi_that_does_not_answer_is_no_mpi(program, found, monkeypatch):
    """The traceback of the process that was asked is no version."""
    monkeypatch.setattr(processes_found, "ASK", program)
    finding, library = processes_found._library()
    assert not finding.ok
    assert finding.found.startswith(found)
    assert "install" in finding.fix
    assert library == ""
