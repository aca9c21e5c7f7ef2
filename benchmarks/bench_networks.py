"""Images a second in training and in prediction: each architecture our way, against plain Keras, and its memory.

``python -m benchmarks networks``; ``KERAS_BACKEND=jax`` measures the JAX backend, ``DMLIB_BENCH_PIXELS=128`` the size
of profile ``paper``. Inputs are random numbers: the time does not depend on what is in them. "Plain" is Keras as it
comes, ``model.compile(...); model.fit(...)`` at float32 without augmentation; "ours" is `dmlib.networks.fit` with its
augmentation and validation. Rates are by wall time, and by processor time, which other work on the machine changes
less. "Predict" is `Network.predict_ln`'s way, one image counted for its eight orientations. Everything runs on one
core; "peak" is what that core reaches in products of large matrices at float32, and the share is that of a training,
three forward passes an image (more than 100% is possible in bfloat16).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

BATCH, CHANNELS = 32, ("u", "g", "r", "i", "z", "moment0", "moment1", "moment2")
ONE_CORE = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
IMAGES = {"A": 768, "A_scripts": 768, "B": 512, "C": 1536, "E": 512, "ResNet50": 128}


def measure(name: str) -> None:
    """Print one architecture's line; in a process of its own, so that memory is its own."""
    import keras
    import numpy as np
    import psutil

    from dmlib.networks import fit
    from dmlib.networks.models import multiplications
    from dmlib.networks.plan import Schedule, architecture

    pixels = int(os.environ.get("DMLIB_BENCH_PIXELS", "64"))
    rng = np.random.default_rng(1)
    n = IMAGES[name]
    inputs = rng.random((n, pixels, pixels, len(CHANNELS)), dtype=np.float32)
    targets = rng.normal(size=(n, 20)).astype(np.float32)

    entry = architecture(name)
    model = entry.build(CHANNELS, pixels)
    model.compile("adam", loss=fit.masked_mse, jit_compile=fit.compiles())
    model.fit(inputs[: 2 * BATCH], targets[: 2 * BATCH], batch_size=BATCH, verbose=0)
    plain = clocked(lambda: model.fit(inputs, targets, batch_size=BATCH, verbose=0), n)

    # The first epoch compiles; the others are timed by the history, which counts validation too.
    standard = fit.Standard(np.linspace(18.0, 26.0, 20), np.full(20, 0.1))
    views = fit.Views(inputs, targets, np.arange(n), standard)
    few = fit.Views(inputs[:BATCH], targets[:BATCH], np.arange(BATCH), standard)
    schedule = Schedule(epochs=3, patience=None, bagging="none")
    before = [0.0]
    spent: list[float] = []

    def told(epochs: int) -> None:
        now = time.process_time()
        spent.append(now - before[0])
        before[0] = now

    model, history = fit.fit(entry, CHANNELS, views, few, schedule, seed=1, told=told)
    ours = (n / min(history["seconds"][1:]), n / min(spent[1:3]))
    few_inputs = inputs[: max(128, n // 8)]
    several = fit.Averaged(model)
    several(few_inputs)
    predicting = clocked(lambda: several(few_inputs), len(few_inputs))
    macs = multiplications(model)
    share = 100.0 * 3.0 * macs * ours[1] / peak()
    parameters = sum(weight.size for weight in map(np.asarray, model.trainable_weights))
    memory = psutil.Process().memory_info().rss / 1e9
    print(
        f"{name:10s} {parameters:>11,d} {macs / 1e6:8.1f} {plain[0]:8.0f} {plain[1]:8.0f} {ours[0]:8.0f} "
        f"{ours[1]:8.0f} {ours[1] / plain[1]:6.2f} {share:6.0f}% {predicting[1]:9.0f} {memory:7.1f}   "
        f"{keras.backend.backend()} {keras.version()}, {fit.training_precision()}",
        flush=True,
    )


def clocked(work, n: int) -> tuple[float, float]:
    """Images a second, by wall and by processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return n / (time.perf_counter() - wall), n / (time.process_time() - processor)


def peak(side: int = 2048) -> float:
    """Multiply-adds a second of processor time in products of large matrices, the best of several."""
    import numpy as np
    from keras import ops

    matrix = ops.convert_to_tensor(np.random.default_rng(1).random((side, side), dtype=np.float32))
    return side**3 * max(clocked(lambda: ops.convert_to_numpy(ops.matmul(matrix, matrix)), 1)[1] for _ in range(6))


def main() -> None:
    """A table with one architecture a line."""
    rates = " ".join(f"{name:>8s}" for name in ("/s", "/cpu s", "/s", "/cpu s"))
    print(
        f"{'':10s} {'parameters':>11s} {'MMAC':>8s} {'plain fit':>17s} {'ours':>17s} {'ours/':>6s} {'share':>7s} "
        f"{'predict':>9s} {'GB':>7s}"
    )
    print(f"{'':10s} {'':>11s} {'/image':>8s} {rates} {'plain':>6s} {'of peak':>7s} {'/cpu s':>9s}", flush=True)
    for name in sys.argv[1:] or IMAGES:
        command = [sys.executable, "-c", f"from benchmarks.bench_networks import measure; measure({name!r})"]
        subprocess.run(command, check=True, cwd=ROOT, env=os.environ | ONE_CORE)


if __name__ == "__main__":
    main()
