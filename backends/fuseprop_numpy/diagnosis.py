"""What ``fuseprop doctor`` says about NumPy: its version, and which BLAS multiplies with how many threads."""

from __future__ import annotations

import os

import numpy as np

from fuseprop.backend import Finding


def diagnose() -> list[Finding]:
    """Return what can be found out about NumPy without computing anything."""
    from threadpoolctl import threadpool_info

    findings = [Finding("NumPy", np.__version__)]
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    for pool in pools:
        name = " ".join(
            str(pool[key]) for key in ("internal_api", "version", "architecture") if pool.get(key)
        )
        findings.append(Finding("BLAS", f"{name}, {pool['num_threads']} threads"))
    if not pools:
        build = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        findings.append(Finding("BLAS", f"{build.get('name')} {build.get('version')}, threads unknown"))
    findings.append(
        Finding(
            "CPU cores", str(os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count())
        )
    )
    return findings
