"""What `fuseprop bench` says of figures: made-up ones, of machines that are not here."""

import json
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest
from made_up import network, result, row, with_a_gpu

from fuseprop.benchmarks.bench.crossover import Measured, crossings
from fuseprop.benchmarks.bench.outcome import Outcome
from fuseprop.benchmarks.bench.pages import as_page, time_chart
from fuseprop.benchmarks.bench.words import as_dict, beside_others, cautions, left_out, told, which_device


def test_the_crossover_of_two_powers_of_the_size_is_exact():
    """t = a s and t = b s^(1/2) meet at s = (b / a)^2."""
    a, b = 1e-9, 1e-6
    sizes = [1e4, 3e5, 2e6, 1e7]
    (found,) = crossings([Measured(f"{s:g}", s, a * s, b * s**0.5) for s in sizes])
    assert found.size == pytest.approx((b / a) ** 2)
    assert (found.below, found.above, found.to_other) == ("300000", "2e+06", True)


@pytest.mark.parametrize(
    ("ones", "others", "expected"),
    [
        ([1, 2, 4], [2, 4, 8], []),
        ([2, 2, 2], [1, 1, 1], []),
        ([1, 1, 4], [1, 1, 1], []),  # level is no side: there is nothing to overtake
        ([1, 2, 8], [2, 2, 2], [True]),
        ([1, 4, 1], [2, 2, 2], [True, False]),
        ([3], [1], []),
        ([], [], []),
    ],
)
def test_crossovers(ones, others, expected):
    networks = [Measured(str(i), 10.0**i, *times) for i, times in enumerate(zip(ones, others, strict=True))]
    assert [c.to_other for c in crossings(networks[::-1])] == expected


def test_a_gpu_overtakes_between_the_networks_around_it():
    outcome = Outcome(with_a_gpu())
    (line,) = which_device(outcome)
    assert line.startswith("From about 64,000 rows x weights a step on, cuda is faster than cpu")
    assert "between 1000, batch 32 and 1000, batch 128" in line
    assert line.endswith("With 1,000 weights that is a batch of 64.")
    (found,) = as_dict(outcome)["crossovers"]
    assert (found["from"], found["to"]) == ("cpu", "cuda")
    assert found["rows_x_weights"] == pytest.approx(64_000, rel=0.01)


def test_one_device_that_is_faster_everywhere():
    always = result(
        *(network(n, row("fuseprop", "cpu", 1e-5), row("fuseprop", "cuda", 5e-5)) for n in (2, 4))
    )
    assert which_device(Outcome(always)) == ["cpu is faster than cuda at all 2 sizes measured."]
    one = result(network(2, row("fuseprop", "cpu", 5e-5), row("fuseprop", "plain", 1e-5)))
    assert which_device(Outcome(one)) == ["plain is faster than cpu at the one size measured."]


def around(middle, share):
    """Eight rounds from one side of a time to the other."""
    return [middle * (1 + share * i) for i in (-4, 3, -2, 1, 0, -1, 2, 4)]


def test_devices_whose_interval_holds_1_are_level():
    """In words, in JSON and in the picture: equal times, and ones that noise covers."""
    for times in (around(1e-5, 0.01)[::-1], around(1e-5, 0.0), around(1.01e-5, 0.05)):
        noisy = row("fuseprop", "cuda", None, times=times)
        pair = network(2, row("fuseprop", "cpu", None, times=around(1e-5, 0.0)), noisy)
        outcome = Outcome(result(pair))
        assert which_device(outcome) == [
            "cpu and cuda are level at 1000, batch 2: they differ by less than the noise."
        ]
    faster = network(4, row("fuseprop", "cpu", 5e-5), row("fuseprop", "cuda", 1e-5))
    outcome = Outcome(result(pair, faster))
    assert which_device(outcome)[0] == "cuda is faster than cpu at 1000, batch 4."
    assert as_dict(outcome)["crossovers"] == []
    assert "is faster from here on" not in time_chart(outcome)


def test_networks_of_one_size_that_contradict_each_other_are_said_and_cross_nowhere():
    wide = network(2, row("fuseprop", "cpu", 1e-5), row("fuseprop", "cuda", 5e-5))
    deep = network(4, row("fuseprop", "cpu", 5e-5), row("fuseprop", "cuda", 1e-5), weights=500)
    outcome = Outcome(result(wide, deep))
    assert which_device(outcome) == [
        "At 2,000 rows x weights it depends on the network: "
        "cpu is faster at 1000, batch 2, cuda is faster at 500, batch 4."
    ]
    assert outcome.crossings("cpu", "cuda") == []


def test_a_network_that_one_device_alone_took_is_named():
    both = network(2, row("fuseprop", "cpu", 1e-5), row("fuseprop", "cuda", 5e-5))
    alone = network(4, row("fuseprop", "cpu", 1e-5), row("fuseprop", "cuda", None, skipped="no time"))
    assert which_device(Outcome(result(both, alone))) == [
        "cpu is faster than cuda at the one size measured.",
        "1000, batch 4 was measured on cpu alone.",
    ]
    apart = network(2, row("fuseprop", "cuda", 1e-5))
    assert "cpu and cuda have no network in common." in which_device(Outcome(result(alone, apart)))


@pytest.mark.parametrize("rounds", [1, 7])
def test_too_few_rounds_call_nobody_faster(rounds):
    """The smallest and the largest of fewer than eight are no bounds of 99%."""
    rows = [
        row(name, device, None, times=[seconds] * rounds)
        for name, device, seconds in [
            ("fuseprop", "cpu", 1e-5),
            ("fuseprop", "cuda", 9e-5),
            ("JAX jit", "cpu", 5e-5),
        ]
    ]
    outcome = Outcome(result(network(2, *rows)))
    assert which_device(outcome) == ["Too few rounds to say which of cpu and cuda is faster: that takes 8."]
    assert beside_others(outcome) == []
    assert "3 of 3 rows took fewer than 8 rounds" in cautions(outcome)[0]
    text = told(outcome)
    assert "fastest to slowest" in text
    assert "99% interval  " not in text
    assert text.count("10.0 to 10.0 *") == 1
    assert as_dict(outcome)["networks"][0]["rows"][0]["seconds"]["confidence"] is None


def test_one_row_of_few_rounds_is_marked_among_others():
    short = row("JAX jit", "cpu", None, times=[5e-5] * 3)
    text = told(Outcome(result(network(2, row("fuseprop", "cpu", 1e-5), short))))
    assert "99% interval, * fastest to slowest" in text
    assert [line.split()[0] for line in text.splitlines() if " * " in line][1:] == ["JAX"]


def test_the_page_writes_numbers_as_the_terminal_does():
    page_ = as_page(Outcome(result(network(2, row("fuseprop", "cpu", 2.5e-5, times=[2.5e-5] * 8)))))
    assert ">25.0</td>" in page_
    assert ">80,000</td>" in page_


def test_the_page_says_of_which_device_ratios_are():
    assert "on cuda, taken within" in as_page(Outcome(result(network(2, row("fuseprop", "cuda", 1e-5)))))
    assert "on cpu, taken within" in as_page(Outcome(with_a_gpu()))


def test_without_a_gpu_its_cause_and_the_line_to_type_are_said():
    why = "CuPy is not installed. Type: pip install .[cuda13]"
    alone = result(network(2, row("fuseprop", "cpu", 1e-5)), unavailable={"cuda": why})
    assert which_device(Outcome(alone)) == ["cpu is the one device that was measured.", f"No GPU here: {why}"]


def test_losses_are_said_as_plainly_as_wins():
    lines = beside_others(Outcome(with_a_gpu()))
    assert lines[0] == (
        "1000, batch 32, time over that of fuseprop on cpu: faster: JAX scan on cpu 0.800; "
        "slower: PyTorch eager on cpu 4.00, PyTorch graph on cuda 3.00."
    )
    level = result(network(2, row("fuseprop", "cpu", 1e-5), row("JAX jit", "cpu", 1e-5)))
    assert beside_others(Outcome(level)) == [
        "1000, batch 2, time over that of fuseprop on cpu: level: JAX jit on cpu 1.00."
    ]


def test_ratios_are_of_our_cpu_or_of_our_first_device():
    network_ = Outcome(with_a_gpu()).networks[-1]
    assert network_.reference.device == "cpu"
    assert network_.best.device == "cuda"
    without = result(network(2, row("fuseprop", "cuda", 1e-5), row("PyTorch graph", "cuda", 2e-5)))
    (only,) = Outcome(without).networks
    assert only.rows[1].over(only.reference).middle == pytest.approx(2.0)


def test_a_round_that_was_broken_off_counts_for_neither():
    ours, theirs = row("fuseprop", "cpu", 1e-5), row("JAX jit", "cpu", 2e-5)
    theirs["times"].pop()
    (one,) = Outcome(result(network(2, ours, theirs), interrupted=True)).networks
    assert one.rows[1].over(one.rows[0]).middle == pytest.approx(2.0)


def test_what_does_not_count_stands_below_with_its_reason():
    refused = row("wrong", "cpu", None, refused="loss 0.3 after 64 steps")
    late = row("Keras", "cpu", None, skipped="no time was left")
    outcome = Outcome(result(network(2, refused, late, row("fuseprop", "cpu", 1e-5))))
    lines = told(outcome).splitlines()
    at = lines.index(next(line for line in lines if line.startswith("1000, batch 2")))
    names = [line.split()[0] for line in lines[at + 2 : at + 5]]
    assert names == ["fuseprop", "wrong", "Keras"]
    assert "refused by the gate: loss 0.3 after 64 steps" in lines[at + 3]
    assert "not run: no time was left" in lines[at + 4]
    assert outcome.refused == ["wrong on cpu, 1000, batch 2"]
    assert "Refused by the gate: wrong on cpu, 1000, batch 2." in cautions(outcome)


def test_a_busy_machine_and_few_rounds_are_said():
    shaky = row("fuseprop", "cpu", None, times=[1e-5, 1.4e-5, 1e-5])
    lines = cautions(Outcome(result(network(2, shaky), load=9.0)))
    assert "the load was 9.0 on 8 cores" in lines[0]
    assert lines[1].startswith("1 of 1 row (marked ~)")
    assert lines[2].startswith("1 of 1 row took fewer than 8 rounds, which have no interval of 99%")
    quiet = cautions(Outcome(result(network(2, row("fuseprop", "cpu", 1e-5)))))
    assert quiet == []
    assert cautions(Outcome(result(network(2, row("fuseprop", "cpu", 1e-5)), load=None))) == []


def test_all_is_plain_data_and_figures_stand_beside_the_raw_ones():
    made = as_dict(Outcome(with_a_gpu()))
    first = json.loads(json.dumps(made))["networks"][0]["rows"][0]
    assert len(first["times"]) == 8
    assert first["seconds"]["low"] < first["seconds"]["median"] < first["seconds"]["high"]
    assert first["ratio"]["median"] == 1.0
    assert first["rows_per_second"] == pytest.approx(32 / 1e-5, rel=0.01)


class Loading(HTMLParser):
    """Collects whatever a browser would load or run."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href") and not value.startswith(("data:", "#")):
                self.found.append(value)
        if tag in ("script", "link", "iframe"):
            self.found.append(tag)


def test_the_page_needs_nothing_else_and_says_all():
    outcome = Outcome(with_a_gpu() | {"left_out": [{"who": "Keras <3>", "why": "not installed"}]})
    text = as_page(outcome)
    parser = Loading()
    parser.feed(text)
    assert parser.found == []
    for line in which_device(outcome):
        assert line in text
    assert "Keras &lt;3&gt;" in text
    assert "A GPU, 80 GiB, CUDA 13.0" in text
    assert left_out(outcome) == ["Keras <3>: not installed"]


def test_the_chart_marks_the_crossover_and_draws_ours_boldest():
    tree = ElementTree.fromstring(time_chart(Outcome(with_a_gpu())))
    texts = [element.text for element in tree.iter() if element.text]
    assert "cuda is faster from here on" in texts
    assert [t for t in texts if " on c" in t] == [
        *("fuseprop on cpu", "fuseprop on cuda"),
        *("JAX scan on cpu", "PyTorch eager on cpu", "PyTorch graph on cuda"),
    ]
    lines = [element for element in tree.iter() if element.tag.endswith("polyline")]
    bold = [line for line in lines if line.get("stroke-width") == "2.4"]
    assert len(bold) == 4  # two lines, and each in the legend


def test_nothing_measured_is_a_page_too():
    nothing = Outcome(result(network(2, row("fuseprop", "cpu", None, skipped="interrupted"))))
    assert time_chart(nothing) == ""
    assert "Nothing of fuseprop was measured." in as_page(nothing)
    assert "Nothing of fuseprop was measured." in told(nothing)
