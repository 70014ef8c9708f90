"""Threads that all live until every one is done, so that nothing of one is the next one's by accident."""

import threading


def in_threads(*work):
    """Call functions in a thread each; return what they return, or raise what the first to fail raises."""
    together, found, failed = threading.Barrier(len(work), timeout=60), [None] * len(work), []

    def run(number):
        try:
            found[number] = work[number]()
            together.wait()
        except threading.BrokenBarrierError:
            pass  # another one has failed
        except Exception as error:
            failed.append(error)
            together.abort()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return found
