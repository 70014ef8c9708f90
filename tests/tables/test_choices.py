"""What a user may say of the columns, and what contradicts itself."""

import pytest

from fuseprop.data.choices import NONE, Choices
from fuseprop.data.errors import DataError


def test_names_are_tuples_and_one_name_is_enough():
    chosen = Choices(features=["a", "b"], drop="c", numeric=["a"])
    assert (chosen.features, chosen.drop, chosen.numeric) == (("a", "b"), ("c",), ("a",))
    assert Choices() == NONE
    assert Choices(**chosen.keywords()) == chosen


def test_formats_and_notations_stand_behind_the_last_equals_sign():
    chosen = Choices(date=["when=%d/%m/%Y", "a=b", "c=d=%Y"], numeric=["price=1.234,5", "x=y", "n"])
    assert chosen.formats() == {"when": "%d/%m/%Y", "a=b": "", "c=d": "%Y"}
    assert chosen.notations() == {"price": "1.234,5", "x=y": "", "n": ""}
    assert chosen.named() == ("price", "x=y", "n", "when", "a=b", "c=d")


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"drop": ["a"], "features": ["a"]}, "a: a column cannot stand in features and drop too"),
        ({"drop": ["a"], "date": ["a=%Y"]}, "a: a column cannot stand in drop and date too"),
        (
            {"numeric": ["a"], "categorical": ["b", "a"]},
            "a: a column cannot stand in numeric and categorical too",
        ),
        ({"numeric": ["a=1234,5"], "date": ["a"]}, "a: a column cannot stand in numeric and date too"),
        ({"drop": ["a", "a"]}, "drop: a stands more than once among the names"),
        ({"features": ["a"], "numeric": ["b"]}, "b: named for a kind of column, but not among the features"),
        ({"date": ["a=%Y-%Q"]}, "'%Y-%Q' is no format of dates for the column 'a': %Q is not among"),
        ({"date": ["a=%d/%m"]}, "'%d/%m' is no format of dates for the column 'a': there is no year"),
    ],
)
def test_choices_that_contradict_themselves(choices, words):
    with pytest.raises(DataError) as caught:
        Choices(**choices)
    assert words in str(caught.value)


def test_a_feature_may_be_named_with_its_kind():
    assert Choices(features=["a", "b"], numeric=["a"], categorical=["b"]).named() == ("a", "b", "a", "b")


def test_other_values():
    with pytest.raises(ValueError, match=r'missing "drop" is not known\. Choose from: encode, refuse'):
        Choices(missing="drop")
    with pytest.raises(TypeError, match="drop must be the names of columns"):
        Choices(drop=3)
