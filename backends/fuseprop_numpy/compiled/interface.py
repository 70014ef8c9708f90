"""The structs and numbers of native/interface.hpp, field by field; a test compares them."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_double, c_int64, c_uint32, c_void_p

TAKE_ROWS, PUT_ROWS, ADVANCE, SUM_SQUARES, COPY = range(5)
"""Tasks of a chore."""

LOSS_OF_ROWS, SOFTMAX_CROSS_ENTROPY = range(2)
"""Kinds of losses."""

NO_HITS, ARGMAX_EQUALS, THRESHOLD_EQUALS = range(3)
"""Kinds of hits."""

NO_LINK, SOFTMAX, FORMULA = range(3)
"""What the last outputs of a forward pass go through."""

TRAINING, GRADIENT, FORWARD = range(3)
"""Kinds of steps."""

FIRST, LAST = 1, 2
"""Parts of a run."""

DONE, GOES_ON, WAITS = range(3)
"""How a run was left."""


class Formula(Structure):
    """A formula of the table of its kind, or a program of the interpreter."""

    _fields_ = [
        ("kernel", c_int64),
        ("constants", c_void_p),
        ("constant_count", c_int64),
        ("code", c_void_p),
        ("code_length", c_int64),
    ]


class Gather(Structure):
    """Rows that a step gathers."""

    _fields_ = [
        ("source", c_void_p),
        ("order", c_void_p),
        ("cursor", c_void_p),
        ("width", c_int64),
    ]


class LayerSpec(Structure):
    """A layer."""

    _fields_ = [
        ("inputs", c_int64),
        ("outputs", c_int64),
        ("offset", c_int64),
        ("decays", c_int64),
        ("value", Formula),
        ("slope", Formula),
        ("is_identity", c_int64),
        ("slope_of_sum", c_int64),
        ("drops", c_int64),
        ("rate", c_double),
        ("seed", c_uint32),
        ("kept_sums", c_void_p),
        ("kept_outputs", c_void_p),
        ("kept_deltas", c_void_p),
    ]


class Chore(Structure):
    """What is done by one thread, before a step or after it."""

    _fields_ = [
        ("task", c_int64),
        ("rows", c_int64),
        ("bytes", c_int64),
        ("source", c_void_p),
        ("order", c_void_p),
        ("cursor", c_void_p),
        ("out", c_void_p),
    ]


class StepSpec(Structure):
    """A training step, one that learns nothing, or a forward pass."""

    _fields_ = [
        ("kind", c_int64),
        ("rows", c_int64),
        ("layer_count", c_int64),
        ("layers", POINTER(LayerSpec)),
        ("values", c_void_p),
        ("gradients", c_void_p),
        ("moments", c_void_p),
        ("parameter_count", c_int64),
        ("moment_count", c_int64),
        ("x", Gather),
        ("target", Gather),
        ("labels", Gather),
        ("row_weights", Gather),
        ("dropout_step", c_void_p),
        ("loss_kind", c_int64),
        ("loss", Formula),
        ("factor", c_double),
        ("losses", c_void_p),
        ("hit_kind", c_int64),
        ("score_threshold", c_double),
        ("target_threshold", c_double),
        ("hits", c_void_p),
        ("link_kind", c_int64),
        ("link", Formula),
        ("outputs", c_void_p),
        ("update", Formula),
        ("settings", c_void_p),
        ("setting_count", c_int64),
        ("clips", c_int64),
        ("limit", c_double),
        ("norm", c_void_p),
        ("reduces", c_int64),
        ("stores_values", c_int64),
        ("stores_gradients", c_int64),
        ("before_count", c_int64),
        ("after_count", c_int64),
        ("before", POINTER(Chore)),
        ("after", POINTER(Chore)),
    ]


STRUCTS = {struct.__name__: struct for struct in (Formula, Gather, LayerSpec, Chore, StepSpec)}
