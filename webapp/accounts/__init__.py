"""Who may enter: sign-in links, API tokens."""
