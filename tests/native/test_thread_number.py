"""How many threads compiled steps begin with: what was asked for, or what the process may use."""

import ast
import os
import subprocess
import sys

import pytest
from fuseprop_numpy.compiled.threads import MOST_THREADS, cgroup_quota, default_threads, usable_cores


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A root with eight processors, all of which may be used, and no cgroups."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


def write(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")


def siblings(root, groups):
    for group in groups:
        for number in group:
            write(
                root,
                f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list",
                ",".join(map(str, group)),
            )


def test_the_processors_that_may_be_used(machine):
    assert default_threads({}, machine) == (8, "the cores that the process may use")


def test_hyperthreads_count_once(machine, monkeypatch):
    siblings(machine, [(0, 4), (1, 5), (2, 6), (3, 7)])
    assert usable_cores(machine) == 4
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 4, 5})
    assert usable_cores(machine) == 2


def test_without_affinity_all_processors_count(machine, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cores(machine) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores(machine) == 1


def test_this_machine():
    assert 1 <= default_threads({}).threads <= os.cpu_count()


V2, V1 = "0::/user/app", "9:cpu,cpuacct:/user/app\n4:memory:/user/app\n0::/user/app"


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        ("", {}, None),
        (V2, {}, None),
        (V2, {"user/app/cpu.max": "max 100000"}, None),
        (V2, {"user/app/cpu.max": "250000 100000"}, 2.5),
        (V2, {"user/app/cpu.max": "max 100000", "user/cpu.max": "150000 50000"}, 3),
        (V2, {"user/app/cpu.max": "400000 100000", "user/cpu.max": "300000 100000"}, 3),
        (V2, {"cpu.max": "50000 100000"}, 0.5),  # the mount is the container's own group
        ("0::/../../elsewhere", {"cpu.max": "200000 100000"}, 2),
        (V2, {"user/app/cpu.max": "nonsense"}, None),
        (V2, {"user/app/cpu.max": "100000 0"}, None),
        (V2, {"user/other/cpu.max": "100000 100000"}, None),
        ("nonsense\n:\n0", {}, None),
        (
            V1,
            {
                "cpu,cpuacct/user/app/cpu.cfs_quota_us": "350000",
                "cpu,cpuacct/user/app/cpu.cfs_period_us": "100000",
            },
            3.5,
        ),
        (V1, {"cpu/user/cpu.cfs_quota_us": "200000", "cpu/user/cpu.cfs_period_us": "100000"}, 2),
        (V1, {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2),
        (V1, {"cpu/user/app/cpu.cfs_quota_us": "-1", "cpu/user/app/cpu.cfs_period_us": "100000"}, None),
        ("3:cpuacct:/a", {"cpuacct/a/cpu.cfs_quota_us": "1", "cpuacct/a/cpu.cfs_period_us": "1"}, None),
        ("2:cpuset:/a", {"cpuset/a/cpu.cfs_quota_us": "1", "cpuset/a/cpu.cfs_period_us": "1"}, None),
    ],
)
def test_cgroups_of_both_versions(machine, groups, files, quota):
    write(machine, "proc/self/cgroup", groups)
    for path, text in files.items():
        write(machine, f"sys/fs/cgroup/{path}", text)
    assert cgroup_quota(machine) == quota


@pytest.mark.parametrize(
    ("limit", "threads"), [("250000", 3), ("200000", 2), ("10000", 1), ("800000", 8), ("900000", 8)]
)
def test_a_quota_is_rounded_up_and_caps(machine, limit, threads):
    write(machine, "proc/self/cgroup", "0::/")
    write(machine, "sys/fs/cgroup/cpu.max", f"{limit} 100000")
    assert default_threads({}, machine).threads == threads


def test_the_quota_is_named(machine):
    write(machine, "proc/self/cgroup", "0::/")
    write(machine, "sys/fs/cgroup/cpu.max", "250000 100000")
    assert default_threads({}, machine).source == "2.5 cores' time of the cgroup"


@pytest.mark.parametrize(
    ("ours", "shared", "expected"),
    [
        ("3", None, (3, "FUSEPROP_NUM_THREADS")),
        ("3", "5", (3, "FUSEPROP_NUM_THREADS")),
        (" 3 ", "5", (3, "FUSEPROP_NUM_THREADS")),
        ("1024", None, (1024, "FUSEPROP_NUM_THREADS")),
        ("20", None, (20, "FUSEPROP_NUM_THREADS")),  # more than there are, if one asks for it
        ("", "5", (5, "OMP_NUM_THREADS")),
        (None, "4,2", (4, "OMP_NUM_THREADS")),
        (None, " 4 , 2", (4, "OMP_NUM_THREADS")),
        (None, "5000", (MOST_THREADS, "OMP_NUM_THREADS")),
        *(
            (None, bad, (8, "the cores that the process may use"))
            for bad in ("0", "-1", "two", "", ",4", "4 2")
        ),
    ],
)
def test_what_the_environment_asks_for(machine, ours, shared, expected):
    asked = {"FUSEPROP_NUM_THREADS": ours, "OMP_NUM_THREADS": shared}
    environment = {name: value for name, value in asked.items() if value is not None}
    assert default_threads(environment, machine) == expected


@pytest.mark.parametrize(
    "bad", ["0", "-1", "two", "10" + 8 * "0", "1025", "2.0", "+2", "4,2", "1_0", "٣", "0x2"]
)
def test_what_is_no_number_of_threads_is_refused(machine, bad):
    with pytest.raises(ValueError, match="FUSEPROP_NUM_THREADS") as refusal:
        default_threads({"FUSEPROP_NUM_THREADS": bad}, machine)
    assert f"must be a whole number from 1 to 1024, got {bad!r}" in str(refusal.value)


def test_what_is_long_is_cut(machine):
    with pytest.raises(ValueError, match=r"got 'x{59}\. Correct"):
        default_threads({"FUSEPROP_NUM_THREADS": "x" * 5000}, machine)


def test_workers_of_joblib_begin_with_their_share(machine):
    """loky tells its workers by OMP_NUM_THREADS."""
    script = """
import joblib, os
with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
    print(joblib.Parallel(n_jobs=2)(joblib.delayed(os.getenv)("OMP_NUM_THREADS") for _ in range(2)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    told = ast.literal_eval(done.stdout)
    assert [default_threads({"OMP_NUM_THREADS": each}, machine).threads for each in told] == [1, 1]


def test_import_takes_any_number():
    """What is asked for is looked at where compiled steps are first used."""
    done = subprocess.run(
        [sys.executable, "-c", "import fuseprop, fuseprop_numpy, sys; print('threadpoolctl' in sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "FUSEPROP_NUM_THREADS": "two"},
    )
    assert done.stdout == "False\n", done.stderr
