"""Certificates in files: whatever is changed, with a digest that fits, is refused, or the verdict holds."""

import json
import random
from copy import deepcopy

import pytest
from fuseprop_numpy import NumpyBackend

from fuseprop import Certificate, verify
from fuseprop.verification import CertificateError
from fuseprop.verification.certificate import sealed
from fuseprop.verification.numbers import eps_of, number
from fuseprop.verification.page import page_of

OPTIONS = {"network": "3-2", "optimizer": "momentum", "dtype": "float32"}
FEW = {"steps": 2, "batch_size": 4, "free_steps": 1}


class Wrong(NumpyBackend):
    def matmul(self, a, b, *, out):
        super().matmul(a, b, out=out)
        out *= 1.01


@pytest.fixture(scope="module")
def contents():
    """One that passed, and one that failed."""
    made = verify("cpu", **OPTIONS, **FEW), verify(Wrong("float32"), **OPTIONS, **FEW)
    assert [each.passed for each in made] == [True, False]
    return [each.content for each in made]


def written(path, content):
    rest = {name: value for name, value in content.items() if name not in ("format", "digest")}
    path.write_text(json.dumps(sealed(rest)))
    return path


def changed(content, keys, value):
    """Return a copy in which the value at a place is another, or is removed where that is `...`."""
    made = deepcopy(content)
    inner = made
    for key in keys[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = value
    return made


T = ("networks", 0, "tensors", 0)


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("networks",), ..., "networks is missing"),
        (("networks",), [], "networks must be a list of at least one element"),
        (("verified",), "cpu", "verified must be an object, got 'cpu'"),
        (("reference", "backend"), None, "reference.backend must be a text"),
        (("environment", "cpu"), ..., "environment.cpu is missing"),
        (("more",), 1, "'more' is not known"),
        (("bound",), "2 eps", "bound must be '1000 eps"),
        (("networks", 0, "free_run", "between them"), ..., r"networks\[0\].free_run.between them is missing"),
        ((*T, "eps"), "far", r"networks\[0\].tensors\[0\].eps must be a distance"),
        ((*T, "eps"), -1.0, "must be a distance"),
        ((*T, "eps"), "nan", "must be a distance"),
        ((*T, "eps"), True, "must be a distance"),
        ((*T, "eps"), 10**400, "must be a distance"),
        ((*T, "eps"), 99999.0, "must be 0.0, the largest of eps_by_step"),
        ((*T, "eps_by_step"), [], "at least one element"),
        ((*T, "eps_by_step"), [99999.0, 0.0], "must be 99999.0, the largest of eps_by_step"),
        (T, [], r"tensors\[0\] must be an object"),
        (("networks", 0, "furthest", "eps"), 0.0, "furthest.eps must be"),
        (("networks", 0, "furthest", "tensor"), "none", "furthest is no tensor"),
        (("networks", 0, "furthest", "got"), 9.0, "does not follow from got, wanted and bound"),
    ],
)
def test_what_is_not_as_it_must_be(contents, tmp_path, keys, value, said):
    path = written(tmp_path / "changed.json", changed(contents[0], keys, value))
    with pytest.raises(CertificateError, match=rf"changed\.json is no certificate .*: .*{said}"):
        Certificate.load(path)


def test_a_verdict_that_does_not_fit_its_numbers(contents, tmp_path):
    passed, failed = contents
    first = failed["networks"][0]["first_beyond"]
    far = changed(passed, (*T, "eps_by_step"), [99999.0, 0.0])
    far = changed(far, (*T, "eps"), 99999.0)
    assert not Certificate(far).passed
    for content in (
        far,
        changed(failed, ("networks", 0, "first_beyond"), None),
        changed(passed, ("networks", 0, "first_beyond"), first),
    ):
        with pytest.raises(CertificateError, match=r"networks\[0\].first_beyond must be"):
            Certificate.load(written(tmp_path / "changed.json", content))


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "9" * 5000, "[" * 100_000])
def test_what_json_does_not_have(contents, tmp_path, text):
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(contents[0]).replace('"seed": 0', f'"seed": {text}'))
    with pytest.raises(CertificateError, match="it is no JSON"):
        Certificate.load(path)


def places(value, keys=()):
    """Yield the keys of every value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*keys, key)
        yield from places(inner, (*keys, key))


OTHERS = (
    ...,
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    -0.5,
    99999.0,
    "",
    "inf",
    "nan",
    "\ud800\x1b[2J",
    [],
    {},
    [[]],
)


@pytest.mark.parametrize("seed", range(8))
def test_seeded_changes(contents, tmp_path, seed):
    """80 in each: a file is refused in words that name it, or is shown, and its numbers say its verdict."""
    rng = random.Random(seed)
    refused: list[str] = []
    for _ in range(80):
        content = contents[rng.randrange(2)]
        for _ in range(rng.randint(1, 2)):
            content = changed(content, rng.choice(list(places(content))), rng.choice(OTHERS))
        path = written(tmp_path / "changed.json", content)
        try:
            loaded = Certificate.load(path)
        except CertificateError as error:
            refused.append(str(error))
            continue
        assert str(loaded).isprintable() or "\x1b" not in str(loaded)
        page_of(loaded)
        distances = [number(each["eps"]) for network in loaded.networks for each in network["tensors"]]
        assert loaded.passed == (max(distances) <= 1000) == ("passed: " in str(loaded))
    assert len(refused) > 40
    assert all("changed.json is no certificate" in text for text in refused)


def test_what_is_beyond_the_bound_stays_beyond_it_when_rounded():
    assert (eps_of(1.0), eps_of(1.00001), eps_of(0.99999), eps_of(1.01)) == (1000.0, 1001.0, 1000.0, 1010.0)
