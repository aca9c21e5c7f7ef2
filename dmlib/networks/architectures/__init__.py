"""The architectures, one module each, in Keras 3 on any backend; `dmlib.networks.plan` has the registry.

Each module has a function ``(channels, pixels, outputs) -> keras.Model`` from normalised images (n, pixels, pixels,
channel) to standardised ln M (n, outputs). A trained network depends on the code of its module, so nothing that is
specific to one architecture belongs here.
"""
