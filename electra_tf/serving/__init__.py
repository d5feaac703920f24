"""Text in, answers out: exported models for servers and phones, and the Predictor for this process."""
