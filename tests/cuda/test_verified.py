"""`fuseprop.verify` of the CuPy backend's own code, over host memory: all but the hardware."""

import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

from fuseprop_cupy.device.kernel_list import source_hashes
from fuseprop_cupy.device.wheels import driver_version
from host_device import HostDevice, HostRunBackend, on_host

from fuseprop import verify

FEW = {"network": "5-7-3", "optimizer": "adam", "steps": 4, "batch_size": 6, "free_steps": 2}


def test_captured_steps_pass():
    certificate = verify(HostRunBackend("float32"), **FEW)
    assert certificate.passed, certificate.verdict
    told = certificate.content["verified"]
    assert (told["backend"], told["device"], told["replay"]) == ("cupy", "cuda:0", "captured")
    assert told["not_in_its_best_way"] == []
    hashes = {name.removeprefix("kernels/"): value for name, value in told["provenance"].items()}
    assert hashes.items() >= source_hashes().items()


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_default_networks_pass(dtype):
    certificate = verify(HostRunBackend(dtype), steps=4, batch_size=6, free_steps=2)
    assert certificate.passed, certificate.verdict


class Products(HostDevice):
    """Products of three columns, as the second layer has, are 1% off, in captured steps too."""

    def run(self, kernel, grid, arguments):
        super().run(kernel, grid, arguments)
        for parameter, argument in zip(kernel.parameters, arguments, strict=True):
            if kernel.name == "small_product" and parameter.name == "out" and argument.shape[1] == 3:
                on_host(argument)[...] *= 1.01


class Wrong(HostRunBackend):
    def _open(self, ordinal):
        return Products(ordinal, self.dtype)


def test_a_wrong_product_is_named():
    first = verify(Wrong("float32"), **{**FEW, "steps": 1}).first_beyond
    assert (first["step"], first["operation"], first["tensor"]) == (1, "matmul", "layer 2: weighted sum")


class KeptOrder(HostDevice):
    """Every second upload of an order of rows is lost."""

    sent = 0

    def upload(self, source, out):
        if source.dtype.kind == "i" and source.shape == (8,):
            self.sent += 1
            if self.sent % 2 == 0:
                return
        super().upload(source, out)


class Forgets(HostRunBackend):
    def _open(self, ordinal):
        return KeptOrder(ordinal, self.dtype)


def test_a_lost_upload_is_named():
    first = verify(Forgets("float32"), **FEW).first_beyond
    assert (first["how"], first["tensor"]) == ("as sent", "order of rows")


def test_the_driver_is_told_where_nvidia_smi_tells_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert driver_version() == {}
    tool = tmp_path / "nvidia-smi"
    for text, told in (("echo 580.159.04; echo 580.159.04", {"driver": "580.159.04"}), ("exit 9", {})):
        tool.write_text(f"#!/bin/sh\n{text}\n")
        tool.chmod(0o755)
        assert driver_version() == told
