"""The table of steps on paper, and what a GPU adds to it."""

import json

from benchmarks.without_a_gpu import NO_GPU, RECORD, without_a_gpu

STEP = {"products": 5, "least_bytes": 1024, "kernels": {"a<float>": 1}}
RECORDED = {
    "dtype": "float32",
    "activation": "sigmoid",
    "compiler": "NVRTC 1.2",
    "architecture": 90,
    "networks": [
        {
            "network": network,
            "eager": STEP | {"launches": 15, "bytes": 4096},
            "fused": STEP | {"launches": 12, "bytes": 2048, "kernels": {"a<float>": launches}},
        }
        for network, launches in (("2-8-1-b4", 1), ("64-32-10-b32", 3))
    ],
    "kernels": {"a<float>": {"registers": 40, "stack": 0, "spilled": 0}},
}


def tables(tmp_path, measured, record=RECORDED):
    path = tmp_path / RECORD
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record))
    return without_a_gpu(tmp_path, measured)


def result(device, **times):
    rows = [
        {"name": name.replace("_", " "), "table": "step", "note": "", "times": [seconds] * 3}
        for name, seconds in times.items()
    ]
    return {
        "device": device,
        "networks": [{"network": "2-8-1-b4", "activation": "sigmoid", "rows": rows}],
    }


def test_without_a_gpu_times_stay_empty_and_that_is_said(tmp_path):
    text = tables(tmp_path, [result("cpu", fuseprop=1e-5)])
    assert NO_GPU in text
    assert "| 2-8-1, 4 | 15 | 12 | 5 | 4.00 [1.00] | 2.00 [1.00] |  |  |  |" in text
    assert "| `a<float>` | 40 | 1 | 1 to 3 |" in text
    assert "sm_90" in text
    assert "room for 1,536 threads" in text
    assert "With a stack frame or spills: none." in text


def test_what_a_gpu_measured_stands_beside(tmp_path):
    measured = [result("cpu", fuseprop=1.0), result("cuda", fuseprop=2e-5, fuseprop_eager=1e-4)]
    text = tables(tmp_path, measured)
    assert NO_GPU not in text
    assert "| 2-8-1, 4 | 15 | 12 | 5 | 4.00 [1.00] | 2.00 [1.00] | 100 |  | 20.0 |" in text
    assert "| 64-32-10, 32 | 15 | 12 | 5 | 4.00 [1.00] | 2.00 [1.00] |  |  |  |" in text


def test_spills_are_named(tmp_path):
    record = RECORDED | {"kernels": {"a<float>": {"registers": 80, "stack": 0, "spilled": 8}}}
    text = tables(tmp_path, [], record)
    assert "With a stack frame or spills: a<float>." in text


def test_without_a_record_there_is_nothing(tmp_path):
    assert without_a_gpu(tmp_path, []) == ""
