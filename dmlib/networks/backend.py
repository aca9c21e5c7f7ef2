"""Keras's backend: which, with how many threads, at which precision; set before Keras is imported.

Nothing here is needed to use a network. Training sets it, so that members trained side by side share the machine, and
so that a seed gives the same result twice.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def prepare(threads: int | None = None) -> None:
    """Set up the backend of this process; must come before the first import of Keras to have full effect.

    Parameters
    ----------
    threads : int, optional
        Threads that one operation may use.
    """
    if threads:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads))
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
        if threads == 1:
            flags = os.environ.get("XLA_FLAGS", "")
            if "multi_thread_eigen" not in flags:
                os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()


def name() -> str:
    """Keras's backend: ``tensorflow``, ``jax``, ``torch``."""
    import keras

    return keras.backend.backend()


def deterministic(seed: int) -> None:
    """Seed every generator, and let TensorFlow use only operations that give the same result twice."""
    import keras

    keras.utils.set_random_seed(seed)
    if name() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def has_accelerator() -> bool:
    """Whether the backend computes on something other than the processor."""
    import keras

    devices = keras.distribution.list_devices("gpu") if name() != "torch" else []
    return bool(devices)


def precision() -> str:
    """The policy of training: ``mixed_bfloat16`` where the processor multiplies matrices of bfloat16, else ``float32``.

    ``$DMLIB_PRECISION`` overrides it. Weights are float32 in either case, and so is the saved network.
    """
    asked = os.environ.get("DMLIB_PRECISION", "")
    if asked:
        return asked
    if has_accelerator():
        return "mixed_bfloat16"
    return "mixed_bfloat16" if sys.platform == "linux" and _amx() else "float32"


def _amx() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and "amx_bf16" in cpuinfo.read_text(encoding="utf-8", errors="replace")


def jit() -> bool:
    """Whether to compile with XLA: it slows these networks on a processor (TensorFlow); JAX always compiles."""
    return has_accelerator() or name() == "jax"
