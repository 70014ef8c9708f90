"""What a call reads and writes, as declared, and which arrays share memory."""

import gc
from types import SimpleNamespace

import numpy as np
import pytest

from fuseprop.backend import Access, Backend, Call, Memory, Program, Span, overlaps, span, touches
from fuseprop.backend.program import OPERATIONS
from fuseprop.formulas import NESTEROV, Activation
from fuseprop.formulas.activations import gelu, identity, relu
from fuseprop.testing.contract.access import CASES


class Identical:
    """Arrays compared by identity, which NumPy's are not."""

    def __init__(self, arrays):
        self.ids = [id(array) for array in arrays]

    def __eq__(self, other):
        return self.ids == [id(array) for array in other]


def test_whatever_is_declared_is_proved_by_the_contract():
    assert {case.partition(",")[0] for case in CASES} == set(OPERATIONS)


def test_a_call_reads_and_writes_what_its_operation_declares():
    x, order, cursor, out = (np.zeros(3) for _ in range(4))
    call = Call("take_rows", (x, order, cursor), {"out": out})
    assert Identical(call.reads) == [x, order, cursor]
    assert Identical(call.writes) == [out]
    named = Call("take_rows", (x,), {"cursor": cursor, "out": out, "order": order})
    assert Identical(named.reads) == [x, order, cursor]
    update = Call("update", (x, order, cursor, out, NESTEROV), {"decay_ranges": [(0, 2)]})
    assert Identical(update.reads) == [x, order, cursor, out]
    assert Identical(update.writes) == [x, cursor]
    in_place = Call("softmax", (x,), {"out": x})
    assert Identical(in_place.reads) == [x]
    assert Identical(in_place.writes) == [x]


def test_what_is_left_out_is_no_array():
    z, out, kept = (np.zeros((2, 3)) for _ in range(3))
    call = Call("bias_activation", (z, None, relu().formula), {"out": out})
    assert Identical(call.reads) == [z]
    assert Identical(call.writes) == [out]
    call = Call("bias_activation", (z, None, relu().formula), {"out": out, "kept": kept})
    assert Identical(call.writes) == [out, kept]


@pytest.mark.parametrize("named", [False, True])
def test_the_output_is_not_read_where_the_slope_is_constant(named):
    gradient, output, out, sums = (np.zeros((2, 3)) for _ in range(4))

    def reads(activation):
        formula = activation.formula
        operands = (gradient, output) if named else (gradient, output, formula)
        options = {"out": out, "bias_gradient": sums} | ({"activation": formula} if named else {})
        return Call("activation_backward", operands, options).reads

    assert Identical(reads(identity())) == [gradient]
    assert Identical(reads(Activation("twice", lambda z: 2 * z))) == [gradient]
    for read in (relu(), gelu()):
        assert Identical(reads(read)) == [gradient, output]


class Own:
    """A backend's operations beyond the protocol."""

    def join(self, first, second, order, *, outs, kept=None):
        """Make two calls and gather."""


JOIN = Access.of(Own.join, reads="first second order", writes="first second outs kept")


def test_an_operation_beyond_the_protocol_declares_its_own():
    a, b, c, d, order, kept = (np.zeros(2) for _ in range(6))
    first, second = Call("copy", (a,), {"out": b}), Call("advance", (c, 1), {})
    call = Call("join", (first, second, (order, None, [d])), {"outs": (a, d), "kept": kept}, JOIN)
    assert Identical(call.reads) == [a, c, order, d]
    assert Identical(call.writes) == [b, c, a, d, kept]
    assert Identical(Call("join", (first, None, order), {"outs": ()}, JOIN).writes) == [b]
    assert touches(call, [span(kept)])
    assert touches(call, [span(order)])
    assert not touches(call, [span(np.zeros(2))])


def test_an_operation_that_is_declared_nowhere_is_refused():
    call = Call("join", (), {})
    for look in (lambda: call.reads, lambda: call.writes):
        with pytest.raises(LookupError, match=r"no operation 'join'.*needs access=Access\.of"):
            look()


@pytest.mark.parametrize(
    "names", [{"reads": "first third"}, {"writes": "third"}, {"unless": {"order": ("third", 1)}}], ids=str
)
def test_a_declaration_names_parameters(names):
    with pytest.raises(ValueError, match="join has no parameter third; its parameters are first, second, "):
        Access.of(Own.join, **names)


def test_the_protocols_methods_are_what_they_were():
    """Declaring wraps nothing."""
    assert Backend.matmul.__qualname__ == "Backend.matmul"
    assert Backend.matmul.__doc__.startswith("Matrix product")


def test_memory_is_told_apart_by_its_addresses():
    flat = np.zeros(24, np.float32)
    matrix, start = flat[4:16].reshape(3, 4), flat.ctypes.data
    assert span(flat) == (start, start + 96)
    assert span(matrix) == span(matrix.T) == (start + 16, start + 64)
    turned = matrix.T
    places = Memory([matrix, turned]).places
    assert places[id(matrix)] == (start + 16, (3, 4))
    assert places[id(turned)] == (start + 16, (4, 3))
    assert span(matrix[::-1]) == span(matrix)
    assert span(flat[4:16:3]) == (start + 16, start + 56)
    assert span(flat[15:3:-3]) == (start + 24, start + 64)
    assert overlaps(matrix, [flat[16:], flat[15:]])
    assert not overlaps(matrix, [flat[:4], flat[16:], np.zeros(3)])
    assert not overlaps(matrix, [])
    assert not overlaps(flat[5:5], [flat])
    assert not overlaps(flat, [flat[5:5]])
    assert Span(3, 5).meets([Span(0, 1), Span(4, 9)])
    assert not Span(3, 5).meets([Span(0, 3), Span(5, 9)])


def test_a_program_tells_all_of_its_memory_at_once():
    flat, alone, scratch = np.zeros(24, np.float32), np.zeros(3, np.float32), np.zeros((2, 3), np.float32)
    head, matrix, empty = flat[:6], flat[4:16].reshape(3, 4), flat[5:5]
    arrays = [flat, head, matrix, matrix.T, flat[16:], empty, alone, scratch]
    calls = tuple(Call("copy", (array,), {"out": alone}) for array in arrays[:-1])
    program = Program(calls, (scratch,))
    memory = program.memory
    assert memory is program.memory
    assert set(memory.places) == set(memory.regions) == {id(array) for array in arrays}
    for array in arrays:
        assert memory.places[id(array)] == (array.ctypes.data, array.shape)
        for other in arrays:
            common = memory.regions[id(array)] & memory.regions[id(other)]
            assert bool(common) == overlaps(array, [other])
    assert memory.regions[id(flat)] == (
        memory.regions[id(head)] | memory.regions[id(matrix)] | memory.regions[id(arrays[4])]
    )
    assert not memory.regions[id(empty)]
    assert Program(()).memory.places == {}


def test_addresses_are_those_of_the_array_that_is_asked_for():
    """However often memory and `id` are used again."""
    for size in range(1, 200):
        array = np.zeros(size)
        assert span(array) == (array.ctypes.data, array.ctypes.data + array.nbytes)
        del array
    gc.collect()


class Slotted:
    """An array of a class without weak references."""

    __slots__ = ("array",)

    def __init__(self, array):
        self.array = array

    def __getattr__(self, name):
        return getattr(self.array, name)


def test_arrays_without_weak_references_are_asked_each_time():
    array = np.zeros(3)
    slotted = Slotted(array)
    assert span(slotted) == span(array)
    slotted.array = other = np.zeros(4)
    assert span(slotted) == span(other)


class OnDevice:
    """What a library for a device says of its arrays: shape, dtype, strides, and some way to an address."""

    def __init__(self, array, **address):
        self.shape, self.dtype, self.strides = array.shape, array.dtype, array.strides
        self.nbytes = array.nbytes
        for name, value in address.items():
            setattr(self, name, value)


def test_arrays_of_a_device_tell_where_they_are():
    host = np.zeros((3, 4), np.float32)
    by_pointer = OnDevice(host, data=SimpleNamespace(ptr=1000))
    turned = OnDevice(host.T, data=SimpleNamespace(ptr=1000))
    by_interface = OnDevice(host, __cuda_array_interface__={"data": (1040, False)})
    assert span(by_pointer) == span(turned) == (1000, 1048)
    assert Memory([turned]).places == {id(turned): (1000, (4, 3))}
    assert overlaps(by_pointer, [by_interface])
    assert not overlaps(by_pointer, [OnDevice(host, data=SimpleNamespace(ptr=1048))])
    with pytest.raises(TypeError, match=r"OnDevice has none of __array_interface__, data\.ptr and __cuda"):
        span(OnDevice(host))
