"""What a pretrained encoder is tuned for: one file for each task, and what all tasks share."""
