"""Public names and signatures are those of a committed list: who changes one does so on purpose."""

from public_names import LIST, MODULES, public_names

from fuseprop import Network

RENEW = "python tests/core/public_names.py"


def difference(listed, now):
    """Return in words which lines went and which came; nothing where there are none."""
    went = [f"- {line}" for line in listed if line not in now]
    came = [f"+ {line}" for line in now if line not in listed]
    return "\n".join([*went, *came])


def test_public_names_are_those_of_the_list():
    found = difference(LIST.read_text().splitlines(), public_names())
    assert not found, (
        f"Public names or signatures are others than those in {LIST.name}:\n{found}\n"
        f"Users notice such a change. Where it is meant, this renews the list: {RENEW}"
    )


def test_the_list_is_sorted_and_names_each_thing_once():
    lines = LIST.read_text().splitlines()
    assert lines == sorted(set(lines))
    assert {name for name in MODULES if not any(line.startswith(f"{name}.") for line in lines)} == set()


def test_a_changed_default_and_a_new_method_are_seen(monkeypatch):
    def fit(self, X, target, optimizer=None, *, epochs=99):
        """Train in another way."""

    listed = public_names()
    monkeypatch.setattr(Network, "fit", fit)
    monkeypatch.setattr(Network, "train", fit, raising=False)
    monkeypatch.delattr(Network, "trace")
    went, *came = difference(listed, public_names()).split("\n+ ")
    assert went.split("\n") == [
        "- fuseprop.Network.fit(X, target, optimizer=None, *, epochs=100, batch_size=32, sample_weight=None, "
        "validation=None, shuffle=True, progress=False, callbacks=(), norms=False, on_divergence='stop', "
        "on_oom='stop', checkpoint=None, resume=None, world=None)",
        "- fuseprop.Network.trace(X, target, sample_weight=None)",
    ]
    assert came == [
        "fuseprop.Network.fit(X, target, optimizer=None, *, epochs=99)",
        "fuseprop.Network.train(X, target, optimizer=None, *, epochs=99)",
    ]
