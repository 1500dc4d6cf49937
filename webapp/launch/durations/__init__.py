"""How long stages take here: speeds measured on this installation, and those kept for the gallery."""
