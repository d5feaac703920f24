"""The report of a fine-tuning run: one HTML file that opens offline."""
