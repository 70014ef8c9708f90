"""A training, and a model, in words and as a page."""
