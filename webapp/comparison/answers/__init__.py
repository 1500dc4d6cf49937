"""An experiment's planned answers, and the answers kept for the lists."""
