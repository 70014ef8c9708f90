"""What an image takes, by layer, and how much of it is neither its base nor the files of installed wheels.

    python docker/sizes.py fuseprop:cpu            # asks docker
    python docker/sizes.py --python .venv/bin/python    # an environment in the place of an image

Exits with 1 where what is above both is more than 30 MB: bytecode of what a training imports, a home folder.
"""

import argparse
import json
import subprocess
import sys

BASE = "python:3.12-slim"
MOST = 30_000_000
"""Bytes above the base image and the files of wheels."""

INSIDE = """
import json, sysconfig
from importlib.metadata import distributions
from pathlib import Path
def size(paths):
    return sum(path.stat().st_size for path in paths if path.is_file())
place = Path(sysconfig.get_path("purelib"))
wheels = {}
for one in distributions(path=[str(place)]):
    wheels[one.name] = size(Path(one.locate_file(f)) for f in one.files or () if f.suffix != ".pyc")
print(json.dumps({"wheels": wheels, "bytecode": size(place.rglob("*.pyc"))}))
"""
"""Prints the bytes of each installed package, and those of bytecode."""


def said(*command):
    """Return what a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def of_image(image):
    """Return the layers of an image above its base, what is installed in it, and the bytes above both."""
    history = ["docker", "history", "--no-trunc", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}"]
    above = len(said(*history, image).splitlines()) - len(said(*history, BASE).splitlines())
    layers = [line.split("\t") for line in said(*history, image).splitlines()[:above]]
    found = json.loads(said("docker", "run", "--rm", "--entrypoint", "python", image, "-c", INSIDE))
    # pip is in the base image.
    wheels = sum(size for name, size in found["wheels"].items() if name != "pip")
    return [(int(size), made) for size, made in layers], found, sum(int(size) for size, _ in layers) - wheels


def main():
    """Print the sizes; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("image", nargs="?")
    what.add_argument("--python", help="of an environment without pip's own bytecode")
    given = parser.parse_args()
    if given.python:
        found = json.loads(said(given.python, "-c", INSIDE))
        layers, above = [], found["bytecode"]
    else:
        layers, found, above = of_image(given.image)
    for size, made in layers:
        print(f"{size / 1e6:10.1f} MB  {' '.join(made.split())[:90]}")
    for name, size in sorted(found["wheels"].items(), key=lambda one: -one[1]):
        print(f"{size / 1e6:10.1f} MB  of the package {name}")
    print(f"{found['bytecode'] / 1e6:10.1f} MB  of bytecode")
    print(f"{above / 1e6:10.1f} MB  above the base image and the packages; {MOST / 1e6:.0f} MB at most")
    return int(above > MOST)


if __name__ == "__main__":
    sys.exit(main())
