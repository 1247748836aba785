"""How the models that ship with the zoo are made: ``make weights SOURCES=DIR``; see recipe.md."""
