"""Generated tables of known difficulty: each function is one, with the target in the column y.

Its docstring says what the best possible score is, where that is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def _frame(X: Any, y: Any, **more: Any) -> pd.DataFrame:
    names = [f"x{i + 1}" for i in range(X.shape[1])]
    return pd.DataFrame(X, columns=names).assign(**more, y=y)


def friedman1() -> pd.DataFrame:
    """Return 1,000 rows: five of ten features count, two of them by their product; R² of at most 0.96."""
    from sklearn.datasets import make_friedman1

    return _frame(*make_friedman1(1000, noise=1.0, random_state=0))


def friedman2() -> pd.DataFrame:
    """Return 400 rows of an impedance, by four features of very different scales; R² of at most 0.91."""
    from sklearn.datasets import make_friedman2

    return _frame(*make_friedman2(400, noise=125.0, random_state=0))


def friedman3() -> pd.DataFrame:
    """Return 2,000 rows of a phase, steep near 0, by four features; R² of at most 0.92."""
    from sklearn.datasets import make_friedman3

    return _frame(*make_friedman3(2000, noise=0.1, random_state=0))


def sine() -> pd.DataFrame:
    """Return 300 rows of three periods of a sine; R² of at most 0.93."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (300, 1))
    return _frame(x, np.sin(3 * np.pi * x[:, 0]) + rng.normal(0, 0.2, 300))


def noisy_linear() -> pd.DataFrame:
    """Return 300 rows of 40 features, all of which count a little, and as much noise; R² of at most 0.44."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 40))
    return _frame(X, X @ rng.normal(size=40) / np.sqrt(40) + rng.normal(size=300))


def hourly() -> pd.DataFrame:
    """Return 12,000 counts by hour, month and weather: two rushes on working days, one hump on the others."""
    rng = np.random.default_rng(0)
    n = 12_000
    hour, weekday, month = (rng.integers(low, high, n) for low, high in ((0, 24), (0, 7), (1, 13)))
    warmth = 12 - 10 * np.cos(2 * np.pi * (month - 1) / 12) + rng.normal(0, 4, n)
    sky = rng.choice(["clear", "cloudy", "rain"], n, p=[0.6, 0.3, 0.1])
    rushes = np.exp(-((hour - 8) ** 2) / 3) + 1.2 * np.exp(-((hour - 17.5) ** 2) / 5) + 0.15
    hump = 0.8 * np.exp(-((hour - 14) ** 2) / 18) + 0.05
    rate = 250 * np.where(weekday < 5, rushes, hump) / (1 + np.exp(-(warmth - 10) / 5))
    rate *= pd.Series(sky).map({"clear": 1.0, "cloudy": 0.8, "rain": 0.35}).to_numpy()
    return pd.DataFrame(
        {
            "hour": hour,
            "weekday": weekday,
            "month": month,
            "warmth": warmth,
            "sky": sky,
            "y": rng.poisson(rate),
        }
    )


def by_group() -> pd.DataFrame:
    """Return 1,500 rows in 12 groups, each with its own slopes for two of six features; R² of at most 0.9."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 6))
    group = rng.integers(0, 12, 1500)
    slopes = rng.normal(size=(12, 2))
    signal = (X[:, :2] * slopes[group]).sum(axis=1) + rng.normal(size=12)[group]
    return _frame(X, signal + rng.normal(0, signal.std() / 3, 1500), group=[f"g{each}" for each in group])


def two_moons() -> pd.DataFrame:
    """Return 600 rows in two interleaved half circles with noise."""
    from sklearn.datasets import make_moons

    return _frame(*make_moons(600, noise=0.25, random_state=0))


def circles() -> pd.DataFrame:
    """Return 400 rows in two circles with noise, one within the other."""
    from sklearn.datasets import make_circles

    return _frame(*make_circles(400, noise=0.15, factor=0.5, random_state=0))


def parity() -> pd.DataFrame:
    """Return 2,000 rows of ten features: the sign of the product of three is the class, but in 5% of rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 10))
    return _frame(X, np.where(rng.random(2000) < 0.05, -1, 1) * np.sign(X[:, :3].prod(axis=1)) > 0)


def clusters() -> pd.DataFrame:
    """Return 20,000 rows of 20 features: five classes of three clusters each; 5% have another class."""
    from sklearn.datasets import make_classification

    X, y = make_classification(
        20_000,
        20,
        n_informative=10,
        n_redundant=4,
        n_classes=5,
        n_clusters_per_class=3,
        flip_y=0.05,
        random_state=0,
    )
    return _frame(X, y)


def rare() -> pd.DataFrame:
    """Return 4,000 rows of 15 features, of which 4% belong to the second class."""
    from sklearn.datasets import make_classification

    X, y = make_classification(
        4000, 15, n_informative=5, n_clusters_per_class=3, weights=[0.96], flip_y=0.01, random_state=0
    )
    return _frame(X, y)
