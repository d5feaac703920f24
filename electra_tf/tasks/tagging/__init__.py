"""Token classification: a tag for each word, spans of text from the tags."""
