"""What the chapters that teach need: learning and layers in a few lines of numpy each, made to be read."""
