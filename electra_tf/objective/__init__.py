"""The mathematics of ELECTRA's objective: pure functions of tensors, with every seed passed in."""
