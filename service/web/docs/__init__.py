"""The API documents and the page made of them. Decides nothing of what they describe."""
