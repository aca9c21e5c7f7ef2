"""The rotation-curve method: tilted rings, mass models of the visible matter, halo fits, and SPARC."""
