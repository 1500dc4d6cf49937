"""What became of each problem: flips, the problem map, paths through the stages, changed completions."""
