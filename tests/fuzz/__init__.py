"""Random inputs of the kinds that learners meet: ``python -m tests.fuzz`` runs them all."""
