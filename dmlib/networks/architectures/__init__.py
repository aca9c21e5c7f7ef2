"""The architectures, in Keras 3 on any backend; `dmlib.networks.plan` has the registry.

Each has a function ``(channels, pixels, outputs) -> keras.Model`` from normalised images (n, pixels, pixels,
channel) to a linear output (n, outputs), of which `dmlib.networks.profile` makes a profile. A trained network depends
on the code of the module that builds it, and on no other architecture's.
"""
