"""What a telescope would see of a galaxy: lines of sight, images, and the HI line."""
