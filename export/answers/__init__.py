"""Answers: from the request that is let in to the response, and what is kept of them."""
