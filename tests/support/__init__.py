"""What tests of several rooms need: waiting, leak checks, days, pipelines over a fake log."""
