"""Run ddvideo from a checkout: ``python cli.py segment clip.mp4``."""

from ddvideo.cli.main import main

main()
