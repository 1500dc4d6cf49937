"""Pages: one module or folder each, with thin views and the shapes of their rows beside them."""
