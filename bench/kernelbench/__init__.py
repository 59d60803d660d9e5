"""Suite `kernelbench`: Stanford's KernelBench problems, made small, optimised and timed."""
