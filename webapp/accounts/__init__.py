"""Who may enter (sign-in links, API tokens), and what people keep: views, preferences."""
