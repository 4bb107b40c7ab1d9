"""Marks in videos: the scene moves behind the mark, so that many frames show what the mark hides in one."""
