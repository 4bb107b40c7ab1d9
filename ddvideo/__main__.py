"""``python -m ddvideo`` does what the ``ddvideo`` command does."""

from ddvideo.cli.main import main

if __name__ == "__main__":
    main()
