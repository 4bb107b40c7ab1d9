"""What a user hints at as foreground and background, and what follows for all other superpixels."""
