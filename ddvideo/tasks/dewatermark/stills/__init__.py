"""Marks on images: nothing moves, so that the mark is found by how few edges the picture has without it."""
