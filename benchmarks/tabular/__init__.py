"""Models of tables beside scikit-learn's, on the same folds; ``../README.md`` says how to run it."""
