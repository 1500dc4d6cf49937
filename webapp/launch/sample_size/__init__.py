"""What an experiment of this size could see: power, sample sizes, and the contrast measured so far."""
