"""Split any video into its layers with temporally coupled deep image priors, without training data."""

__version__ = "0.1.0"
