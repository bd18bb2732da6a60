"""What the pages are made of: the search view with its canvas tree, the generated form, lists and words."""
