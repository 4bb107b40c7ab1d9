"""Small rendered scenes with known layers: the clips of this folder, and the ground truth behind them for the tests."""
