"""The command ``sersicnet``: one file for each verb."""
