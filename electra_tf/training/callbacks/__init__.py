"""What hangs on a run: each callback takes the run's records, one dict at a time, and does one thing with them."""
