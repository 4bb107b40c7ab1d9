"""What a window of frames tells about its layers before anything is fitted: motion, surroundings, likeness."""
