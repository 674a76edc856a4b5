"""The condition language: fields, operators, values, compiling and evaluating. Knows no catalogue entry."""
