"""The pipeline over a data set: answers to all of its sentences, as Parquet."""
