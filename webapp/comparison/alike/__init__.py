"""Whether what is compared was treated alike: settings, grader, examples, and how much of the intervention it saw."""
