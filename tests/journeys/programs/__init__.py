"""The programs of a journey and what is said to them: started, asked, published to."""
