"""`fuseprop train --settings`: options as plain data, what a settings file may hold, and what is refused."""

import json
import tomllib

import click
import pytest
from click.testing import CliRunner

from fuseprop.cli import main
from fuseprop.cli.options import absolute, as_defaults, given_options
from fuseprop.cli.settings_file import LONGEST, settings_text
from fuseprop.cli.train import train as command

GIVEN = {
    "data": ["houses.csv", "more.csv"],
    "target": ["price, in euro", 'a "b"'],
    "task": "exclusive",
    "target_as": "text",
    "keep_as_class": ["NA", "1,5"],
    "features": ["area", "rooms"],
    "numeric": ["area"],
    "ignore_index": True,
    "missing": "refuse",
    "hidden": [5, 4],
    "activation": ["relu", "leaky_relu(0.3)"],
    "loss": "huber(1.5)",
    "learning_rate": 0.02,
    "momentum": 1e-05,
    "clip": False,
    "class_weight": {"no, never": 1.0, "yes": 2.5},
    "epochs": 3,
    "test": 0.0,
    "seed": 2**70,
    "any_size": True,
    "folds": "5x3",
}


def run(*arguments):
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


def context_of(arguments=(), plain=None):
    """Return the context of `train` with these arguments, beside these options of a settings file."""
    context = click.Context(command)
    if plain is not None:
        context.default_map = as_defaults(context, plain)
    command.parse_args(context, list(map(str, arguments)))
    return context


@pytest.fixture
def file(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n" + "1,5,up\n2,7,down\n" * 20)

    def write(text):
        path = tmp_path / "s.toml"
        path.write_text(text)
        return path

    return write


def test_options_go_into_a_file_and_come_back():
    read = given_options(context_of(plain=tomllib.loads(settings_text(GIVEN, {"hidden": [64], "bins": 0}))))
    assert read == {**GIVEN, "data": [absolute("houses.csv"), absolute("more.csv")]}


def test_options_as_typed_are_those_of_a_file():
    typed = given_options(
        context_of(
            [
                *("a.csv", "--target", "x", "--hidden", "5,4", "--activation", "relu, elu(0.5)"),
                *("--class-weight", '"a,b=2",c=1', "--folds", "5", "--no-clip", "--drop", '"p,q",r'),
            ]
        )
    )
    assert typed == {
        "data": [absolute("a.csv")],
        "target": ["x"],
        "hidden": [5, 4],
        "activation": ["relu", "elu(0.5)"],
        "class_weight": {"a,b": 2.0, "c": 1.0},
        "folds": 5,
        "clip": False,
        "drop": ["p,q", "r"],
    }
    assert given_options(context_of(plain=typed)) == typed


def test_a_data_set_and_standard_input_have_no_path():
    assert (absolute("iris"), absolute("-")) == ("iris", "-")


def test_what_the_rules_chose_stands_in_comments():
    text = settings_text(
        {"data": ["iris"], "class_weight": {"a": 1.0}}, {"hidden": [64, 64], "task": "binary"}
    )
    assert tomllib.loads(text) == {"data": ["iris"], "class_weight": {"a": 1.0}}
    uncommented = text.partition("not given:\n")[2].replace("# ", "")
    assert tomllib.loads(uncommented) == {"hidden": [64, 64], "task": "binary", "class_weight": {"a": 1.0}}


def test_no_file_is_written_of_bytes_that_are_no_text():
    with pytest.raises(ValueError, match=r"which holds Unicode alone.*Rename it"):
        settings_text({"data": ["/tmp/\udcff.csv"]}, {})


def test_a_file_stands_for_the_command_line_and_options_beside_it_win(file, tmp_path, monkeypatch):
    path = file(
        'data = "t.csv"\ntarget = "y"\nhidden = [3]\nepochs = 2\nmembers = 1\n'
        'learning_rate = 1\ndevice = "cpu"\n'
    )
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    result = run("--settings", path, "--epochs", 3, "--hidden", "none", "--json", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    made = json.loads(result.stdout)
    assert (made["data"], made["epochs"]) == (str(tmp_path / "t.csv"), 3)
    assert (made["settings"]["hidden"], made["settings"]["learning_rate"]) == ([], 1.0)


def test_data_beside_a_file_win(file):
    path = file('data = "t.csv"\nepochs = 1\nmembers = 1\ndevice = "cpu"\n')
    assert json.loads(run("xor", "--settings", path, "--json").stdout)["data"] == "xor"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hiden = [3]", 'option "hiden" is not known. Choose from: data, target,'),
        ("hiden = [3]", 'Did you mean "hidden"?'),
        ("learning-rate = 1", 'Did you mean "learning_rate"?'),
        ("[training]\nepochs = 1", 'option "training" is not known.'),
        ('out = "m.safetensors"', "out says nothing of the training. Give it beside the file, as --out."),
        ("json = true", "json says nothing of the training. Give it beside the file, as --json."),
        ("epochs = 1.5", "epochs: expected a whole number, got 1.5."),
        ("epochs = 0", "epochs: 0 is not in the range x>=1."),
        ("seed = true", "seed: expected a whole number, got True."),
        ('learning_rate = "1"', "learning_rate: expected a number, got '1'."),
        ("clip = 1", "clip: expected true or false, got 1."),
        ("loss = 1", "loss: expected a text, got 1."),
        ('loss = "hubert"', 'loss: loss "hubert" is not known.'),
        (
            'hidden = "3"',
            "hidden: expected a list of sizes such as [64, 32], or [] for a linear model, got '3'.",
        ),
        ("hidden = [0]", "hidden: expected whole numbers of at least 1"),
        ('activation = ["rel"]', 'activation: activation "rel" is not known.'),
        ("drop = []", "drop: expected a text or a list of texts, got []."),
        ("target = 3", "target: expected a text or a list of texts, got 3."),
        ("class_weight = {}", "class_weight: expected a text, or weights such as {no = 1, yes = 5}, got {}."),
        ('class_weight = "equal"', "class_weight: expected balanced, or different classes"),
        ("folds = 1", "folds: expected at least 2 folds"),
        ("patience = 2020-01-01", "patience: expected a whole number, got datetime.date(2020, 1, 1)."),
        ('data = "digit"', 'data set "digit" is not known.'),
        ("data = 3", "data: expected a text or a list of texts, got 3."),
        ("epochs 3", "s.toml is not a settings file in TOML (TOMLDecodeError: Expected '='"),
        ("epochs = 1\nepochs = 2", "s.toml is not a settings file in TOML"),
        ("x = " + 5000 * "[", "s.toml is not a settings file in TOML"),
        ("#" * (LONGEST + 1), "s.toml is not a settings file in TOML (ValueError: it holds more than 1 MiB)"),
    ],
)
def test_a_bad_file_is_refused_by_name(file, text, said):
    result = run("--settings", file(text))
    assert result.exit_code == 2
    assert "Error: Invalid value for '--settings': " in result.stderr
    assert said in result.stderr
    assert "s.toml" in result.stderr


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    result = run("--settings", tmp_path / "none.toml")
    assert (result.exit_code, "none.toml: there is no such file." in result.stderr) == (2, True)
    result = run("--settings", tmp_path)
    assert (result.exit_code, "is a directory; expected a settings file in TOML" in result.stderr) == (
        2,
        True,
    )


def test_data_are_asked_for_where_the_file_has_none(file):
    result = run("--settings", file("epochs = 1"))
    assert (result.exit_code, "Missing argument 'DATA...'" in result.stderr) == (2, True)
