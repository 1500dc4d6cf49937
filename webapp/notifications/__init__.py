"""What people are told of: in the page, by webhook, by e-mail."""
