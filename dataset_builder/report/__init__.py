"""The report of a corpus: one page of HTML that needs nothing beside itself, and shows what a reviewer looks for."""
