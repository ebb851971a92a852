"""HyperLogLog registers: absorb keys, unite, estimate, compare, and read and write Apache DataSketches images.

Doors: registers, arrays, image, overlap, triple, plausibility, and the loops in kernels: hashing, key_texts, key_table, cells,
links. All other modules are private. `datasketches` is imported in `registers` alone, `numba` in `kernels` alone; no manifest
and no file is read.
"""
