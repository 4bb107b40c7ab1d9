"""Recipes, shipped inside the package as ``ddvideo._pipelines``: data only."""
