"""What trials tell: spread, intervals, collapsed runs, folds, and whether two runs differ by more than chance."""
