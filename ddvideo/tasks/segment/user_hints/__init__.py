"""What a user marks as foreground and background, and what it says of the superpixels that are not marked."""
