"""Superpixels of frames, how alike they look, and votes over the graph that this makes."""
