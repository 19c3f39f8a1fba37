"""Commands that produce the numbers and figures of the documentation."""
