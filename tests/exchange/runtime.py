"""What onnxruntime makes of a file, for the tests of ONNX."""

import onnx
import onnxruntime

from fuseprop.exchange.onnx.file import DIGEST, KEY

onnxruntime.set_default_logger_severity(4)


def run(path, **inputs):
    """The outputs by name, for inputs by name; "X" stands for the input of a single array."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def inputs_of(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return {each.name: (each.type, each.shape) for each in session.get_inputs()}


def without_metadata(path):
    """The same file as one of others: by its operators alone."""
    model = onnx.load(path)
    kept = [entry for entry in model.metadata_props if entry.key not in (KEY, DIGEST)]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    other = path.with_name(f"other {path.name}")
    onnx.save(model, other)
    return other


def texts_of(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}
