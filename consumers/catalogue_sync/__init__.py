"""Catalogue sync: reads the catalogue topic and writes its newest entries to the store. Never touches tickets."""
