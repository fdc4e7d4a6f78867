"""`vqa2 serve`: a page in the browser, on this machine, that scores clips, talks about one and compares two."""
