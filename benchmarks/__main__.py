"""Run every benchmark of this folder: ``python -m benchmarks [NAME ...]``, as ``make bench`` does.

A benchmark is a module ``bench_<name>.py`` with a function ``main`` that prints times and, more to the point, ratios of
two ways of doing the same work in the same run. Each gets a process of its own, so that none inherits another's warm
caches, memory or thread settings.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def run(names: list[str]) -> int:
    """Run the named benchmarks, all when none is named; the number that failed."""
    known = {path.stem.removeprefix("bench_"): path for path in sorted(FOLDER.glob("bench_*.py"))}
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"no benchmark called {', '.join(unknown)}; there are {', '.join(known)}")
    failed = 0
    for name in names or known:
        print(f"\n== {name} ==", flush=True)
        failed += subprocess.run([sys.executable, str(known[name])], check=False).returncode != 0
    if failed:
        print(f"{failed} benchmark(s) failed", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(min(run(sys.argv[1:]), 1))
