"""What a lab optimises: the targets there are, how a script's score is read, and how a repository is recognised."""
