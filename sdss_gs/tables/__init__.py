"""The catalogue and other tables: ids, numbers, labels, votes, columns of the user's own."""
