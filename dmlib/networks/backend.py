"""Keras's backend: its name, its number of threads and its precision; set before Keras is imported.

Only training needs this: members trained in parallel share the machine, and a seed must give the same result twice.
"""

from __future__ import annotations

import os
from pathlib import Path


def single_thread() -> dict[str, str]:
    """Environment variables of a process in which each operation uses one thread; they must precede Keras's import."""
    flags = os.environ.get("XLA_FLAGS", "")
    if "multi_thread_eigen" not in flags:
        flags = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    return {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "XLA_FLAGS": flags}


def name() -> str:
    """Keras's backend: ``tensorflow``, ``jax``, ``torch``."""
    import keras

    return keras.backend.backend()


def deterministic(seed: int) -> None:
    """Seed every generator, and restrict TensorFlow to deterministic operations."""
    import keras

    keras.utils.set_random_seed(seed)
    if name() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def has_accelerator() -> bool:
    """Whether the backend computes on an accelerator."""
    import keras

    devices = keras.distribution.list_devices("gpu") if name() != "torch" else []
    return bool(devices)


def precision() -> str:
    """Dtype policy of training: ``mixed_bfloat16`` where the hardware supports it well, otherwise ``float32``.

    ``$DMLIB_PRECISION`` overrides it. Weights are float32 in either case, and so is the saved network.
    """
    chosen = os.environ.get("DMLIB_PRECISION", "")
    if chosen:
        return chosen
    cpuinfo = Path("/proc/cpuinfo")
    amx = cpuinfo.is_file() and "amx_bf16" in cpuinfo.read_text(encoding="utf-8", errors="replace")
    return "mixed_bfloat16" if has_accelerator() or amx else "float32"


def jit() -> bool:
    """Whether to compile with XLA, which slows these networks with TensorFlow on a processor; JAX always compiles."""
    return has_accelerator() or name() == "jax"
