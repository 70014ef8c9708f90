"""Results of `fuseprop bench` on machines that are not here."""


def row(name, device, seconds, **more):
    """A row of eight rounds around a time, or with a reason instead of times."""
    times = [] if seconds is None else [seconds * (1 + 0.01 * i) for i in range(-4, 4)]
    peer = "fuseprop" if name == "fuseprop" else name
    return {"peer": peer, "name": name, "device": device, "table": "step", "note": "", "times": times, **more}


def network(batch, *rows, weights=1000):
    return {
        "label": f"{weights}, batch {batch}",
        "sizes": [weights, 1],
        "batch": batch,
        "weights": weights,
        "flops": 6 * batch * weights,
        "trains": "sigmoid",
        "rows": list(rows),
    }


def result(*networks, **more):
    return {
        "format": 1,
        "date": "2030-01-01",
        "seconds": 60.0,
        "took": 41.5,
        "interrupted": False,
        "rounds": 8,
        "load": 0.1,
        "precision": "strict float32",
        "machine": {
            "cpu": "A Processor 9",
            "cores": 8,
            "system": "Linux x86_64",
            "python": "3.13.0",
            "numpy": "2.4.0",
            "compiled": {"build": "x86_64_v3", "threads": 8},
            "settings": {},
        },
        "gpu": {},
        "unavailable": {},
        "networks": list(networks),
        "peers": [{"name": "fuseprop", "device": "cpu", "version": "0.2.0"}],
        "left_out": [],
        **more,
    }


def with_a_gpu():
    """A GPU whose step never takes less than 20 us, beside a CPU whose step takes 10 us at 32,000."""
    sizes = ((32, 1e-5, 2e-5), (128, 4e-5, 2e-5), (1024, 3.2e-4, 2.5e-5), (8192, 2.56e-3, 1e-4))
    return result(
        *(
            network(
                batch,
                row("fuseprop", "cpu", cpu),
                row("fuseprop", "cuda", gpu),
                row("JAX scan", "cpu", 0.8 * cpu),
                row("PyTorch eager", "cpu", 4 * cpu),
                row("PyTorch graph", "cuda", 1.5 * gpu),
            )
            for batch, cpu, gpu in sizes
        ),
        gpu={"name": "A GPU", "memory_gib": 80.0, "cuda": 13000},
    )
