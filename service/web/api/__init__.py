"""The JSON API: what a request asks, and the answer's shape. Counts nothing and admits nobody."""
