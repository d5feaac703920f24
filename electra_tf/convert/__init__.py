"""Checkpoints of other programs <-> (settings, vocabulary, named arrays). No Keras model is made here."""
