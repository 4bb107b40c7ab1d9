"""From layers at working size to the input's own size: edge-aware mattes, filled plates, extended colours."""
