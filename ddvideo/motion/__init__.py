"""Motion of the camera and of what it sees: optical flow, parametric camera models, tracks chained over a shot."""
