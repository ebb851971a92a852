"""HyperLogLog registers: absorb keys, unite, estimate, and read and write Apache DataSketches images.

Doors: registers, kernels, image, plausibility. All other modules are private. The packages `datasketches` and `numba`
are imported here alone; no manifest and no file is read.
"""
