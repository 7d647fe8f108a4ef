"""`python -m judgemerge` is the command judgemerge."""

from judgemerge.api.command_line import main

if __name__ == "__main__":
    main()
