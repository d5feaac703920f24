"""Keras layers and models of ELECTRA: embeddings, encoder, generator, discriminator, and their folder on disk."""
