"""Every mistake in seam_mistakes.py is found, by the rung that is named there.

A landing takes the first of each file and of each rung.
"""

import warnings

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')
pytest.importorskip("nvmath", reason='needs nvmath-python, not a GPU: pip install -e ".[test]"')

import test_blas
import test_cuda_streams
import test_device
import test_products
import test_sums
from fuseprop_cupy.device.nodes import Multiply
from host_device import HostRunBackend
from host_streams import HostStreams
from landing import first_of_each
from seam_mistakes import SEAM_MISTAKES, mistaken, read_module
from steps import training
from test_capture import epoch, hazards, same_bits
from test_capture import test_what_is_read_is_waited_for_whichever_node_wrote_it as chain_by_hand

from fuseprop.backend import Call, Program
from fuseprop.testing.contract.replay import SOFTMAX, ReplayContract


def asked(monkeypatch):
    """What streams, events and handles are asked for, in which order."""
    for check in (
        test_cuda_streams.test_a_capture,
        test_cuda_streams.test_handles_are_moved_before_the_streams_of_a_capture_go,
        test_cuda_streams.test_a_stream_that_the_caller_uses_stays_current,
        test_cuda_streams.test_the_reason_of_a_failed_capture_is_the_one_that_is_told,
        lambda machine, streams: test_cuda_streams.test_no_garbage_is_collected_while_a_step_is_captured(
            streams, True
        ),
        test_cuda_streams.test_products_go_to_their_streams_handle,
    ):
        with monkeypatch.context() as patch:
            machine = test_cuda_streams.put_machine(patch)
            streams = test_cuda_streams.streams_of(machine)
            check(machine, streams)
            test_cuda_streams.assert_nothing_dangles(machine)
    with monkeypatch.context() as patch:
        machine = test_cuda_streams.put_machine(patch)
        test_cuda_streams.test_a_thread_has_its_streams_on_the_callers_as_long_as_it_holds_them(
            machine, patch
        )
    for check in (
        test_blas.test_the_workspace_follows_the_stream,
        test_blas.test_a_handle_serves_one_owner_after_the_other_on_its_device_and_is_never_destroyed,
    ):
        with monkeypatch.context() as patch:
            check(test_blas.put_library(patch))
    for check in (
        lambda library, made, workspaces, patch: test_products.test_products_are_strict_whatever_cupy_is_told(
            library, made, False, patch
        ),
        lambda library, made, workspaces, patch: test_products.test_two_threads_never_share_a_handle(
            library, made
        ),
        lambda library, made, workspaces, patch: (
            test_products.test_another_stream_gets_another_workspace_and_keeps_the_stream(
                library, made, workspaces
            )
        ),
    ):
        with monkeypatch.context() as patch:
            library, workspaces = test_blas.put_library(patch), []
            check(library, test_products.products_on(workspaces), workspaces, patch)


def captured(monkeypatch):
    """Steps as graphs in other orders, in several calls and on two streams; and fused, without graphs."""
    monkeypatch.setattr("fuseprop_cupy.operations.dense.MOST_TILES", 0)  # products are cuBLAS's
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # why steps were not captured is asked for below
        for layers in (1, 3):
            eager = epoch(training(HostRunBackend(replay="eager"), layers, rows=91), [11])
            made = training(HostRunBackend(), layers, rows=91)
            found = epoch(made, [1, 4, 6])
            assert made.backend.not_captured is None, made.backend.not_captured
            for graph in made.backend.seam.streams().graphs:
                assert hazards(graph) == [], "two nodes race"
            same_bits(found, eager)
            same_bits(epoch(training(HostRunBackend(replay="fused"), layers, rows=91), [1, 10]), eager)
        a_product_that_no_node_waits_for()
        a_factor_that_is_written_over()
        a_step_on_two_streams()
    chain_by_hand()


def a_product_that_no_node_waits_for():
    backend = HostRunBackend()
    a = backend.from_host(np.arange(16.0).reshape(4, 4))
    outs = [backend.zeros((4, 4)) for _ in range(2)]
    replay = backend.compile(Program(tuple(Call("matmul", (a, a), {"out": out}) for out in outs)))
    replay(3)
    assert backend.not_captured is None, backend.not_captured
    (graph,) = backend.seam.streams().graphs
    assert [type(asked.node) for asked in graph.asked] == [Multiply] * 2 * (len(graph.asked) // 2)
    for out in outs:
        np.testing.assert_array_equal(backend.to_host(out), backend.to_host(a) @ backend.to_host(a))


def a_factor_that_is_written_over():
    """A product on the other stream reads what the main stream writes later."""
    found = []
    for mode in ("captured", "eager"):
        backend = HostRunBackend(replay=mode)
        turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))
        a, b, c = backend.from_host(turn), backend.zeros((4, 4)), backend.zeros((4, 4))
        products = ((a, a, b), (a, a, c), (c, c, a))
        calls = tuple(Call("matmul", (left, right), {"out": out}) for left, right, out in products)
        backend.compile(Program(calls))(2)  # call by call, and as a graph whose main stream goes first
        found.append([backend.to_host(array) for array in (a, b, c)])
    same_bits(*found)


def a_step_on_two_streams():
    made = training(HostRunBackend(), rows=91)
    streams = [HostStreams(made.backend.seam) for _ in range(2)]
    replay = made.backend.compile(made.program(made.batches[0]))
    for each in streams:
        made.backend.seam._streams = each
        replay(4)
    assert [len(each.graphs) for each in streams] == [1, 1], "a stream's graphs are on streams of its own"


def summed(monkeypatch):
    """Steps that processes take together, where all is well and where something fails in one of them."""
    test_sums.test_two_processes_on_one_gpu_are_refused()
    test_sums.test_without_nccl_in_one_process_all_are_refused()
    test_sums.test_other_numbers_of_steps_are_refused_in_all_processes()
    for what in ("a capture", "the streams"):
        with warnings.catch_warnings():
            test_sums.test_where_one_process_cannot_capture_none_does(what)
    test_sums.test_the_sum_waits_for_the_side_stream_and_the_update_for_the_sum()
    test_sums.test_parts_of_bias_gradients_are_added_up_before_the_sum(None)
    for check in (
        test_sums.test_graphs_have_as_many_steps_in_all_processes,
        test_sums.test_a_sum_goes_to_the_stream_that_is_current,
        lambda patch: test_sums.test_graphs_go_before_communicators_at_the_end(
            test_sums.one_communicator(), True, patch
        ),
    ):
        with monkeypatch.context() as patch:
            check(patch)


def reached(monkeypatch):
    """Two devices, and two threads."""
    for check in (
        test_device.test_a_device_is_current_whatever_was_in_between,
        test_device.test_a_device_is_current_in_every_thread,
    ):
        with monkeypatch.context() as patch:
            check(test_device.put_two(patch))
    with monkeypatch.context() as patch:
        test_device.test_every_thread_has_streams_of_its_own(test_device.put_two(patch), patch)
    test_device.test_every_thread_has_a_temporary_array_of_its_own()
    test_device.test_every_stream_has_a_temporary_array_of_its_own()


def contract(monkeypatch):
    """What any backend's replays are asked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        checks = ReplayContract()
        checks.test_a_replayed_step_is_the_step(HostRunBackend(), SOFTMAX, "tanh", ("plain", "momentum"))
        checks.test_how_often_at_once_makes_no_difference(HostRunBackend(), "adam", "clipped")


RUNGS = {"asked": asked, "captured": captured, "summed": summed, "reached": reached, "contract": contract}


MADE = [(file, mistake) for file, mistakes in SEAM_MISTAKES.items() for mistake in mistakes]


def file_of(file, mistake):
    return file


def rung_of(file, mistake):
    return SEAM_MISTAKES[file][mistake][2]


@pytest.mark.parametrize(("file", "mistake"), first_of_each(MADE, file_of, rung_of))
def test_mistakes_are_found(file, mistake, monkeypatch):
    old, new, rung, finding = SEAM_MISTAKES[file][mistake]
    assert read_module(file).count(old) == 1
    with mistaken(file, old, new), pytest.raises(AssertionError, match=finding):
        RUNGS[rung](monkeypatch)


@pytest.mark.parametrize("rung", RUNGS)
def test_without_a_mistake_nothing_is_found(rung, monkeypatch):
    RUNGS[rung](monkeypatch)


def test_a_mistake_is_gone_afterwards(monkeypatch):
    old, new, rung, _ = SEAM_MISTAKES["device/streams.py"]["a wait dropped"]
    with mistaken("device/streams.py", old, new):
        pass
    RUNGS[rung](monkeypatch)
