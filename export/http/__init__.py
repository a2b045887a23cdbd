"""The values of a request and an answer: dates, pages, views, results, ETags."""
