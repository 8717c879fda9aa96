"""From sentences to a checkpoint: all steps in one command, their plan, report and figure 6."""
