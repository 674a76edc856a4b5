"""What is done to processes, links and servers while counts are watched."""
