"""Pretraining: the joint training step, its optimizer, checkpoints and resume, distribution, and what a run writes."""
