"""What requests, answers and events hold, as pydantic models, and what a route says of itself. Answers nothing."""
