"""Rows and details of tasks, as the command line and the web show them."""
