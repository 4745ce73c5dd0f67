"""What is wrong with a run: pure checks over plain evidence, a file for each family of ailments.

Every check says in one sentence what is seen, in one why, in one what to change, and is silent on healthy runs.
"""
