"""What one form of a peer breaks, it breaks for itself: the others are measured in a new process."""

from pathlib import Path

import pytest

from fuseprop.benchmarks import turns

HERE = Path(__file__).parent


@pytest.fixture
def peer_of(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    peers = []

    def made(*arguments):
        peers.append(turns.Peer(*arguments))
        return peers[-1]

    yield made
    for peer in peers:
        peer.close()


def measured(peer, network):
    rows = turns.measure([peer], network, "sigmoid", rounds=2, block=1e-3, seconds=100.0, pause=0.0)
    return {row["name"]: row for row in rows}


@pytest.mark.parametrize(
    ("module", "device", "errors"),
    [
        ("dies", "cpu", {"dies": "ended with 3: no output"}),
        (
            "loses_its_gpu",
            "cuda:1",
            {
                "loses": "RuntimeError: device-side assert triggered",
                "refuses": "ValueError: not this network",
            },
        ),
    ],
)
def test_the_others_are_measured_in_a_new_process(peer_of, module, device, errors):
    peer = peer_of(module, device)
    for network in ("2-8-1-b4", "64-32-10-b32"):
        rows = measured(peer, network)
        assert {name: row["error"] for name, row in rows.items() if "error" in row} == errors
        for name in ("before", "after"):
            assert len(rows[name]["times"]) == 2
            assert rows[name].keys() >= {"gate", "times"}
            assert "ends" not in rows[name]


def test_a_process_is_new_only_where_it_must_be(peer_of, monkeypatch):
    started = []
    start = turns.Peer._start
    monkeypatch.setattr(turns.Peer, "_start", lambda peer: started.append(peer) or start(peer))
    measured(peer_of("loses_its_gpu", "cuda:1"), "2-8-1-b4")
    assert len(started) == 2  # the first, and the one after the GPU was lost


def test_who_does_not_come_back_says_so_to_every_request(peer_of, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{HERE}")
    module = tmp_path / "comes_once.py"
    module.write_text("from dies import *\nimport pathlib\npathlib.Path(__file__).unlink()\n")
    rows = measured(peer_of("comes_once", "cpu"), "2-8-1-b4")
    assert all("error" in row for row in rows.values())
