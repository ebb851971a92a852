"""The loops that must run at the machine's speed, compiled by numba. The only place of numba and llvmlite.

Each loop releases the GIL, so that two threads use two cores. A loop is simple and typed, and knows no manifest and no file.

numba keeps compiled loops in `__pycache__`, and compiles a loop anew when the loop's own file changes, and then alone. So a
loop's helpers and constants stand in the loop's own module: changed in another module, they would silently not take effect.
"""
