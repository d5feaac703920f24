"""Answers from a text: files of questions, windows over long texts, the network, its best spans, their scores."""
