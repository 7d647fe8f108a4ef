"""What people call: the functions that `import judgemerge` offers, and the command judgemerge."""
