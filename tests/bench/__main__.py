"""Run the benchmarks that are named, or all; sizes come from the environment."""

from __future__ import annotations

import logging
import sys

from tests.bench import (
    agents_bench,
    coroutine_bench,
    export_bench,
    flows_bench,
    front_bench,
    live_bench,
    livesync_bench,
    rest_bench,
    scheduler_bench,
    search_bench,
    steady_bench,
    waiting_bench,
)

BENCHMARKS = {
    **scheduler_bench.BENCHMARKS,
    **flows_bench.BENCHMARKS,
    **coroutine_bench.BENCHMARKS,
    **live_bench.BENCHMARKS,
    **waiting_bench.BENCHMARKS,
    **steady_bench.BENCHMARKS,
    **search_bench.BENCHMARKS,
    **livesync_bench.BENCHMARKS,
    **agents_bench.BENCHMARKS,
    **export_bench.BENCHMARKS,
    **front_bench.BENCHMARKS,
    **rest_bench.BENCHMARKS,
}

if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - BENCHMARKS.keys()
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    logging.disable(logging.ERROR)
    for name in sys.argv[1:] or BENCHMARKS:
        BENCHMARKS[name]()
