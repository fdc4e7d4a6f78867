"""From the sources of a recipe to records: every input ends as one, or in quarantine with a reason."""
