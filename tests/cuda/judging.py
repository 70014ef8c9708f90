"""The verdicts of a record, of each kernel and of the whole, from what its parts found."""

from launched import ALL
from verification import BOUND, FAILED, NOT_RUN, PASSED

INCOMPLETE = "incomplete"


def kernel_verdicts(tests, errors, tools):
    """Return a verdict for each kernel: by the tests that launched it, its errors and the tools' findings.

    "passed" is a kernel that a test passed with, and nothing speaks against; one that no test finished with
    is "not run", unless something speaks against it.
    """
    verdicts = {}
    for name in ALL:
        ran = tests.get("kernels", {}).get(name, {"passed": 0, "failures": []})
        eps = {
            dtype: known[name]["eps"] for dtype, known in errors.get("errors", {}).items() if name in known
        }
        findings = {tool: said["ours"][name] for tool, said in tools.items() if name in said.get("ours", {})}
        against = ran["failures"] or findings or any(not error <= BOUND for error in eps.values())
        verdicts[name] = {
            "verdict": FAILED if against else PASSED if ran["passed"] else NOT_RUN,
            "tests_passed": ran["passed"],
            "tests_failed": len(ran["failures"]),
            "failures": ran["failures"][:3],
            "eps": eps,
            "findings": findings,
        }
    return verdicts


def against(record):
    """Return what failed, a sentence each."""
    tests, errors = record.get("tests", {}), record.get("errors", {})
    found = []
    if record.get("left_running"):
        found.append(f"Processes {record['left_running']} could not be ended.")
    if tests.get("failed"):
        found.append(f"{tests['failed']} of {tests['collected']} tests failed.")
    if tests.get("problem") and tests.get("collected"):
        found.append(f"The tests: {tests['problem']}")
    for dtype, steps in errors.get("captured", {}).items():
        if not steps["works"]:
            found.append(f"Steps in {dtype} are not captured: {steps['said']}")
    if "problem" in errors:
        found.append(f"The errors of the kernels: {errors['problem']}")
    for tool, said in record.get("compute_sanitizer", {}).items():
        if said["verdict"] in ("findings", "failed"):
            where = f" in {', '.join(said['ours'])}" if said["ours"] else ""
            found.append(f"{tool}: {said['verdict']}{where}.")
    for name, one in record.get("kernels", {}).items():
        if one["verdict"] == FAILED and not one["tests_failed"] and not one["findings"]:
            found.append(f"{name}: an error of {max(one['eps'].values()):.3g} eps.")
    return found


def open_questions(record):
    """Return what should have run and has not, a sentence each."""
    found = [f"{part} did not run." for part in record["unfinished"]]
    tests, errors = record.get("tests"), record.get("errors")
    if tests is not None:
        if not tests.get("collected"):
            found.append(f"The tests: {tests.get('absent') or tests.get('problem', 'none was collected.')}")
        for module in tests.get("missing", []):
            found.append(f"No test of {module} was collected.")
        if tests.get("telling_not_run"):
            found.append(f"{len(tests['telling_not_run'])} of the tests that matter did not run.")
    if errors is not None and set(errors.get("done", ())) != {"float32", "float64"}:
        found.append(f"The errors of the kernels: {errors.get('absent', 'not all were measured.')}")
    for tool, said in record.get("compute_sanitizer", {}).items():
        if said["verdict"] in ("not finished", "undecided"):
            found.append(f"{tool}: {said['verdict']}.")
    idle = [name for name, one in record.get("kernels", {}).items() if one["verdict"] == NOT_RUN]
    if idle:
        found.append(f"No test finished that launched {', '.join(idle)}.")
    return found


def judged(record):
    """Return a record with the verdicts of its kernels and its own.

    It has passed only if nothing failed and everything that matters ran. A tool of compute-sanitizer that is
    not there, or that this machine does not let watch, is stated and asked no more of.
    """
    tools = record.get("compute_sanitizer", {})
    record = {
        **record,
        "kernels": kernel_verdicts(record.get("tests", {}), record.get("errors", {}), tools),
    }
    failed, open_ = against(record), open_questions(record)
    verdict = FAILED if failed else INCOMPLETE if open_ else PASSED
    return {"date": record["date"], "verdict": verdict, "because": failed + open_, **record}
